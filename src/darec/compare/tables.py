"""A comparison as tables of text for all formats: accuracy with gains, their tests, gains by group, costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from darec.compare.figures import Gain, Spread
from darec.compare.kinds import Kind
from darec.compare.result import Comparison, Variant
from darec.evaluation.groups import Group

COST_COLUMNS = {
    "s/epoch": "seconds_per_epoch",
    "best epoch": "best_epoch",
    "s to best": "seconds_to_best",
    "s in all": "seconds",
    "peak MiB": "peak_rss_mb",
    "parameters": "parameters",
}
SPREAD_LEGEND = "± standard deviation over seeds."
NO_SHARE = "-"
"""In place of the percentage of a gain over 0."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: its content; numbers are aligned to the right.
        best: the best of its section in its column.
        stars: ``"*"`` or ``"**"`` after the text, or empty; None in columns without stars.
        tail: text after the stars.
    """

    text: str
    best: bool = False
    stars: str | None = None
    tail: str = ""


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        title: its title.
        columns: headings; the first is the rows' own.
        sections: each section's heading with its rows.
        legend: lines to print under it.
    """

    title: str
    columns: tuple[str, ...]
    sections: tuple[tuple[str, tuple[tuple[Cell, ...], ...]], ...]
    legend: tuple[str, ...] = ()


def sheets(comparison: Comparison, *, brief: bool = False) -> tuple[Sheet, ...]:
    """Every table that has content; with ``brief``, tests and groups only of the first headline metric."""
    made = [accuracy(comparison)]
    if has_gains(comparison):
        metrics = comparison.headline[:1] if brief else comparison.headline
        made += [tests(comparison, metric) for metric in metrics]
        made += [by_group(comparison, metric) for metric in metrics]
    return (*made, costs(comparison))


def has_gains(comparison: Comparison) -> bool:
    """Whether any variant has a gain over the baseline."""
    return any(pair.gains for pair in comparison.variants)


def accuracy(comparison: Comparison) -> Sheet:
    """The headline metrics with their gains; in a sweep also the validation metric, by which a value is chosen."""
    gains = has_gains(comparison) and comparison.kind != "sweep"
    chosen, monitor = comparison.chosen, comparison.monitor
    columns = [comparison.words.row]
    if comparison.kind == "sweep":
        columns.append(f"valid {monitor}")
    for metric in comparison.headline:
        columns += [metric, "gain"] if gains else [metric]

    def row(variant: Variant) -> tuple[Cell, ...]:
        finished = f" ({len(variant.seeds)}/{len(variant.runs)})" if variant.failed else ""
        cells = [Cell(variant.row + finished)]
        if comparison.kind == "sweep":
            spread = variant.valid.get(monitor)
            text = "failed" if spread is None else spread_text(spread)
            cells.append(Cell(text, best=variant is chosen))
        for metric in comparison.headline:
            cells.append(mean_cell(comparison, variant, metric))
            if gains:
                cells.append(gain_cell(variant.gains.get(metric)))
        return tuple(cells)

    counts, seeds = comparison.counts, len(comparison.seeds)
    title = (
        f"{comparison.dataset}, test split: {counts['users']:,} users, {counts['items']:,} items, "
        f"{seeds} seed{'s' * (seeds > 1)}"
    )
    legend = (
        *((SPREAD_LEGEND,) if seeds > 1 else ()),
        *(gain_legend(comparison.words) if gains else ()),
    )
    return Sheet(title, tuple(columns), _sections(comparison, row), legend)


def tests(comparison: Comparison, metric: str) -> Sheet:
    """Intervals and p-values of the gains in one metric, over users and over seeds."""

    def row(variant: Variant) -> tuple[Cell, ...]:
        gain = variant.gains.get(metric)
        if gain is None:
            return (Cell(variant.row), *[Cell("")] * 8)
        return (
            Cell(variant.row),
            Cell(_short(gain.difference)),
            Cell(f"[{_short(gain.low)}, {_short(gain.high)}]"),
            Cell(p_text(gain.p_users)),
            Cell(p_text(gain.p_users_holm), stars="*" if gain.significant else ""),
            Cell(_seeds_interval(gain)),
            Cell(f"{gain.seeds_agreeing}/{len(gain.seeds)}"),
            Cell(p_text(gain.p_seeds)),
            Cell(p_text(gain.p_seeds_holm), stars="*" if gain.significant_over_seeds else ""),
        )

    over = ("95% over users", "p", "Holm", "95% over seeds", "same", "p", "Holm")
    sections = _sections(comparison, row, _gaining(comparison))
    return Sheet(
        f"{metric}: tests of the gain",
        (comparison.words.row, "gain", *over),
        sections,
        tests_legend(comparison.words),
    )


def by_group(comparison: Comparison, metric: str) -> Sheet:
    """Gains in one metric by user activity and item popularity."""
    shown = [group for group in comparison.groups if group.size]

    def row(variant: Variant) -> tuple[Cell, ...]:
        cells = [Cell(variant.row), _percent(variant.gains.get(metric))]
        cells += [_percent(variant.gains.get(f"{group.name}/{metric}")) for group in shown]
        return tuple(cells)

    title = f"{metric}: gain over {_baseline(comparison)}, by users' training items and items' training users"
    columns = (comparison.words.row, "all", *(group_label(group) for group in shown))
    sections = _sections(comparison, row, _gaining(comparison))
    over_zero = any(cell.text == NO_SHARE for _, rows in sections for row in rows for cell in row)
    return Sheet(title, columns, sections, group_legend(comparison.words, over_zero=over_zero))


def costs(comparison: Comparison) -> Sheet:
    """Costs of a run, as means over seeds."""

    def row(variant: Variant) -> tuple[Cell, ...]:
        cells = [Cell(cost_text(name, variant.costs.get(name))) for name in COST_COLUMNS.values()]
        return (Cell(variant.row), *cells)

    columns = (comparison.words.row, *COST_COLUMNS)
    legend = (f"Means over seeds. {comparison.machine}.",)
    return Sheet("Cost of a run", columns, _sections(comparison, row), legend)


def group_label(group: Group) -> str:
    """``users 2-4`` for the users with two to four training items."""
    return f"{group.kind} {group.low}" + (f"-{group.high}" if group.high > group.low else "")


def mean_cell(comparison: Comparison, variant: Variant, metric: str) -> Cell:
    """Mean and standard deviation over seeds. The best is marked, except for values that must not be chosen by test."""
    spread = variant.test.get(metric)
    if spread is None:
        return Cell("failed")
    if comparison.kind == "sweep":
        return Cell(spread_text(spread))
    best = comparison.best(variant.section, metric)
    rivals = sum(metric in other.test for other in comparison.of_section(variant.section)) - 1
    return Cell(spread_text(spread), best is variant and rivals > 0)


def spread_text(spread: Spread) -> str:
    """``0.1081 ±.0009``; without ± for a single seed."""
    sd = f" ±{spread.sd:.4f}".replace("0.", ".", 1) if spread.sd is not None else ""
    return f"{spread.mean:.4f}{sd}"


def gain_cell(gain: Gain | None) -> Cell:
    """``+1.9%`` with its stars and ``[+1.1, +2.8]``; nothing for the baseline."""
    if gain is None:
        return Cell("")
    if gain.relative is None:
        return Cell(f"{gain.difference:+.4f}", stars=stars(gain))
    share, low, high = (f"{100 * value:+.1f}" for value in gain.relative)
    return Cell(f"{share}%", stars=stars(gain), tail=f"[{low}, {high}]")


def p_text(p: float | None) -> str:
    """A p-value to three digits."""
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def stars(gain: Gain) -> str:
    """One star for users, a second for seeds too."""
    if not gain.significant:
        return ""
    return "**" if gain.significant_over_seeds else "*"


def cost_text(name: str, spread: Spread | None) -> str:
    """A mean with the number of digits of its kind."""
    if spread is None:
        return ""
    if name == "seconds_per_epoch":
        return f"{spread.mean:.2f}"
    if name.startswith("seconds"):
        return f"{spread.mean:,.1f}" if spread.mean < 100 else f"{spread.mean:,.0f}"
    return f"{spread.mean:,.0f}"


def _short(value: float) -> str:
    """``+.0021``: differences of shares need no zero in front."""
    return f"{value:+.4f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:+.4f}"


def _seeds_interval(gain: Gain) -> str:
    if gain.seeds_low is None or gain.seeds_high is None:
        return ""
    return f"[{_short(gain.seeds_low)}, {_short(gain.seeds_high)}]"


def _percent(gain: Gain | None) -> Cell:
    if gain is None:
        return Cell("")
    if gain.relative is None:
        return Cell(NO_SHARE, stars="")
    return Cell(f"{100 * gain.relative[0]:+.1f}", stars=stars(gain))


def gain_legend(words: Kind) -> tuple[str, ...]:
    """The legend of gains and their stars."""
    return (
        f"Gain over {words.over}, as share of it, with its 95% bootstrap interval over users.",
        f"* differs from {words.differs} over users: permutation test, p < 0.05 after Holm's correction over "
        f"the {words.many}.",
        "** and over seeds: sign-flip test with the same correction.",
    )


def tests_legend(words: Kind) -> tuple[str, ...]:
    """The legend of intervals and p-values."""
    return (
        "Over users: bootstrap interval and permutation test of each user's mean over the seeds.",
        "Over seeds: Student's interval, seeds of the same sign, and the exact sign-flip test.",
        f"Holm: p corrected over the {words.many}; * below 0.05.",
    )


def group_legend(words: Kind, *, over_zero: bool = False) -> tuple[str, ...]:
    """The legend of the figures by group; ``over_zero`` explains :data:`NO_SHARE` too."""
    in_percent = (
        f"In percent; stars as above, corrected over the {words.many} and the groups of one kind."
    )
    if not over_zero:
        return (in_percent,)
    return (
        in_percent,
        f"{NO_SHARE}: no percentage, because the figure of {words.differs} is 0; comparison.csv has the difference.",
    )


def _baseline(comparison: Comparison) -> str:
    """The name of the baseline in a title."""
    return comparison.baseline if comparison.kind == "pairs" else comparison.words.over


def _gaining(comparison: Comparison) -> list[Variant]:
    return [variant for variant in comparison.variants if variant.row != comparison.baseline]


def _sections(
    comparison: Comparison,
    row: Callable[[Variant], tuple[Cell, ...]],
    variants: Sequence[Variant] | None = None,
) -> tuple[tuple[str, tuple[tuple[Cell, ...], ...]], ...]:
    chosen = comparison.variants if variants is None else variants
    rows = {
        section: tuple(row(variant) for variant in chosen if variant.section == section)
        for section in comparison.sections
    }
    return tuple((section, found) for section, found in rows.items() if found)
