"""DaRec's default against the best rival of all: ``python -m benchmarks.target_32 NAME=COMPARISON ...``.

Reads the finished runs of comparisons' folders, several of one name as one. Over each backbone that DaRec was trained
on, its rivals are all other alignments of that backbone, and the models that read text themselves, which stand beside
it. For each metric the best rival is the one with the highest *test* mean, so the choice is in the rivals' favour.
Tests are paired over users, each with the mean over the seeds that both have, and Holm-corrected over all rivals of the
table. The tables go into docs/studies/target-32.md. With ``--renew`` the rows of rivals that a call does not read stay
as they were measured last, and are corrected with the new ones.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.common import RESULTS, finished, percent, renewed, write_between, write_result
from darec.compare.figures import Gain
from darec.compare.gains import gains_over
from darec.evaluation.result import Evaluation
from darec.evaluation.significance import holm
from darec.registry import BACKBONES

METRICS: Final = {
    "Recall@20": "recall@20",
    "NDCG@20": "ndcg@20",
    "Recall@20, least popular third of items": "items/1of3/recall@20",
}
OURS: Final = "darec"
Pair = tuple[str, str]


@dataclass(frozen=True)
class Trained:
    """One finished run of a pair."""

    folder: Path
    metrics: Mapping[str, float]

    def evaluation(self) -> Evaluation:
        """The test split, user by user."""
        return Evaluation.load(self.folder / "users-test.parquet")


def read(comparison: Path) -> dict[Pair, dict[int, Trained]]:
    """The finished runs by pair and seed. ``SystemExit``: a pair was trained with several settings."""
    found: dict[Pair, dict[int, Trained]] = defaultdict(dict)
    for folder, config, metrics in finished(comparison):
        pair, seed = (config.backbone.name, config.alignment.name), config.options.seed
        if seed in found[pair]:
            raise SystemExit(f"{pair} with seed {seed} was trained twice: delete one of them.")
        found[pair][seed] = Trained(folder, metrics)
    return found


def pooled(arguments: Sequence[str]) -> dict[str, dict[Pair, dict[int, Trained]]]:
    """The finished runs of ``NAME=COMPARISON`` arguments by name; of a pair in several, the last one's."""
    by_data: dict[str, dict[Pair, dict[int, Trained]]] = defaultdict(dict)
    for argument in arguments:
        name, _, folder = argument.partition("=")
        by_data[name] |= read(Path(folder))
    return by_data


def titled(rival: Pair, backbone: str) -> str:
    """A rival's name beside a backbone: its alignment, or the model that reads text itself."""
    return rival[1] if rival[0] == backbone else " + ".join(rival).removesuffix(" + none")


def figures(gain: Gain) -> dict[str, Any]:
    """What a row holds of a gain; p is not corrected."""
    relative = gain.relative
    return {
        "seeds": len(gain.seeds),
        "gain": relative and [round(share, 4) for share in relative],
        "p": gain.p_users,
        "seeds agreeing": gain.seeds_agreeing,
    }


def rivals_of(backbone: str, pairs: Mapping[Pair, Any]) -> list[Pair]:
    """What DaRec over a backbone is compared with."""
    return [
        pair
        for pair in pairs
        if pair != (backbone, OURS)
        and (pair[0] == backbone or (BACKBONES.get(pair[0]).needs_text and pair[1] == "none"))
    ]


def mean(runs: Mapping[int, Trained], metric: str) -> float:
    """Mean over the seeds."""
    return statistics.fmean(run.metrics[f"test/{metric}"] for run in runs.values())


def compared(name: str, pairs: dict[Pair, dict[int, Trained]]) -> list[dict[str, Any]]:
    """A row for every backbone, rival and metric, not corrected."""
    rows = []
    for backbone in [pair[0] for pair in pairs if pair[1] == OURS]:
        ours = pairs[backbone, OURS]
        mine = {seed: run.evaluation() for seed, run in ours.items()}
        for rival in rivals_of(backbone, pairs):
            theirs = {seed: run.evaluation() for seed, run in pairs[rival].items()}
            gains: dict[str, Gain] = gains_over(theirs, mine, METRICS.values())
            for metric, gain in gains.items():
                rows.append(
                    {
                        "data": name,
                        "backbone": backbone,
                        "rival": titled(rival, backbone),
                        "metric": metric,
                        "rival mean": mean(pairs[rival], metric),
                        "ours": mean(ours, metric),
                        **figures(gain),
                        "cost": mean_cost(ours) / mean_cost(pairs.get((backbone, "none"), ours)),
                    }
                )
    return rows


def mean_cost(runs: Mapping[int, Trained]) -> float:
    """Median seconds of an epoch, over the seeds."""
    return statistics.median(run.metrics["seconds_per_epoch"] for run in runs.values())


def shown(gain: list[float], p: float) -> str:
    """Two cells: the gain with its interval, in percent, and the corrected p."""
    return f"{percent([100 * x for x in gain])} | {'<.001' if p < 0.001 else f'{p:.3f}'}"


def table(rows: list[dict[str, Any]], metric: str) -> str:
    """Markdown: for each data set and backbone, the best rival in a metric."""
    lines = [
        "| data, backbone | none | best rival | its mean | DaRec | gain over it [95%] | p, Holm | seeds |",
        "|---" * 8 + "|",
    ]
    groups: dict[Pair, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["metric"] == metric:
            groups[row["data"], row["backbone"]].append(row)
    for place, members in groups.items():
        best = max(members, key=lambda row: row["rival mean"])
        plain = [f"{row['rival mean']:.4f}" for row in members if row["rival"] == "none"]
        cells = [
            ", ".join(place),
            *(plain or [""]),
            f"{best['rival']} (of {len(members)})",
            f"{best['rival mean']:.4f}",
            f"**{best['ours']:.4f}**",
            shown(best["gain"], best["p, Holm"]),
            f"{best['seeds']}, {best['seeds agreeing']} agree",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def everything(rows: list[dict[str, Any]]) -> str:
    """Markdown: every rival's Recall@20 and DaRec's gain over it."""
    lines = [
        "| data, backbone | rival | seeds | Recall@20 | DaRec's gain [95%] | p, Holm |",
        "|---" * 6 + "|",
    ]
    lines += [
        f"| {row['data']}, {row['backbone']} | {row['rival']} | {row['seeds']} | {row['rival mean']:.4f} | "
        f"{shown(row['gain'], row['p, Holm'])} |"
        for row in rows
        if row["metric"] == "recall@20"
    ]
    return "\n".join(lines)


def correct(gains: Sequence[dict[str, Any]]) -> None:
    """Put Holm's correction over all gains into their rows."""
    for row, p in zip(gains, holm(np.array([row["p"] for row in gains])), strict=True):
        row["p, Holm"] = float(p)


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparisons", nargs="+", metavar="NAME=COMPARISON")
    parser.add_argument("--renew", action="store_true", help="Keep the last call's other rows.")
    options = parser.parse_args()
    rows = [
        row for name, pairs in pooled(options.comparisons).items() for row in compared(name, pairs)
    ]
    if options.renew:
        rows = renewed("target_32", rows, ("data", "backbone", "rival", "metric"))
    for metric in METRICS.values():
        chosen = [row for row in rows if row["metric"] == metric]
        correct(chosen)
    write_result("target_32", {"rows": rows})
    document = RESULTS.parents[1] / "docs" / "studies" / "target-32.md"
    parts = [f"**{title}**\n\n{table(rows, metric)}" for title, metric in METRICS.items()]
    write_between(document, "best", "\n\n".join(parts))
    write_between(document, "all", everything(rows))


if __name__ == "__main__":
    main()
