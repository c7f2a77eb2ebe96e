"""Draws the path from files to recommendations, for docs/architecture.md.

python docs/drawing.py
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from darec.report.drawing import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUT: Final = Path(__file__).resolve().parent / "architecture.svg"
DATA, BACKBONE, ALIGNMENT, SCORER, USE = "#eef2f5", "#d6e8f5", "#fbe3d3", "#d5efe5", "#f7f7f7"
INK: Final = "#333333"


def box(axes: Axes, x: float, y: float, width: float, fill: str, *lines: str) -> None:
    """A box with its top left corner at (x, y), as high as its lines; the first is bold."""
    from matplotlib.patches import FancyBboxPatch

    height = 0.16 + 0.2 * len(lines)
    corner = (x, y - height)
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch(corner, width, height, boxstyle=style, fc=fill, ec=INK, lw=0.8, zorder=2)
    )
    for number, line in enumerate(lines):
        axes.text(
            x + width / 2, y - 0.18 - 0.2 * number, line, ha="center", va="center",
            fontsize=8, weight="bold" if number == 0 else "normal", color="black", zorder=3,
        )  # fmt: skip


def arrow(
    axes: Axes,
    *points: tuple[float, float],
    label: str = "",
    at: tuple[float, float] | None = None,
    dashed: bool = False,
) -> None:
    """An arrow through points, with a label to the right of ``at``."""
    style = (0, (4, 3)) if dashed else "-"
    for (x, y), (u, v) in pairwise(points[:-1]):
        axes.plot([x, u], [y, v], color=INK, lw=0.9, ls=style, solid_capstyle="butt")
    axes.annotate(
        "",
        points[-1],
        points[-2],
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 0.9, "ls": style, "shrinkA": 0},
    )
    if at:
        axes.text(*at, label, fontsize=7.5, color=INK, ha="left", va="center", style="italic")


def frame(axes: Axes, x: float, y: float, width: float, height: float, title: str) -> None:
    """A dashed frame with its top left corner at (x, y)."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((x, y - height), width, height, fc="none", ec="#888888", ls=(0, (2, 2)), lw=0.8)
    )
    axes.text(x + 0.1, y - 0.15, title, fontsize=8, color="#555555", va="center")


def architecture() -> Figure:
    """From files to recommendations, with the contracts in between."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.4, 7.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 9.4), ylim=(0, 7.4))
    axes.axis("off")

    box(axes, 0.2, 7.2, 1.9, DATA, "your files", "interactions", "items with text")
    box(axes, 3.2, 7.2, 2.2, DATA, "data/", "Dataset: ids, items,", "train, valid, test")
    box(axes, 6.6, 7.2, 2.5, DATA, "text/", "an encoder, frozen:", "E_L of users and items")
    arrow(axes, (2.1, 6.82), (3.2, 6.82), label="import", at=(2.4, 6.93))
    arrow(axes, (5.4, 6.82), (6.6, 6.82), label="encode", at=(5.7, 6.93))

    frame(axes, 0.2, 6.0, 5.9, 3.38, "trained pairs: model.py, step by step in training/")
    box(axes, 0.4, 5.7, 1.5, BACKBONE, "backbone", "ego()  [N, d]")
    box(axes, 2.3, 5.7, 1.5, ALIGNMENT, "alignment", "fuse(ego)")
    box(axes, 4.3, 5.7, 1.5, BACKBONE, "backbone", "encode(ego)")
    arrow(axes, (1.9, 5.42), (2.3, 5.42))
    arrow(axes, (3.8, 5.42), (4.3, 5.42))
    arrow(axes, (5.05, 5.14), (5.05, 4.74), (3.3, 4.74), (3.3, 4.46))
    arrow(axes, (3.3, 4.74), (1.4, 4.74), (1.4, 4.46), label="E_C, the cut", at=(3.72, 4.86))
    arrow(axes, (5.05, 4.74), (5.05, 4.46))
    box(axes, 0.5, 4.46, 1.8, BACKBONE, "backbone", "losses(E_C, batch)")
    box(axes, 2.5, 4.46, 1.65, ALIGNMENT, "alignment", "losses(E_C, batch)")
    box(axes, 4.3, 4.46, 1.6, ALIGNMENT, "alignment", "represent(E_C)")
    arrow(axes, (1.4, 3.9), (1.4, 3.58))
    arrow(axes, (3.3, 3.9), (3.3, 3.58))
    box(axes, 0.9, 3.58, 2.9, USE, "alignments/balance.py", "rho scales the second gradient")
    arrow(
        axes, (0.9, 3.3), (0.32, 3.3), (0.32, 5.42), (0.4, 5.42),
        label="one backward pass", at=(0.42, 2.86), dashed=True,
    )  # fmt: skip

    frame(axes, 6.4, 6.0, 2.8, 3.38, "closed form: training/closed_form.py")
    box(axes, 6.65, 5.7, 2.3, ALIGNMENT, "alignment", "structure(E_L, train)")
    arrow(axes, (7.8, 5.14), (7.8, 4.46), label="how items go together", at=(7.88, 4.82))
    box(axes, 6.65, 4.46, 2.3, BACKBONE, "backbone", "fit(train, structure)")

    axes.plot([4.3, 7.8], [6.28, 6.28], color=INK, lw=0.9)
    for x in (4.3, 7.8):
        arrow(axes, (x, 6.44), (x, 6.0))
    axes.text(6.05, 6.37, "interactions, E_L", fontsize=7.5, color=INK, ha="center", style="italic")

    arrow(axes, (5.05, 3.9), (5.05, 2.26), label="two tables", at=(5.13, 2.44))
    arrow(axes, (7.8, 3.9), (7.8, 2.06), (6.6, 2.06), label="item-item matrix", at=(7.88, 2.44))
    box(
        axes, 2.7, 2.26, 3.9, SCORER, "scoring/: a scorer",
        "score, top_k, for_histories, explain, save, load",
    )  # fmt: skip

    uses = (
        ("run.py", "recommend, similar"),
        ("evaluation/", "every user, ties"),
        ("compare/ tuning/", "pairs, seeds, tests"),
        ("cold/", "new items, by text"),
        ("visualize/", "a look inside"),
    )
    arrow(axes, (4.65, 1.7), (4.65, 1.36))
    axes.plot([1.05, 8.45], [1.36, 1.36], color=INK, lw=0.9)
    for number, lines in enumerate(uses):
        x = 0.2 + 1.85 * number
        arrow(axes, (x + 0.85, 1.36), (x + 0.85, 1.06))
        box(axes, x, 1.06, 1.7, USE, *lines)
    axes.text(
        4.7, 0.22, "cli/ and api.py call all of these; a run's folder keeps settings, weights, scorer and figures",
        fontsize=8, color="#555555", ha="center", va="center",
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    OUT.write_text(svg(architecture()))
    sys.stdout.write(f"{OUT}\n")
