"""What all figures share: an empty one to draw on, colours, and the formats that it is written in.

Colours are those of Okabe and Ito, which colour-blind readers tell apart.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from darec.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B59F00")
GREY: Final = "#888888"
WIDTH: Final = 9.0  # inches; a page's width at 100 dots an inch


def empty_panels(
    rows: int, columns: int, height: float, width: float = WIDTH
) -> tuple[Figure, list[Axes]]:
    """An empty figure with a grid of panels, row by row.

    Args:
        rows: of panels.
        columns: of panels.
        height: of a row in inches.
        width: of the figure in inches.

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
    """One legend under all panels, each label once."""
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
    """The figure as an ``<svg>`` element, the same text for the same figure, so that a repository can keep it."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "darec"}):
        untold = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=untold)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure) -> bytes:
    """The figure as a PNG file of 150 dots an inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()
