"""Figures of docs/theory.md; see :mod:`darec.report.drawing` for their manner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from darec.report.drawing import COLOURS, GREY, empty_panels, legend
from darec.theory.near_gap import TradeOff
from darec.theory.sweep_points import Mean, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def trade_off_plot(curves: Mapping[str, TradeOff]) -> Figure:
    """Draw cross-entropy against disagreement of each world: dots are deterministic pairs, lines are mixtures."""
    figure, (axes,) = empty_panels(1, 1, height=3.4)
    for (name, curve), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        corners = curve.hull
        # Beyond the last corner nothing is left to be saved.
        x = [corner.disagreement for corner in corners] + [1.0]
        y = [corner.cross_entropy for corner in corners] + [corners[-1].cross_entropy]
        axes.plot(x, y, color=colour, lw=1.5, label=name)
        axes.plot(
            [pair.disagreement for pair in curve.pareto],
            [pair.cross_entropy for pair in curve.pareto],
            "o",
            color=colour,
            ms=4,
        )
    axes.set_xlabel("disagreement P(f(D) ≠ g(D'))")
    axes.set_ylabel("best cross-entropy, nats")
    axes.set_xlim(-0.01, 0.6)
    axes.set_ylim(bottom=-0.01)
    axes.spines[["top", "right"]].set_visible(False)
    legend(figure, axes)
    return figure


def recall_plot(points: Sequence[Point]) -> Figure:
    """Draw Recall@20 against the gap, a line for each method, with 95% intervals; the black diamond is none."""
    figure, (axes,) = empty_panels(1, 1, height=4.2)
    zero = points[0]
    for (method, own), colour in zip(_by_method(points).items(), COLOURS, strict=False):
        path = [zero, *own]
        x, y = ([p.means[name].mean for p in path] for name in ("gap", "recall"))
        axes.plot(x, y, color=colour, lw=1, label=method)
        for point in own:
            _cross(axes, point, colour)
            at = point.means["gap"].mean, point.means["recall"].mean
            axes.annotate(f"{point.strength:g}", at, (3, 3), textcoords="offset points", fontsize=7)
    _cross(axes, zero, "black", marker="D", label="none (rho 0)")
    axes.set_xlabel("gap: share of E_C that no linear map of the text predicts (numbers: rho)")
    axes.set_ylabel("test Recall@20")
    axes.spines[["top", "right"]].set_visible(False)
    legend(figure, axes)
    return figure


def knowledge_plot(points: Sequence[Point]) -> Figure:
    """Draw R^2 of the specific and of the shared factors from E_C, by strength; the dashed line is none."""
    figure, panels = empty_panels(1, 2, height=3.4)
    zero = points[0]
    for axes, factor in zip(panels, ("specific", "shared"), strict=True):
        name = f"E_C/{factor}"
        for (method, own), colour in zip(_by_method(points).items(), COLOURS, strict=False):
            x = [point.strength for point in own]
            means = [point.means[name] for point in own]
            axes.plot(x, [m.mean for m in means], "o-", color=colour, lw=1.5, ms=4, label=method)
            if all(m.low is not None for m in means):
                low, high = [m.low or 0.0 for m in means], [m.high or 0.0 for m in means]
                axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        axes.axhline(zero.means[name].mean, color=GREY, ls="--", lw=1, label="none")
        axes.set_xscale("log")
        axes.set_xlabel("rho")
        axes.set_title(f"{factor} factors")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("R² from E_C")
    legend(figure, *panels)
    return figure


def _by_method(points: Sequence[Point]) -> dict[str, list[Point]]:
    methods = dict.fromkeys(point.method for point in points[1:])
    return {method: [point for point in points if point.method == method] for method in methods}


def _cross(axes: Axes, point: Point, colour: str, marker: str = "o", label: str = "") -> None:
    """Draw a point with the intervals of both its figures, if there are several seeds."""
    gap, recall = point.means["gap"], point.means["recall"]
    axes.errorbar(
        gap.mean,
        recall.mean,
        xerr=_whiskers(gap),
        yerr=_whiskers(recall),
        fmt=marker,
        color=colour,
        ms=4,
        lw=0.8,
        label=label or None,
    )


def _whiskers(mean: Mean) -> list[list[float]] | None:
    if mean.low is None or mean.high is None:
        return None
    return [[mean.mean - mean.low], [mean.high - mean.mean]]
