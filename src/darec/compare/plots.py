"""The plots of a comparison, as matplotlib figures: bars with intervals, validation curves, gains by group.

A variant keeps its style in all plots: its colour, and beyond seven variants its marker and its dashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from darec.compare.result import Comparison, Variant
from darec.compare.sweep_plots import sweep_plots
from darec.compare.tables import group_label
from darec.report.drawing import GREY, SINGLE, WIDTH, Style, empty_panels, legend, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_SHARE = 2.0
"""A larger gain, as a share, is relative to a figure near 0."""
MOST_SIDE_BY_SIDE = 9
"""With more variants in a section, each panel has a row of its own."""
ROOM = 0.42  # inches for a variant, so that slanted names do not overlap
CUT = "An interval that reaches the frame extends beyond it."


def plots(comparison: Comparison) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Return name, caption and maker of every plot that has content."""
    metric, over = comparison.headline[0], comparison.words.over
    if comparison.kind == "sweep":
        yield from sweep_plots(comparison)
    else:
        yield (
            "accuracy",
            f"Test {metric}: mean over seeds and standard deviation; each dot is a seed. The dashed line is "
            f"{comparison.words.differs}.",
            lambda: accuracy(comparison, metric),
        )
    if _with_gains(comparison, metric):
        yield (
            "gains",
            f"Gain in test {metric} over {over}, with its 95% bootstrap interval over users. {CUT}",
            lambda: gains(comparison, metric),
        )
        for kind, what in (
            ("items", "popularity of the item to be found (its training users)"),
            ("users", "activity of the user (training items)"),
        ):
            if sum(group.kind == kind and group.size > 0 for group in comparison.groups) > 1:
                yield (
                    f"gains-by-{kind}",
                    f"Gain in test {metric} over {comparison.words.differs} by {what}, with 95% intervals over users. "
                    f"{CUT}",
                    lambda kind=kind: gains_by_group(comparison, metric, kind),  # type: ignore[misc]
                )
    curves_of = [curve for variant in comparison.variants for curve in variant.curves]
    if any(len(curve.epochs) > 1 for curve in curves_of):
        for axis in ("seconds", "epochs"):
            yield (
                f"curves-{axis}",
                f"Validation {comparison.monitor} over {axis} of training: one line for each seed, with a dot at the "
                "best epoch. A dot without a line is a model that is not trained in epochs.",
                lambda axis=axis: curves(comparison, axis),  # type: ignore[misc]
            )


def accuracy(comparison: Comparison, metric: str) -> Figure:
    """Draw mean and standard deviation of each variant, one panel for each section."""
    figure, panels = _panels(comparison, comparison.sections)
    for axes, section in zip(panels, comparison.sections, strict=True):
        finished = [variant for variant in comparison.of_section(section) if metric in variant.test]
        for place, variant in enumerate(finished):
            spread = variant.test[metric]
            axes.bar(
                place,
                spread.mean,
                color=_style(comparison, variant).colour,
                yerr=spread.sd,
                capsize=4,
            )
            axes.plot([place] * len(spread.values), spread.values, ".", color="black", ms=4)
        for variant in finished:
            if variant.row == comparison.baseline:
                axes.axhline(variant.test[metric].mean, color=GREY, ls="--", lw=1, zorder=0)
        _label(axes, [variant.row for variant in finished], section)
        axes.set_ylabel(metric)
    return figure


def gains(comparison: Comparison, metric: str) -> Figure:
    """Draw the relative gain with its interval over users."""
    sections = _with_gains(comparison, metric) or comparison.sections
    figure, panels = _panels(comparison, sections)
    for axes, section in zip(panels, sections, strict=True):
        names: list[str] = []
        shown: list[tuple[float, float, float]] = []
        for variant in comparison.of_section(section):
            gain = variant.gains.get(metric)
            if gain is None or gain.relative is None:
                continue
            share, low, high = (100 * value for value in gain.relative)
            _whisker(axes, len(names), share, low, high, _style(comparison, variant))
            names.append(variant.row)
            shown.append((share, low, high))
        axes.axhline(0, color=GREY, lw=1, zorder=0)
        _label(axes, names, section)
        axes.set_ylim(limits(shown))
        axes.set_ylabel(f"gain in {metric}, %")
    return figure


def gains_by_group(comparison: Comparison, metric: str, kind: str) -> Figure:
    """Draw the gain in each group of users or of items: in percent, or as a difference (:func:`in_percent`)."""
    groups = [group for group in comparison.groups if group.kind == kind and group.size]
    shares = in_percent(comparison, metric, kind)
    sections = _with_gains(comparison, metric) or comparison.sections
    figure, panels = _panels(comparison, sections)
    for axes, section in zip(panels, sections, strict=True):
        shown = [variant for variant in comparison.of_section(section) if variant.gains]
        drawn: list[tuple[float, float, float]] = []
        step = 0.8 / max(1, len(shown))
        for index, variant in enumerate(shown):
            for place, group in enumerate(groups):
                gain = variant.gains.get(f"{group.name}/{metric}")
                found = (gain.difference, gain.low, gain.high) if gain is not None else None
                if shares and gain is not None:
                    found = gain.relative
                if found is None:
                    continue
                mean, low, high = ((100 if shares else 1) * value for value in found)
                x = place + (index - (len(shown) - 1) / 2) * step
                _whisker(axes, x, mean, low, high, _style(comparison, variant))
                drawn.append((mean, low, high))
            colour, marker, _ = _style(comparison, variant)
            axes.plot([], [], marker, color=colour, label=variant.row)
        axes.axhline(0, color=GREY, lw=1, zorder=0)
        _label(axes, [group_label(group) for group in groups], section, slant=False)
        axes.set_ylim(limits(drawn))
        axes.set_ylabel(f"gain in {metric}" + (", %" if shares else ""))
    legend(figure, *panels)
    return figure


def in_percent(comparison: Comparison, metric: str, kind: str) -> bool:
    """Whether gains by group are drawn as shares; they are not if one is above 200%, relative to a figure near 0."""
    names = [f"{group.name}/{metric}" for group in comparison.groups if group.kind == kind]
    found = [
        v.gains[name].relative for v in comparison.variants for name in names if name in v.gains
    ]
    return all(relative is None or abs(relative[0]) <= MOST_SHARE for relative in found)


def curves(comparison: Comparison, over: Literal["seconds", "epochs"]) -> Figure:
    """Draw validation curves, one line for each seed."""
    figure, panels = _panels(comparison, comparison.sections, named=False)
    for axes, section in zip(panels, comparison.sections, strict=True):
        for variant in comparison.of_section(section):
            colour, _, dash = _style(comparison, variant)
            for index, curve in enumerate(variant.curves):
                x = curve.seconds if over == "seconds" else curve.epochs
                label = variant.row if index == 0 else None
                axes.plot(x, curve.values, dash, color=colour, lw=1, alpha=0.8, label=label)
                if curve.best_epoch in curve.epochs:
                    at = curve.epochs.index(curve.best_epoch)
                    axes.plot(x[at], curve.values[at], ".", color=colour)
        axes.set_xlabel(over)
        axes.set_xlim(left=0)
        if over == "epochs":
            axes.locator_params(axis="x", integer=True)
        axes.set_title(section)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylabel(f"validation {comparison.monitor}")
    legend(figure, *panels)
    return figure


def _with_gains(comparison: Comparison, metric: str) -> tuple[str, ...]:
    """Return the sections that have a gain to draw; a backbone without a baseline has none."""
    return tuple(
        section
        for section in comparison.sections
        if any(
            metric in variant.gains and variant.gains[metric].relative is not None
            for variant in comparison.of_section(section)
        )
    )


def _panels(
    comparison: Comparison, sections: Sequence[str], *, named: bool = True
) -> tuple[Figure, list[Axes]]:
    """Make an empty panel for each section, at most two in a row; ``named``: with room for the variants on its axis."""
    count, most = len(sections), 0
    if named:
        most = max(len(comparison.of_section(section)) for section in sections)
    columns = 1 if most > MOST_SIDE_BY_SIDE else min(2, count)
    width = WIDTH if columns > 1 else max(SINGLE, min(WIDTH, ROOM * most))
    figure, made = empty_panels(-(-count // columns), columns, height=3.4, width=width)
    for unused in made[count:]:
        unused.set_visible(False)
    return figure, made[:count]


def _style(comparison: Comparison, variant: Variant) -> Style:
    if variant.row == comparison.baseline:
        return Style(GREY)
    others = dict.fromkeys(p.row for p in comparison.variants if p.row != comparison.baseline)
    return style(list(others).index(variant.row))


def _whisker(axes: Axes, x: float, middle: float, low: float, high: float, drawn: Style) -> None:
    below, above = max(0.0, middle - low), max(0.0, high - middle)
    axes.errorbar(
        x,
        middle,
        yerr=[[below], [above]],
        fmt=drawn.marker,
        color=drawn.colour,
        capsize=3,
        ms=5,
        lw=1.5,
    )


def limits(shown: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Return the ends of an axis for means with intervals and for 0.

    The means decide. Intervals may extend the span of the means and 0 to twice its size, and are cut beyond it: a gain
    over a figure near 0 has an interval of hundreds of percent, which would hide all others.

    Args:
        shown: mean, lower and upper end of each.
    """
    means = [mean for mean, _, _ in shown]
    low, high = min([0.0, *means]), max([0.0, *means])
    room = high - low
    bottom = min([0.0, *(max(end, low - room) for _, end, _ in shown)])
    top = max([0.0, *(min(end, high + room) for _, _, end in shown)])
    margin = 0.06 * (top - bottom) or 1.0
    return bottom - margin, top + margin


def _label(axes: Axes, names: list[str], title: str, *, slant: bool = True) -> None:
    axes.set_xticks(
        range(len(names)), names, rotation=35 if slant else 0, ha="right" if slant else "center"
    )
    axes.set_title(title)
    axes.margins(x=0.08)
    axes.spines[["top", "right"]].set_visible(False)
