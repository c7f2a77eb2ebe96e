"""Self-contained HTML pages: a header, the conclusion, then figures and tables.

Pages follow the reader's choice of a light or a dark scheme.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from darec.files import write_atomic
from darec.report.panels import Drawing

SMALLEST: Final = 0.7
LARGEST: Final = 1.35
"""Smallest and largest size of a panel, relative to its drawn size: letters have 9 to 18 pixels."""

_LETTER: Final = re.compile(
    r'<path id="(DejaVuSans[\w-]*)" d="[^"]*"[^>]*/>\s*'
)  # in the form of matplotlib
_OPTION: Final = re.compile(r"(?<!\S)--?[\w-]{1,30}(?![\w-])")
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a1c1f; --soft: #5a6068; --paper: #fff; --panel: #f5f6f7; --line: #d5d8dc;
        --accent: #0072b2; --shade: rgba(0, 0, 0, .28); }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a4abb3; --paper: #16181b; --panel: #212429; --line: #3b4047; --accent: #56b4e9;
          --shade: rgba(255, 255, 255, .3); }
}
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0; }
header { border-bottom: 1px solid var(--line); background: var(--panel); }
header div, main { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header div { display: flex; gap: .75rem; padding-block: .7rem; color: var(--soft); font-size: .9rem; }
header strong { color: var(--ink); }
main { padding-bottom: 3rem; }
h1 { font-size: clamp(1.45rem, 4vw, 2rem); line-height: 1.2; margin: 1.8rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin-bottom: .3rem; overflow-wrap: anywhere; }
p, li { max-width: 48rem; overflow-wrap: anywhere; }
.lead { font-size: 1.12rem; border-left: 4px solid var(--accent); padding: .1rem 0 .1rem 1rem; margin: 1rem 0 1.6rem; }
.wide { overflow-x: auto; max-width: 100%; width: fit-content; scrollbar-width: thin;
        background: linear-gradient(90deg, transparent, var(--paper) 70%) right / 3rem 100% no-repeat local,
                    linear-gradient(270deg, var(--shade), transparent) right / 1rem 100% no-repeat scroll; }
.wide:focus-visible { outline: 2px solid var(--accent); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92em; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: .2rem; }
tbody td:first-child:not([colspan]), thead th:first-child { position: sticky; left: 0; background: var(--paper); }
tbody tr { border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tr.section td { font-style: italic; text-align: left; padding-top: .8rem; }
td.best { font-weight: 700; }
small, figcaption, .legend, .about { color: var(--soft); font-size: .9em; }
figcaption { max-width: 48rem; margin-top: .5rem; }
figure { margin: 1.4rem 0 2rem; }
figure svg { color: var(--ink); fill: currentColor; }
.panels { display: grid; gap: 1rem; grid-template-columns: var(--columns); align-items: start; }
.panels svg { display: block; width: 100%; height: auto; }
.panels svg text { user-select: none; }
.drawn { width: auto; }
.marks { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9em; margin: .6rem 0; }
.marks span svg { margin-right: .4rem; }
.marks > svg { max-width: 100%; height: auto; }
figure svg .hover circle:hover { stroke: currentColor; stroke-width: 1.5; }
code { background: var(--panel); padding: .1em .3em; overflow-wrap: anywhere; }
code span { white-space: nowrap; }
@media (max-width: 700px) { .panels { grid-template-columns: minmax(0, 1fr); } }
@media print { main { max-width: none; } figure, table { break-inside: avoid; } }
"""


def write_document(
    path: Path, title: str, parts: Iterable[str], *, kind: str, conclusion: Sequence[str]
) -> None:
    """Write a page that loads nothing from the network.

    Args:
        path: the file.
        title: in plain text; also the page's first heading.
        parts: the contents, as HTML.
        kind: the kind of page for its header, such as ``comparison``.
        conclusion: the result, in a sentence or two of plain text; it opens the page.
    """
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><div><strong>darec</strong><span>{escape(kind)}</span></div></header>\n<main>\n"
    )
    lead = f'<p class="lead">{escape(" ".join(conclusion))}</p>'
    body = _each_letter_once("\n".join([f"<h1>{escape(title)}</h1>", lead, *parts]))
    write_atomic(path, head + body + "\n</main>\n</body>\n</html>\n")


def _each_letter_once(body: str) -> str:
    """Return a page in which only the first drawing with a letter has its shape; the others refer to it."""
    known: set[str] = set()

    def kept(found: re.Match[str]) -> str:
        first = found[1] not in known
        known.add(found[1])
        return found[0] if first else ""

    return re.sub(_LETTER, kept, body)


def figure(drawing: Drawing, caption: str) -> str:
    """Return a figure: its panels side by side, or stacked on a narrow screen, with their legend and caption.

    A panel that would become too small to read scrolls in its box. Black parts of a drawing take the page's colour of
    text, and its white background becomes that of the page.

    Args:
        drawing: the figure.
        caption: in plain text.
    """
    widths = [_width(panel) for panel in drawing.panels]
    columns = [max(widths[place :: drawing.columns]) for place in range(drawing.columns)]
    grid = " ".join(f"minmax(0, {width:.0f}fr)" for width in columns)
    boxes = [
        f'<div class="wide drawn" tabindex="0" role="region" aria-label="drawing">{_sized(panel, width)}</div>'
        for panel, width in zip(drawing.panels, widths, strict=True)
    ]
    marks = f'<div class="marks">{"".join(map(_adapted, drawing.legend))}</div>'
    return (
        f'<figure><div class="panels" style="--columns: {grid}">{"".join(boxes)}</div>{marks if drawing.legend else ""}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _width(panel: str) -> float:
    """Return the width, in pixels of the page, of an ``<svg>`` element that was drawn in points."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ', panel)
    assert found is not None, "a drawing has a viewBox"
    return float(found[1]) * 96 / 72


def _sized(panel: str, width: float) -> str:
    limits = f"min-width: {SMALLEST * width:.0f}px; max-width: {LARGEST * width:.0f}px"
    return _adapted(panel).replace("<svg ", f'<svg style="{limits}" ', 1)


def _adapted(drawing: str) -> str:
    return drawing.replace("#000000", "currentColor").replace("fill: #ffffff", "fill: none")


def listed(lines: Iterable[str]) -> str:
    """Return lines of plain text as a list."""
    return "\n".join(["<ul>", *(f"<li>{escape(line)}</li>" for line in lines), "</ul>"])


def command_line(command: str) -> str:
    """Return a command as a paragraph whose lines break between words, and not within the hyphens of an option.

    Args:
        command: in plain text.
    """
    kept = _OPTION.sub(r"<span>\g<0></span>", escape(command))
    return f"<p><code>{kept}</code></p>"


def table(columns: Sequence[str], rows: Iterable[str], *, about: str) -> str:
    """Return a table that scrolls within its own box if it is wider than the page.

    Args:
        columns: headings in plain text.
        rows: ``<tr>`` elements.
        about: its contents, for screen readers.
    """
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(about)}"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def cells(texts: Iterable[str]) -> str:
    """Return a row of plain texts as a ``<tr>`` element."""
    return f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>"
