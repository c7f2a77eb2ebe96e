"""The output formats of a comparison: terminal, Markdown, LaTeX, CSV, JSON, and the files of its folder."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from darec.compare.result import FIGURES, TESTS, Comparison
from darec.compare.tables import Cell, Sheet, sheets
from darec.console import Console

BEST: Final = "▸"
_LATEX: Final = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "_%&#${}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "±": r"$\pm$",
    }
)


def render(comparison: Comparison, form: str) -> str:
    """Return the text of one of the files: ``json``, ``markdown``, ``latex`` or ``csv``."""
    renderers = {"json": to_json, "markdown": to_markdown, "latex": to_latex, "csv": to_csv}
    return renderers[form](comparison)


def print_tables(comparison: Comparison, console: Console) -> None:
    """Print the tables for a terminal, with legends and notes."""
    one_pair = comparison.kind != "pairs"
    if one_pair:  # named once: in every table it would widen the first column
        heading = f"{comparison.words.title} of {comparison.sections[0]}"
        console.print(Text(heading, style="bold"), end="\n\n")
    for sheet in sheets(comparison, brief=True):
        console.print(Text(sheet.title, style="bold"))
        console.print(_rich(sheet, sections=not one_pair))
        legend = Text("\n".join(_legend(comparison, sheet, BEST)), style="dim")
        console.print(Padding(legend, (0, 0, 1, 0)))
    notes = Table.grid(padding=(0, 1))
    for note in comparison.notes:
        notes.add_row("-", Text(note))
    console.print(notes)


def to_json(comparison: Comparison) -> str:
    """Return everything in the form that :meth:`Comparison.save` writes."""
    return json.dumps(comparison.tree(), indent=2, ensure_ascii=False) + "\n"


def to_markdown(comparison: Comparison) -> str:
    """GitHub tables with one row for each variant; the best of a section is bold."""
    words = comparison.words
    parts = [f"# {words.title} on {comparison.dataset}", _provenance(comparison)]
    for sheet in sheets(comparison):
        columns = (words.section, *sheet.columns)
        right = [":--" if index < 2 else "--:" for index in range(len(columns))]
        lines = [f"## {_plain(sheet.title)}", "", _line(columns), _line(right)]
        for section, rows in sheet.sections:
            lines += [_line((section, *map(_markdown, row))) for row in rows]
        legend = [_plain(line) for line in _legend(comparison, sheet, "Bold:")]
        parts.append("\n".join([*lines, "", "<br>\n".join(legend)]))
    if comparison.notes:
        parts.append("\n".join(["## Notes", "", *(f"- {_plain(n)}" for n in comparison.notes)]))
    return "\n\n".join(parts) + "\n"


def to_latex(comparison: Comparison) -> str:
    """A complete document; each table can be copied from it (package booktabs)."""
    lines = [
        r"\documentclass{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage{booktabs,graphicx}",
        r"\begin{document}",
    ]
    for sheet in sheets(comparison):
        width = len(sheet.columns)
        lines += [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{_latex(sheet.title)}}}\smallskip",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
            r"\toprule",
            " & ".join(map(_latex, sheet.columns)) + r" \\",
        ]
        for section, rows in sheet.sections:
            lines += [
                r"\midrule",
                rf"\multicolumn{{{width}}}{{l}}{{\textit{{{_latex(section)}}}}} \\",
            ]
            lines += [" & ".join(map(_latex_cell, row)) + r" \\" for row in rows]
        legend = _latex(" ".join(_legend(comparison, sheet, "Bold:")))
        lines += [
            r"\bottomrule",
            r"\end{tabular}}",
            "",
            rf"\smallskip\footnotesize {legend}",
            r"\end{table}",
        ]
    if comparison.notes:
        lines += [r"\begin{itemize}", *(rf"\item {{}}{_latex(n)}" for n in comparison.notes)]
        lines.append(r"\end{itemize}")
    return "\n".join([*lines, r"\end{document}"]) + "\n"


def to_csv(comparison: Comparison) -> str:
    """One row for each variant and figure: means, spreads and, for test metrics, gains with their tests."""
    buffer = io.StringIO()
    own = () if comparison.kind == "pairs" else ("variant", *comparison.swept)
    names = ("backbone", "alignment", *own, *FIGURES, "difference", "relative", *TESTS)
    writer = csv.DictWriter(buffer, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(comparison.rows())
    return buffer.getvalue()


def _rich(sheet: Sheet, *, sections: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for index, column in enumerate(sheet.columns):
        table.add_column(
            column, justify="right" if index else "left", overflow="fold", no_wrap=index == 0
        )
    for number, (section, rows) in enumerate(sheet.sections):
        if number:
            table.add_row()
        if sections:
            table.add_row(Text(section, style="bold"))
        for first, *rest in rows:
            table.add_row("  " * sections + first.text, *map(_rich_cell, rest))
    return table


def _rich_cell(cell: Cell) -> Text:
    """Stars have two places in columns that may have some, so that numbers are aligned."""
    if cell.stars is None:
        return Text(f"{BEST} {cell.text}" if cell.best else cell.text, style="bold" * cell.best)
    style = ("red" if cell.text.startswith("-") else "green") if cell.stars else ""
    text = Text(f"{cell.text}{cell.stars:<2}", style=style)
    return text.append(f" {cell.tail:>12}" if cell.tail else "", style="not bold")


def _markdown(cell: Cell) -> str:
    text = _plain(f"{cell.text}{cell.stars or ''} {cell.tail}".strip())
    return f"**{text}**" if cell.best else text


def _plain(text: str) -> str:
    """Return text that Markdown does not take for markup."""
    for mark in "\\|*_<`":
        text = text.replace(mark, f"\\{mark}")
    return text


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _latex(text: str) -> str:
    """Return text for LaTeX; a character that its fonts lack becomes a question mark."""
    known = (
        text.replace("±", "\0").encode("latin-1", "replace").decode("latin-1").replace("\0", "±")
    )
    return known.translate(_LATEX).replace("--", "-{}-")


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text) + (f"$^{{{cell.stars}}}$" if cell.stars else "")
    text += f" {_latex(cell.tail)}" if cell.tail else ""
    text = re.sub(r"(?<![\w-])-(?=[.\d])", "$-$", text)  # a minus is longer than a hyphen
    return rf"\textbf{{{text}}}" if cell.best else text


def _legend(comparison: Comparison, sheet: Sheet, mark: str) -> tuple[str, ...]:
    """Return the sheet's legend; the meaning of the mark of the best comes first, if it is used."""
    best = any(cell.best for _, rows in sheet.sections for row in rows for cell in row)
    return (*((f"{mark} {comparison.words.best}.",) if best else ()), *sheet.legend)


def _provenance(comparison: Comparison) -> str:
    seeds = ", ".join(map(str, comparison.seeds))
    lines = [
        f"Seeds {seeds}; best epoch by validation {comparison.monitor}; evaluation masks "
        f"{comparison.mask}. darec {comparison.versions['darec']}, torch {comparison.versions['torch']}, "
        f"{comparison.machine}, {comparison.made}."
    ]
    if comparison.command:
        lines.append(f"```\n{comparison.command}\n```")
    return "\n\n".join(lines)
