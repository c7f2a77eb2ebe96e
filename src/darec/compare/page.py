"""A comparison as one self-contained HTML page, and as a Markdown report with its plots beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from darec.compare.conclusion import conclusion
from darec.compare.output import to_markdown
from darec.compare.plots import plots
from darec.compare.result import Comparison
from darec.compare.tables import Cell, Sheet, sheets
from darec.files import write_atomic
from darec.progress import OnStage
from darec.report.drawing import svg
from darec.report.html import command_line, figure, listed, table, write_document
from darec.report.panels import drawn


def write_page(
    comparison: Comparison, path: str | Path, *, on_stage: OnStage = lambda what: None
) -> None:
    """Write the page: tables, plots and notes in a single file that works without a network.

    Args:
        comparison: to show.
        path: the file.
        on_stage: called before each plot is drawn.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    counts = comparison.counts
    title = f"{comparison.words.title} on {comparison.dataset}"
    accuracy, *others = sheets(comparison)
    seeds = ", ".join(map(str, comparison.seeds))
    about = (
        f"{counts['users']:,} users, {counts['items']:,} items; {counts['train']:,} training, {counts['valid']:,} "
        f"validation and {counts['test']:,} test interactions. Seeds {seeds}; the best epoch of each run by validation "
        f"{comparison.monitor}; the whole catalogue ranked, {comparison.mask} items masked. Made {comparison.made} on "
        f"{comparison.machine}, " + ", ".join(f"{k} {v}" for k, v in comparison.versions.items())
    )
    parts = []
    parts.append(_table(accuracy))
    for name, caption, make in plots(comparison):
        on_stage(f"drawing {name}")
        parts.append(figure(drawn(make()), caption))
    parts += map(_table, others)
    failed = [
        f"{pair.name}, seed {run.seed}: {run.error or ''}"
        for pair in comparison.variants
        for run in pair.failed
    ]
    if failed:
        parts += ["<h2>Failed runs</h2>", listed(failed)]
    if comparison.notes:
        parts += ["<h2>Notes</h2>", listed(comparison.notes)]
    parts += ["<h2>How it was made</h2>", f'<p class="about">{escape(about)}.</p>']
    if comparison.command:
        parts.append(command_line(comparison.command))
    write_document(
        Path(path),
        title,
        parts,
        kind=comparison.words.title.lower(),
        conclusion=conclusion(comparison),
    )


def write_markdown(comparison: Comparison, folder: str | Path, name: str = "README") -> Path:
    """Write ``NAME.md`` and its plots as SVG files beside it, for a repository to keep.

    Args:
        comparison: to show.
        folder: of the files; it is created if it does not exist.
        name: of the Markdown file, without its ending.

    Returns:
        The Markdown file.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [to_markdown(comparison), "## Plots\n"]
    for plot, caption, make in plots(comparison):
        write_atomic(folder / f"{plot}.svg", svg(make()))
        parts.append(f"![{caption}]({plot}.svg)\n\n{caption}\n")
    path = folder / f"{name}.md"
    write_atomic(path, "\n".join(parts))
    return path


def _table(sheet: Sheet) -> str:
    rows = []
    for section, found in sheet.sections:
        rows.append(
            f'<tr class="section"><td colspan="{len(sheet.columns)}">{escape(section)}</td></tr>'
        )
        rows += [f"<tr>{''.join(map(_cell, row))}</tr>" for row in found]
    made = table(sheet.columns, rows, about=sheet.title)
    legend = "<br>".join(map(escape, sheet.legend))
    told = f'<p class="legend">{legend}</p>' if legend else ""
    return "\n".join([f"<h2>{escape(sheet.title)}</h2>", made, told])


def _cell(cell: Cell) -> str:
    text = escape(cell.text + (cell.stars or ""))
    tail = f" <small>{escape(cell.tail)}</small>" if cell.tail else ""
    return f'<td class="best">{text}{tail}</td>' if cell.best else f"<td>{text}{tail}</td>"
