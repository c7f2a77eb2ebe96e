"""A comparison as one self-contained HTML page, and as a Markdown report with its plots beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from darec.compare.output import to_markdown
from darec.compare.result import Comparison
from darec.compare.tables import Cell, Sheet, sheets
from darec.files import write_atomic
from darec.report.plots import plots, svg

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 64rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92em; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #1a1a1a; }
tr.backbone td { font-style: italic; border-top: 1px solid #999; text-align: left; }
td.best { font-weight: 700; }
small, figcaption, .legend { color: #555; font-size: .88em; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; }
code { background: #f3f3f3; padding: .1em .3em; overflow-wrap: anywhere; }
@media print { body { max-width: none; margin: 0; } figure, table { break-inside: avoid; } }
"""


def write_page(comparison: Comparison, path: str | Path) -> None:
    """Write the page: tables, plots and notes in a single file that asks nothing of the network.

    Args:
        comparison: what to show.
        path: the file.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    counts = comparison.counts
    title = f"Comparison on {comparison.dataset}"
    accuracy, *others = sheets(comparison)
    seeds = ", ".join(map(str, comparison.seeds))
    about = (
        f"{counts['users']:,} users, {counts['items']:,} items; {counts['train']:,} training, {counts['valid']:,} "
        f"validation and {counts['test']:,} test interactions. Seeds {seeds}; the best epoch of each run by validation "
        f"{comparison.monitor}; the whole catalogue ranked, {comparison.mask} items masked. Made {comparison.made} on "
        f"{comparison.machine}, " + ", ".join(f"{k} {v}" for k, v in comparison.versions.items())
    )
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(about)}.</p>"]
    if comparison.command:
        parts.append(f"<p><code>{escape(comparison.command)}</code></p>")
    parts.append(_table(accuracy))
    parts += [
        f"<figure>{svg(make())}<figcaption>{escape(caption)}</figcaption></figure>"
        for _, caption, make in plots(comparison)
    ]
    parts += map(_table, others)
    failed = [(pair, run) for pair in comparison.pairs for run in pair.failed]
    if failed:
        lines = [
            f"<li>{escape(pair.name)}, seed {run.seed}: {escape(run.error or '')}</li>"
            for pair, run in failed
        ]
        parts += ["<h2>Failed runs</h2>", "<ul>", *lines, "</ul>"]
    if comparison.notes:
        notes = [f"<li>{escape(note)}</li>" for note in comparison.notes]
        parts += ["<h2>Notes</h2>", "<ul>", *notes, "</ul>"]
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    write_atomic(Path(path), head + "\n".join(parts) + "\n</body>\n</html>\n")


def write_markdown(comparison: Comparison, folder: str | Path, name: str = "README") -> Path:
    """Write ``NAME.md`` and its plots as SVG files beside it, for a repository to keep.

    Args:
        comparison: what to show.
        folder: made where it is not there.
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
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in sheet.columns)
    lines = [f"<h2>{escape(sheet.title)}</h2>", '<div class="wide"><table>']
    lines.append(f"<thead><tr>{head}</tr></thead><tbody>")
    for backbone, rows in sheet.sections:
        width = len(sheet.columns)
        lines.append(f'<tr class="backbone"><td colspan="{width}">{escape(backbone)}</td></tr>')
        lines += [f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows]
    lines.append("</tbody></table></div>")
    legend = "<br>".join(map(escape, sheet.legend))
    return "\n".join([*lines, f'<p class="legend">{legend}</p>' if legend else ""])


def _cell(cell: Cell) -> str:
    text = escape(cell.text + (cell.stars or ""))
    tail = f" <small>{escape(cell.tail)}</small>" if cell.tail else ""
    return f'<td class="best">{text}{tail}</td>' if cell.best else f"<td>{text}{tail}</td>"
