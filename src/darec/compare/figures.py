"""The values of a comparison: a figure over seeds, a gain with its tests, a curve, and the outcome of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from darec.evaluation.significance import student_half_width

LEVEL: Final = 0.05
"""Probability of any false star in one column of a table."""
CONFIDENCE: Final = 0.95
"""Level of every interval."""


@dataclass(frozen=True)
class Spread:
    """One figure over the seeds.

    Attributes:
        mean: mean over the seeds.
        sd: standard deviation over the seeds (n - 1); None with a single seed.
        values: one value for each seed, in the order of :attr:`~darec.compare.result.Variant.seeds`.
    """

    mean: float
    sd: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Make the spread of at least one value."""
        values = tuple(float(value) for value in values)
        sd = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), sd, values)

    @property
    def half_width(self) -> float | None:
        """Half of Student's 95% interval of the mean over seeds; None with a single one."""
        return student_half_width(self.values, CONFIDENCE)


@dataclass(frozen=True)
class Gain:
    """The difference of a variant to its baseline in one test metric, over the seeds that both have finished.

    The baseline is ``none`` of the same backbone in a grid of pairs, otherwise the unchanged pair.

    There are two tests for two questions. *Over users*: each user's values are averaged over the seeds, and users are
    the sample; the test says whether these trained models differ. *Over seeds*: each seed's difference is one
    observation; the test says whether training again would give a difference.

    Attributes:
        difference: mean over users and seeds.
        base: mean of the baseline over the same users and seeds.
        low: lower end of the 95% bootstrap interval over users.
        high: its upper end.
        n_users: users compared.
        p_users: two-sided permutation test over users.
        p_users_holm: the same after Holm's correction over the variants (and groups of one kind).
        seeds: the seeds compared.
        by_seed: the difference of each.
        seeds_low: lower end of the 95% t interval over seeds; None with a single one.
        seeds_high: its upper end.
        p_seeds: two-sided sign-flip test over seeds, which cannot be below ``2 / 2**len(seeds)``; None with one.
        p_seeds_holm: the same, corrected as ``p_users_holm``.
    """

    difference: float
    base: float
    low: float
    high: float
    n_users: int
    p_users: float
    p_users_holm: float
    seeds: tuple[int, ...]
    by_seed: tuple[float, ...]
    seeds_low: float | None
    seeds_high: float | None
    p_seeds: float | None
    p_seeds_holm: float | None

    @property
    def relative(self) -> tuple[float, float, float] | None:
        """Difference, ``low`` and ``high`` as shares of ``base``; None where that is zero."""
        if not self.base:
            return None
        return self.difference / self.base, self.low / self.base, self.high / self.base

    @property
    def significant(self) -> bool:
        """Whether the corrected test over users rejects at 5%: a star."""
        return self.p_users_holm < LEVEL

    @property
    def significant_over_seeds(self) -> bool:
        """Whether the corrected test over seeds rejects at 5%."""
        return self.p_seeds_holm is not None and self.p_seeds_holm < LEVEL

    @property
    def seeds_agreeing(self) -> int:
        """Number of seeds whose difference has the sign of the mean's."""
        return sum(value * self.difference > 0 for value in self.by_seed)


@dataclass(frozen=True)
class Curve:
    """Validation during one run, with one point for each evaluation.

    Attributes:
        seed: seed of the run.
        epochs: number of epochs at each point.
        seconds: seconds of training and validation until each point.
        values: the metric :attr:`~darec.compare.result.Comparison.monitor` on the validation split.
        best_epoch: the epoch whose weights were kept.
    """

    seed: int
    epochs: tuple[int, ...]
    seconds: tuple[float, ...]
    values: tuple[float, ...]
    best_epoch: int


@dataclass(frozen=True)
class RunRecord:
    """One run of a variant.

    Attributes:
        seed: its seed.
        folder: its folder, relative to that of the comparison (``runs/lightgcn+darec-s0-1a2b3c4d``).
        error: why it failed, in one line; None for a finished one.
        threads: number of CPU threads; None if it failed before it began.
    """

    seed: int
    folder: str
    error: str | None
    threads: int | None
