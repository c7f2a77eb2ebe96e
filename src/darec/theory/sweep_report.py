"""What a sweep found: figures over seeds, and sentences that are derived from them by rule.

Every difference is from ``none`` of the same seed, so of the same world; its 95% interval is Student's over seeds. A
sentence says that something falls or rises only where its interval is on one side of zero.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scipy import stats

from darec.files import write_atomic, write_json
from darec.theory.sweep import METHODS
from darec.theory.sweep_run import ZERO, Dials, Outcome

SPECIFIC: Final = "E_C/specific"
SHARED: Final = "E_C/shared"


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
        n, mean = len(values), sum(values) / len(values)
        if n < 2:
            return cls(mean, None, None)
        sd = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
        half = float(stats.t.ppf(0.975, n - 1)) * sd / math.sqrt(n)
        return cls(mean, mean - half, mean + half)

    @property
    def sign(self) -> int:
        """1 or -1 where the interval is on one side of zero, else 0."""
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
        seeds: those it has.
        means: every figure of a run.
        changes: the same less ``none`` of the same seed.
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


def findings(points: list[Point]) -> list[str]:
    """What came out, a line a method: its best strength, its narrowest gap with a verdict, and its strongest pull."""
    lines = []
    for method in METHODS:
        own = [point for point in points if point.method == method]
        if not own:
            continue
        best = max(own, key=lambda point: point.changes["recall"].mean)
        closest = min(own, key=lambda point: point.means["gap"].mean)
        recall, gap, known = (closest.changes[name] for name in ("recall", "gap", SPECIFIC))
        lines.append(
            f"**{method}**: Recall@20 is highest at rho {best.strength:g}, {best.changes['recall']} against none. "
            f"The gap is narrowest at rho {closest.strength:g}, by {gap}; there Recall@20 changes by {recall} and the "
            f"R² of the specific factors by {known}: {verdict(recall, gap, known)} At the strongest pull, rho "
            f"{own[-1].strength:g}, Recall@20 changes by {own[-1].changes['recall']} and that R² by "
            f"{own[-1].changes[SPECIFIC]}."
        )
    return lines


def verdict(recall: Mean, gap: Mean, known: Mean) -> str:
    """Whether a pull did what the theorem's story says: narrow the gap, forget, rank worse."""
    if recall.low is None:
        return "one seed decides nothing."
    forgets = ", and what is specific is forgotten" if known.sign < 0 else ""
    if recall.sign < 0 and gap.sign < 0:
        return f"the gap narrows and recall falls{forgets}, as the theorem's story has it."
    if recall.sign < 0:
        return (
            f"recall falls{forgets}, but the gap to the text does not narrow: the loss is not that of coinciding with "
            "the text."
        )
    if gap.sign < 0:
        what = "rises" if recall.sign > 0 else "does not fall beyond chance"
        return f"the gap narrows and recall {what}{forgets}, against the theorem's story."
    return "neither does the gap narrow nor recall fall beyond chance: nothing for the story or against it."


def write_report(points: list[Point], dials: Dials, out: Path, command: str) -> None:
    """Write ``sweep.json``, ``README.md`` and two figures into ``out``. Raises ``ConfigError`` without matplotlib."""
    from darec.report.drawing import svg
    from darec.theory.plots import knowledge_plot, recall_plot

    record = {
        "command": command,
        "dials": dials.model_dump(),
        "points": [asdict(p) for p in points],
    }
    write_json(out / "sweep.json", record)
    write_atomic(out / "recall.svg", svg(recall_plot(points)))
    write_atomic(out / "specific.svg", svg(knowledge_plot(points)))
    write_atomic(out / "README.md", "\n".join(_page(points, dials, command)))


def rows(points: list[Point]) -> list[dict[str, Any]]:
    """A row a point, for tables."""
    return [
        {
            "method": point.method,
            "rho": f"{point.strength:g}",
            "recall@20": point.means["recall"].mean,
            "ndcg@20": point.means["ndcg"].mean,
            "gap": point.means["gap"].mean,
            "shared": point.means[SHARED].mean,
            "specific": point.means[SPECIFIC].mean,
        }
        for point in points
    ]


def _page(points: list[Point], dials: Dials, command: str) -> Iterable[str]:
    yield "# Alignment strength, gap and accuracy in a planted world\n"
    yield f"Written by `{command}`.\n"
    yield (
        "Dials: "
        + ", ".join(f"{key} {value:g}" for key, value in dials.model_dump().items())
        + ".\n"
    )
    yield "![Recall@20 against the gap](recall.svg)\n"
    yield from (f"- {line}" for line in findings(points))
    yield "\n![R² of the planted specific factors](specific.svg)\n"
    zero, strongest = points[0], points[-1]  # DaRec is the last method
    tables = {"E_L": zero}
    if strongest.method == "darec":
        tables |= dict.fromkeys(("C_sh", "C_sp", "L_sh", "L_sp"), strongest)
        yield f"R² from the text, and from DaRec's parts at rho {strongest.strength:g}:\n"
    yield "| representation | shared | specific |\n|---|---|---|"
    for name, point in tables.items():
        shared, specific = (point.means[f"{name}/{of}"].mean for of in ("shared", "specific"))
        yield f"| {name} | {shared:.4f} | {specific:.4f} |"
    yield ""
    table = rows(points)
    yield "| " + " | ".join(table[0]) + " |"
    yield "|---" * len(table[0]) + "|"
    for row in table:
        shown = (
            f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()
        )
        yield "| " + " | ".join(shown) + " |"
    n = len(zero.seeds)
    yield (
        f"\nMeans over {n} seed{'s' * (n > 1)}. The gap is the share of E_C's unit rows that no linear map of the text "
        "predicts; shared and specific are the R² of a cross-validated ridge regression from E_C, mean of users and "
        "items. Changes are from `none` of the same seed, with Student's 95% interval over seeds. The strength of "
        "highest recall was picked on this test split, which flatters it.\n"
    )
