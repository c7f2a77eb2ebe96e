"""The bare backbones on Amazon-book with the RLMRec paper's settings, against what that paper prints.

    python -m benchmarks.paper_table [CASE ...]

trains every case (or those named) with three seeds, fastest first, one run at a time on one thread, and writes the
results after each. A run that is finished is not repeated, be it here or in the results that are committed with the
same settings, and one that was cut short is taken up where it stopped. Hours on one core; ``--table`` only writes
docs/paper-table.md from the results that are there.

Settings are those of the RLMRec code (its model files for Amazon-book), where the defaults are not those already. A
name with a remark is the same model with that setting changed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.accuracy import train
from benchmarks.common import RESULTS, load_result, shared_dataset, write_between, write_result

ROOT = RESULTS.parents[1]
RUNS = ROOT / "runs" / "paper-table"
SEEDS = (0, 1, 2)
FIGURES = ("test/recall@20", "test/ndcg@20")
COSTS = ("best_epoch", "seconds_per_epoch", "peak_rss_mb")
TOLERANCE = 0.03  # relative, below the paper's print

CASES: dict[str, list[str]] = {
    "lightgcn": [],
    "gccf": ["backbone=gccf", "backbone.self_loops=false"],
    "gccf, self-loops": ["backbone=gccf"],
    "simgcl, in batch": ["backbone=simgcl", "train.l2=1e-5"],
    "sgl, in batch": ["backbone=sgl", "train.l2=1e-5", "backbone.candidates=batch"],
    "simgcl": ["backbone=simgcl", "train.l2=1e-5", "backbone.candidates=all"],
    "sgl": ["backbone=sgl", "train.l2=1e-5"],
    "dccf": ["backbone=dccf", "train.l2=1e-4"],
    "autocf": ["backbone=autocf"],
}

PRINTED = {
    "gccf": (0.1343, 0.0807),
    "lightgcn": (0.1411, 0.0856),
    "sgl": (0.1473, 0.0913),
    "simgcl": (0.1512, 0.0919),
    "dccf": (0.1517, 0.0943),
    "autocf": (0.1536, 0.0984),
}


def summarise(runs: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Mean, deviation and values of each figure over the seeds, and what the runs cost."""
    summary: dict[str, Any] = {"seeds": sorted(runs)}
    for figure in FIGURES:
        values = [runs[seed][figure] for seed in sorted(runs)]
        summary[figure] = {
            "mean": round(statistics.mean(values), 5),
            "sd": round(statistics.stdev(values), 5) if len(values) > 1 else None,
            "values": [round(value, 5) for value in values],
        }
    for cost in COSTS:
        summary[cost] = [round(runs[seed][cost], 2) for seed in sorted(runs)]
    return summary


def table(results: dict[str, Any]) -> str:
    """The results as Markdown, beside the paper's."""
    lines = [
        "| backbone | Recall@20 | printed | | NDCG@20 | printed | | seeds | s an epoch | best epoch |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case, result in results.items():
        cells = [case]
        for figure, printed in zip(FIGURES, PRINTED[case.split(",")[0]], strict=True):
            found = result[figure]
            sd = "" if found["sd"] is None else f" ± {found['sd']:.4f}"
            gap = found["mean"] / printed - 1
            cells += [
                f"{found['mean']:.4f}{sd}",
                f"{printed:.4f}",
                f"{gap:+.1%}" if gap >= -TOLERANCE else f"**{gap:+.1%}**",
            ]
        cells += [
            str(len(result["seeds"])),
            f"{statistics.median(result['seconds_per_epoch']):.1f}",
            ", ".join(str(round(epoch)) for epoch in result["best_epoch"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def folder(case: str, seed: int) -> Path:
    """Where the run of a case with a seed lies."""
    return RUNS / f"{case.replace(', ', '-').replace(' ', '-')}-{seed}"


def recorded(case: str) -> dict[int, dict[str, Any]]:
    """The figures of each seed of a case in the results that are written, if their settings are today's."""
    path = RESULTS / "paper_table.json"
    result = json.loads(path.read_text())["runs"].get(case) if path.is_file() else None
    if result is None or result["settings"] != CASES[case]:
        return {}
    columns = {name: result[name]["values"] for name in FIGURES} | {
        name: result[name] for name in COSTS
    }
    return {
        seed: {name: values[place] for name, values in columns.items()}
        for place, seed in enumerate(result["seeds"])
    }


def collect() -> dict[str, Any]:
    """The summary of every case that has a finished run, here or recorded."""
    results = {}
    for case, settings in CASES.items():
        runs = recorded(case)
        for seed in SEEDS:
            metrics = folder(case, seed) / "metrics.json"
            if metrics.is_file():
                runs[seed] = json.loads(metrics.read_text())
        if runs:
            results[case] = {"settings": settings, **summarise(runs)}
    return results


def main() -> None:
    """Train what is missing, then write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {'; '.join(CASES)}; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--table", action="store_true", help="only write the table")
    arguments = parser.parse_args()
    if not arguments.table:
        data = RUNS / "data"
        shared_dataset("rlmrec-amazon", data)
        for seed in arguments.seeds:
            for case in arguments.cases or CASES:
                if seed in recorded(case):
                    continue
                metrics = train(data, folder(case, seed), CASES[case], seed, resume=True)
                print(case, seed, metrics["test/recall@20"], file=sys.stderr, flush=True)
                write_result("paper_table", {"runs": collect()})
    results = load_result("paper_table")["runs"]
    write_between(ROOT / "docs" / "paper-table.md", "table", table(results))


if __name__ == "__main__":
    main()
