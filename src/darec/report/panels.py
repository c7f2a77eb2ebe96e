"""A figure as a page shows it: one drawing for each panel, side by side or one below the other, and a legend."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from darec.report.drawing import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

_COLOUR_BAR: Final = "<colorbar>"  # matplotlib's label for the axes of a colour bar
_DASHES: Final = {"--": "5 3", ":": "1.5 3", "-.": "5 3 1.5 3"}


@dataclass(frozen=True)
class Drawing:
    """The parts of a figure that a page shows.

    Attributes:
        panels: an ``<svg>`` element for each panel, row by row.
        columns: number of panels side by side where there is room.
        legend: HTML that explains marks and colours; it is put below the panels.
    """

    panels: tuple[str, ...]
    columns: int
    legend: tuple[str, ...] = ()


def drawn(figure: Figure) -> Drawing:
    """Draw each panel by itself, as it is in the figure.

    Lines from one panel to another are left out. Save the whole figure before this call: afterwards it is changed.

    Args:
        figure: a figure in which every handle of a legend is a line, which may be empty.
    """
    figure.draw_without_rendering()  # settles where everything is
    figure.set_layout_engine("none")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    entries = [entry for found in figure.legends for entry in _entries(found)]
    for artist in (*shown, *figure.legends, *figure.artists):
        artist.set_visible(False)
    panels = [axes for axes in shown if axes.get_label() != _COLOUR_BAR]
    bars = [axes for axes in shown if axes not in panels]
    grid = panels[0].get_gridspec()
    columns = min(grid.ncols if grid is not None else 1, len(panels))
    return Drawing(
        tuple(_alone(figure, axes) for axes in panels),
        columns,
        (*entries, *(_alone(figure, axes) for axes in bars)),
    )


def _alone(figure: Figure, axes: Axes) -> str:
    axes.set_visible(True)
    made = svg(figure)
    axes.set_visible(False)
    return made


def _entries(found: Legend) -> list[str]:
    """Each entry of a legend: its mark, and its name as text that wraps and can be copied."""
    from matplotlib.lines import Line2D

    lines = [line for line in found.legend_handles if isinstance(line, Line2D)]
    return [
        f"<span>{_mark(line)}{escape(text.get_text())}</span>"
        for line, text in zip(lines, found.get_texts(), strict=True)
    ]


def _mark(line: Line2D) -> str:
    """A line with its marker in the middle, 26 by 12 pixels."""
    from matplotlib.colors import to_hex
    from matplotlib.markers import MarkerStyle

    colour, parts = to_hex(line.get_color()), []
    style, marker = line.get_linestyle(), line.get_marker()
    if style in ("-", *_DASHES):
        dashes = f' stroke-dasharray="{_DASHES[style]}"' if style in _DASHES else ""
        parts.append(f'<path d="M1 6H25" stroke="{colour}" stroke-width="2"{dashes}/>')
    shape = MarkerStyle(marker)
    for corners in shape.get_path().transformed(shape.get_transform()).to_polygons():
        placed = np.asarray(corners) * (8, -8) + (13, 6)
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polygon points="{places}" fill="{colour}"/>')
    return (
        f'<svg width="26" height="12" viewBox="0 0 26 12" aria-hidden="true">{"".join(parts)}</svg>'
    )
