"""The figures of a sweep over seeds.

Every difference is to ``none`` of the same seed, and so of the same world. Its 95% interval is Student's over seeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from darec.evaluation.significance import student_half_width
from darec.theory.sweep import METHODS
from darec.theory.sweep_run import ZERO, Outcome


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its 95% interval; None with a single seed."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Mean:
        """Student's interval of the mean."""
        values = [float(value) for value in values]
        mean, half = sum(values) / len(values), student_half_width(values)
        if half is None:
            return cls(mean, None, None)
        return cls(mean, mean - half, mean + half)

    @property
    def sign(self) -> int:
        """1 or -1 if the interval is on one side of zero, else 0."""
        if self.low is None or self.high is None:
            return 0
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    def __str__(self) -> str:
        band = "one seed" if self.low is None else f"{self.low:+.4f} to {self.high:+.4f}"
        return f"{self.mean:+.4f} ({band})"


@dataclass(frozen=True)
class Point:
    """One method at one strength, over the seeds.

    Attributes:
        method: the alignment; ``none`` at strength 0.
        strength: rho.
        seeds: its seeds.
        means: every figure of a run.
        changes: the same minus ``none`` of the same seed.
    """

    method: str
    strength: float
    seeds: tuple[int, ...]
    means: dict[str, Mean]
    changes: dict[str, Mean]


def summarise(outcomes: Iterable[Outcome]) -> list[Point]:
    """The points of a sweep, ``none`` first, each method's by strength; seeds without ``none`` are left out."""
    runs: dict[tuple[str, float], dict[int, dict[str, float]]] = defaultdict(dict)
    for o in outcomes:
        figures = {"recall": o.recall, "ndcg": o.ndcg, "gap": o.gap, **o.probes}
        runs[o.method, o.strength][o.seed] = figures
    zero = runs.get((ZERO, 0.0), {})
    order = {name: place for place, name in enumerate((ZERO, *METHODS))}
    points = []
    for (method, strength), by_seed in sorted(
        runs.items(), key=lambda run: (order[run[0][0]], run[0][1])
    ):
        seeds = tuple(sorted(by_seed.keys() & zero.keys()))
        if not seeds:
            continue
        names = by_seed[seeds[0]]
        means = {name: Mean.of(by_seed[seed][name] for seed in seeds) for name in names}
        changes = {
            name: Mean.of(by_seed[seed][name] - zero[seed][name] for seed in seeds)
            for name in names
            if name in zero[seeds[0]]
        }
        points.append(Point(method, strength, seeds, means, changes))
    return points
