"""The plots of a comparison, as matplotlib figures: bars with intervals, validation curves, gains by group.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; an alignment keeps its colour in all plots.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Literal

from darec.compare.result import BASELINE, Comparison, Pair
from darec.compare.tables import group_label, has_gains
from darec.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B59F00")
_GREY = "#888888"
_WIDTH = 9.0  # inches; a page's width at 100 dots an inch


def plots(comparison: Comparison) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Name, caption and maker of every plot that has something to show."""
    metric = comparison.headline[0]
    yield (
        "accuracy",
        f"Test {metric}: mean over seeds and standard deviation, each dot a seed. The dashed line is {BASELINE}.",
        lambda: accuracy(comparison, metric),
    )
    if has_gains(comparison):
        yield (
            "gains",
            f"Gain in test {metric} over {BASELINE} of the same backbone, with its 95% bootstrap interval over users.",
            lambda: gains(comparison, metric),
        )
        for kind, what in (
            ("items", "popularity of the item to be found (its training users)"),
            ("users", "activity of the user (training items)"),
        ):
            if sum(group.kind == kind and group.size > 0 for group in comparison.groups) > 1:
                yield (
                    f"gains-by-{kind}",
                    f"Gain in test {metric} over {BASELINE} by {what}, with 95% intervals over users.",
                    lambda kind=kind: gains_by_group(comparison, metric, kind),  # type: ignore[misc]
                )
    if any(pair.curves for pair in comparison.pairs):
        for axis in ("seconds", "epochs"):
            yield (
                f"curves-{axis}",
                f"Validation {comparison.monitor} over {axis} of training: a line a seed, a dot at the best epoch.",
                lambda axis=axis: curves(comparison, axis),  # type: ignore[misc]
            )


def accuracy(comparison: Comparison, metric: str) -> Figure:
    """Mean and standard deviation of each pair, a panel a backbone."""
    figure, panels = _panels(comparison)
    for axes, backbone in zip(panels, comparison.backbones, strict=True):
        finished = [pair for pair in comparison.of_backbone(backbone) if metric in pair.test]
        for place, pair in enumerate(finished):
            spread = pair.test[metric]
            axes.bar(place, spread.mean, color=_colour(comparison, pair), yerr=spread.sd, capsize=4)
            axes.plot([place] * len(spread.values), spread.values, ".", color="black", ms=4)
        for pair in finished:
            if pair.alignment == BASELINE:
                axes.axhline(pair.test[metric].mean, color=_GREY, ls="--", lw=1, zorder=0)
        _label(axes, [pair.alignment for pair in finished], backbone)
    panels[0].set_ylabel(metric)
    return figure


def gains(comparison: Comparison, metric: str) -> Figure:
    """Relative gain over none with its interval over users."""
    figure, panels = _panels(comparison)
    for axes, backbone in zip(panels, comparison.backbones, strict=True):
        names: list[str] = []
        for pair in comparison.of_backbone(backbone):
            gain = pair.gains.get(metric)
            if gain is None or gain.relative is None:
                continue
            share, low, high = (100 * value for value in gain.relative)
            _whisker(axes, len(names), share, low, high, _colour(comparison, pair))
            names.append(pair.alignment)
        axes.axhline(0, color=_GREY, lw=1, zorder=0)
        _label(axes, names, backbone)
    panels[0].set_ylabel(f"gain in {metric}, %")
    return figure


def gains_by_group(comparison: Comparison, metric: str, kind: str) -> Figure:
    """Relative gain in each group of users or of items."""
    groups = [group for group in comparison.groups if group.kind == kind and group.size]
    figure, panels = _panels(comparison)
    for axes, backbone in zip(panels, comparison.backbones, strict=True):
        shown = [pair for pair in comparison.of_backbone(backbone) if pair.gains]
        step = 0.8 / max(1, len(shown))
        for index, pair in enumerate(shown):
            for place, group in enumerate(groups):
                gain = pair.gains.get(f"{group.name}/{metric}")
                if gain is None or gain.relative is None:
                    continue
                share, low, high = (100 * value for value in gain.relative)
                x = place + (index - (len(shown) - 1) / 2) * step
                _whisker(axes, x, share, low, high, _colour(comparison, pair))
            axes.plot([], [], "o", color=_colour(comparison, pair), label=pair.alignment)
        axes.axhline(0, color=_GREY, lw=1, zorder=0)
        _label(axes, [group_label(group) for group in groups], backbone, slant=False)
    panels[0].set_ylabel(f"gain in {metric}, %")
    _legend(figure, *panels)
    return figure


def curves(comparison: Comparison, over: Literal["seconds", "epochs"]) -> Figure:
    """Validation curves, a line a seed."""
    figure, panels = _panels(comparison)
    for axes, backbone in zip(panels, comparison.backbones, strict=True):
        for pair in comparison.of_backbone(backbone):
            colour = _colour(comparison, pair)
            for index, curve in enumerate(pair.curves):
                x = curve.seconds if over == "seconds" else curve.epochs
                label = pair.alignment if index == 0 else None
                axes.plot(x, curve.values, color=colour, lw=1, alpha=0.8, label=label)
                if curve.best_epoch in curve.epochs:
                    at = curve.epochs.index(curve.best_epoch)
                    axes.plot(x[at], curve.values[at], ".", color=colour)
        axes.set_xlabel(over)
        axes.set_title(backbone)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(f"validation {comparison.monitor}")
    _legend(figure, *panels)
    return figure


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element, the same text for the same figure, so that a repository can keep it."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "darec"}):
        untold = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=untold)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _panels(comparison: Comparison) -> tuple[Figure, list[Axes]]:
    """An empty panel for each backbone, at most two in a row."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "plots need matplotlib, which is not installed: pip install 'darec[report]'."
        ) from None
    count = len(comparison.backbones)
    columns = min(2, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(_WIDTH, 3.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    panels = list(grid.flat)
    for unused in panels[count:]:
        unused.set_visible(False)
    return figure, panels[:count]


def _colour(comparison: Comparison, pair: Pair) -> str:
    others = dict.fromkeys(p.alignment for p in comparison.pairs if p.alignment != BASELINE)
    return {BASELINE: _GREY, **dict(zip(others, cycle(_COLOURS), strict=False))}[pair.alignment]


def _whisker(axes: Axes, x: float, middle: float, low: float, high: float, colour: str) -> None:
    below, above = max(0.0, middle - low), max(0.0, high - middle)
    axes.errorbar(
        x, middle, yerr=[[below], [above]], fmt="o", color=colour, capsize=3, ms=5, lw=1.5
    )


def _label(axes: Axes, names: list[str], title: str, *, slant: bool = True) -> None:
    axes.set_xticks(
        range(len(names)), names, rotation=35 if slant else 0, ha="right" if slant else "center"
    )
    axes.set_title(title)
    axes.margins(x=0.08)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, *panels: Axes) -> None:
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
