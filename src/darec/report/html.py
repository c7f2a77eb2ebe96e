"""A self-contained HTML page around what is to be shown."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from darec.files import write_atomic

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 64rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92em; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #1a1a1a; }
tr.section td { font-style: italic; border-top: 1px solid #999; text-align: left; }
td.best { font-weight: 700; }
small, figcaption, .legend { color: #555; font-size: .88em; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; }
code { background: #f3f3f3; padding: .1em .3em; overflow-wrap: anywhere; }
@media print { body { max-width: none; margin: 0; } figure, table { break-inside: avoid; } }
"""


def write_document(path: Path, title: str, parts: Iterable[str]) -> None:
    """Write a page that asks nothing of the network.

    Args:
        path: the file.
        title: in plain text; also the page's first heading.
        parts: what follows, as HTML.
    """
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    write_atomic(path, head + body + "\n</body>\n</html>\n")


def figure(drawing: str, caption: str) -> str:
    """An ``<svg>`` element with what it shows, in plain text, under it."""
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def listed(lines: Iterable[str]) -> str:
    """Lines of plain text as a list."""
    return "\n".join(["<ul>", *(f"<li>{escape(line)}</li>" for line in lines), "</ul>"])
