"""The report of a sweep, with sentences that follow from its figures by rule.

A sentence says that something falls or rises only if its interval is on one side of zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from darec.files import write_atomic, write_json
from darec.report.drawing import svg
from darec.theory.plots import knowledge_plot, recall_plot
from darec.theory.sweep import METHODS
from darec.theory.sweep_points import Mean, Point
from darec.theory.sweep_run import Dials

SPECIFIC: Final = "E_C/specific"
SHARED: Final = "E_C/shared"


def findings(points: list[Point]) -> list[str]:
    """Return one line for each method: its best strength, its narrowest gap with a verdict, and its strongest pull."""
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
    """Return whether a pull narrowed the gap, lost specific factors and ranked worse, as the theorem suggests."""
    if recall.low is None:
        return "a single seed is not enough for a verdict."
    forgets = ", and specific factors are lost" if known.sign < 0 else ""
    if recall.sign < 0 and gap.sign < 0:
        return f"the gap narrows and recall falls{forgets}, as the theorem suggests."
    if recall.sign < 0:
        return (
            f"recall falls{forgets}, but the gap to the text does not narrow: the loss does not come from becoming "
            "equal to the text."
        )
    if gap.sign < 0:
        what = "rises" if recall.sign > 0 else "does not fall beyond chance"
        return f"the gap narrows and recall {what}{forgets}, against what the theorem suggests."
    return "the gap does not narrow and recall does not fall beyond chance: no evidence in either direction."


def write_report(points: list[Point], dials: Dials, out: Path, command: str) -> None:
    """Write ``sweep.json``, ``README.md`` and two figures into ``out``. Raises ``ConfigError`` without matplotlib."""
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
    """Return one row for each point, for tables."""
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
        "highest recall was chosen on this test split, so its recall is too high.\n"
    )
