"""Helpers for figures: empty panels, colours, and the output formats.

Colours are those of Okabe and Ito, which colour-blind readers can distinguish.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from darec.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B59F00")
GREY: Final = "#888888"
_MARKERS: Final = ("o", "s", "D", "^")
_DASHES: Final = ("-", "--", ":", "-.")
SHADES: Final = ("#C79BDC", "#A05CC0", "#7E3FA6")
"""Shades of one colour for ordered groups, such as thirds. None of them is in :data:`COLOURS`."""
_DOT: Final = re.compile(r'<use [^>]*?x="([\d.-]+)" y="([\d.-]+)" style="fill: (#\w+)[^>]*/>')
WIDTH: Final = 9.0  # inches; the width of a page at 100 dots an inch
SINGLE: Final = 5.0  # inches; the width of a single panel, readable on a phone


class Style(NamedTuple):
    """How a line and its points are drawn."""

    colour: str
    marker: str = _MARKERS[0]
    dash: str = _DASHES[0]


def style(number: int) -> Style:
    """Return the style of a line by its number, from 0: the first 28 differ, the first 7 by colour alone."""
    again, colour = divmod(number, len(COLOURS))
    return Style(COLOURS[colour], _MARKERS[again % len(_MARKERS)], _DASHES[again % len(_DASHES)])


def empty_panels(
    rows: int, columns: int, height: float, width: float = WIDTH
) -> tuple[Figure, list[Axes]]:
    """Make an empty figure with a grid of panels, row by row.

    Args:
        rows: number of rows of panels.
        columns: number of columns of panels.
        height: of a row, in inches.
        width: of the figure, in inches.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "plots need matplotlib, which is not installed: pip install 'darec[report]'."
        ) from None
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def legend(figure: Figure, *panels: Axes) -> None:
    """Draw one legend under all panels, with each label once."""
    handles: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=min(7, len(handles)),
            frameon=False,
        )


def svg(figure: Figure) -> str:
    """Return the figure as an ``<svg>`` element; the same figure always gives the same text."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "darec"}):
        untold = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=untold)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def with_dots(drawing: str, name: str, titles: Sequence[str] = ()) -> str:
    """Make the scatter plot of one name in an ``<svg>`` element four times smaller, and show titles under the pointer.

    Args:
        drawing: the element, from :func:`svg`.
        name: the ``gid`` that the scatter plot was drawn with.
        titles: [n] plain text for the dots; the first 48 characters are shown.
    """
    before, mark, rest = drawing.partition(f'<g id="{name}">')
    if not mark:
        return drawing
    inside, end, after = rest.partition("\n   </g>")
    circles: dict[str, list[str]] = {}
    for number, (x, y, fill) in enumerate(re.findall(_DOT, inside)):
        place = f'cx="{float(x):.1f}" cy="{float(y):.1f}" r="2"'
        title = textwrap.shorten(titles[number], 48, placeholder="...") if titles else ""
        told = f"><title>{escape(title)}</title></circle>" if title else "/>"
        circles.setdefault(fill, []).append(f"<circle {place}{told}")
    groups = (f'<g fill="{fill}">{"".join(found)}</g>' for fill, found in circles.items())
    kind = ' class="hover"' if titles else ""
    return f'{before}<g id="{name}"{kind} fill-opacity="0.75">{"".join(groups)}{end}{after}'


def png(figure: Figure) -> bytes:
    """Return the figure as PNG with 150 dots an inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()
