"""The plots of a sweep: a metric against the varied setting, on the validation and the test split."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from darec.compare.result import Comparison, Variant
from darec.report.drawing import GREY, Style, empty_panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Scale = Literal["log", "linear", "even"]
LETTERS: Final = 40
"""Letters that fit along the axis of a panel."""
SLANTED: Final = 2.4  # letters: the least distance of slanted labels


def sweep_plots(comparison: Comparison) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Return name, caption and maker of a plot for each headline metric."""
    swept, seeds = comparison.swept, len(comparison.seeds)
    others = (
        f" One line for each value of {' and '.join(map(_short, swept[1:]))}." if swept[1:] else ""
    )
    spread = " and Student's 95% interval; each dot is a seed" if seeds > 1 else ""
    based = " The grey line is the base's value." if _base(comparison) is not None else ""
    for metric in comparison.headline:
        yield (
            f"sweep-{metric.partition('@')[0]}",
            f"{metric} against {_short(swept[0])}, validation and test: mean over seeds{spread}.{others} The ring "
            f"marks the choice by validation {comparison.monitor}.{based}",
            lambda metric=metric: sweep(comparison, metric),  # type: ignore[misc]
        )


def sweep(comparison: Comparison, metric: str) -> Figure:
    """Draw the metric against the first varied setting: a line for each combination of the others, a panel a split."""
    first, *others = comparison.swept
    values = _distinct([variant.changes[first] for variant in comparison.variants])
    scale = scale_of(values)
    places = dict(zip(map(json.dumps, values), _places(values, scale), strict=True))
    lines: dict[str, list[Variant]] = {}
    for variant in comparison.variants:
        key = ", ".join(f"{_short(name)}={_text(variant.changes[name])}" for name in others)
        lines.setdefault(key, []).append(variant)
    figure, panels = empty_panels(1, 2, height=3.6)
    for axes, split in zip(panels, ("valid", "test"), strict=True):
        for number, (label, line) in enumerate(lines.items()):
            _line(axes, line, split, metric, places, first, style(number), label)
        chosen, base = comparison.chosen, _base(comparison)
        if base is not None:
            axes.axvline(places[json.dumps(base.changes[first])], color=GREY, lw=1, zorder=0)
        if chosen is not None and metric in _figures(chosen, split):
            x = places[json.dumps(chosen.changes[first])]
            y = _figures(chosen, split)[metric].mean
            axes.plot(x, y, "o", ms=14, mfc="none", mec="black", mew=1.5, zorder=4)
        if scale == "log":
            axes.set_xscale("log")
        axes.minorticks_off()
        marked = [values.index(v.changes[first]) for v in (chosen, base) if v is not None]
        _ticks(axes, list(places.values()), list(map(_text, values)), scale, marked)
        axes.set_xlabel(_short(first))
        axes.set_title({"valid": "validation", "test": "test"}[split])
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylabel(metric)
    if others:
        handles, labels = panels[0].get_legend_handles_labels()
        columns = min(4, len(labels))
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def scale_of(values: Sequence[Any]) -> Scale:
    """Choose the spacing of values: by their logarithm if they are geometric, as numbers, or evenly.

    Geometric values are positive, the last is at least three times the first, and their ratios vary less than their
    differences.
    """
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values) or len(values) < 2:
        return "even"
    ordered = np.sort(np.asarray(numbers, float))
    if ordered[0] > 0 and ordered[-1] >= 3 * ordered[0]:
        ratios, steps = np.diff(np.log(ordered)), np.diff(ordered)
        if ratios.std() / ratios.mean() <= steps.std() / steps.mean():
            return "log"
    positive = ordered[ordered > 0]
    crowded = ordered[0] <= 0 and len(positive) > 1 and scale_of(positive.tolist()) == "log"
    return "even" if crowded else "linear"


def _places(values: Sequence[Any], scale: Scale) -> list[float]:
    return [float(n) for n in range(len(values))] if scale == "even" else list(map(float, values))


def _ticks(
    axes: Axes, places: Sequence[float], labels: Sequence[str], scale: Scale, marked: Sequence[int]
) -> None:
    """Label the values: slanted if they would overlap side by side, and only some if they would overlap even so.

    The marked values are labelled first.
    """
    x = np.log(places) if scale == "log" else np.asarray(places, float)
    order = np.argsort(x)
    letters = LETTERS * (x - x.min()) / (np.ptp(x) or 1)
    slant = any(
        letters[after] - letters[before] < 1 + (len(labels[before]) + len(labels[after])) / 2
        for before, after in pairwise(order)
    )
    shown: list[int] = []
    for place in dict.fromkeys([*marked, *order.tolist()]):
        if not slant or all(abs(letters[place] - letters[other]) >= SLANTED for other in shown):
            shown.append(place)
    shown.sort()
    axes.set_xticks(
        [places[n] for n in shown],
        [labels[n] for n in shown],
        rotation=35 if slant else 0,
        ha="right" if slant else "center",
        rotation_mode="anchor",
    )


def _line(
    axes: Axes,
    line: Sequence[Variant],
    split: str,
    metric: str,
    places: dict[str, float],
    key: str,
    drawn: Style,
    label: str,
) -> None:
    found = [
        (places[json.dumps(variant.changes[key])], _figures(variant, split)[metric])
        for variant in line
        if metric in _figures(variant, split)
    ]
    found.sort(key=lambda point: point[0])
    x, spreads = [place for place, _ in found], [spread for _, spread in found]
    halves = [half for spread in spreads if (half := spread.half_width) is not None]
    axes.errorbar(
        x,
        [spread.mean for spread in spreads],
        yerr=halves if len(halves) == len(spreads) else None,
        capsize=3,
        fmt=drawn.marker + drawn.dash,
        color=drawn.colour,
        ms=5,
        lw=1.5,
    )
    axes.plot([], [], drawn.marker + drawn.dash, color=drawn.colour, label=label)
    for place, spread in found:
        if len(spread.values) > 1:
            axes.plot([place] * len(spread.values), spread.values, ".", color="black", ms=4)


def _figures(variant: Variant, split: str) -> dict[str, Any]:
    return variant.valid if split == "valid" else variant.test


def _base(comparison: Comparison) -> Variant | None:
    return next((v for v in comparison.variants if v.row == comparison.baseline), None)


def _distinct(values: list[Any]) -> list[Any]:
    return list({json.dumps(value): value for value in values}.values())


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
