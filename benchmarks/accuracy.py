"""LightGCN on real data against what is known of it, with the memory that training takes.

Amazon-book with the RLMRec paper's settings (the defaults) and toys with sampled softmax; three seeds each, each in a
process of its own so that its peak memory is its own. About twenty minutes on one core. Toys with BPR is in
benchmarks/first_darec.py.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import shared_dataset, write_result

SEEDS = (0, 1, 2)
SOFTMAX = ["loss=softmax", "backbone.dim=64", "backbone.combine=mean"]
CASES: dict[str, tuple[str, list[str], str]] = {
    "amazon_bpr": ("rlmrec-amazon", [], "0.139 to 0.146 (RLMRec prints 0.1411, NDCG@20 0.0856)"),
    "toys_softmax": ("toys", SOFTMAX, "at least 0.105"),
}


def train(
    data: Path, out: Path, overrides: list[str], seed: int, *, resume: bool = False
) -> dict[str, Any]:
    """The metrics of one run; with ``resume``, one that has begun is taken up and a finished one is read."""
    command = [sys.executable, "-m", "darec.cli.main", "train", str(data), "--out", str(out)]
    command += ["--seed", str(seed), "--threads", "1", "--quiet", "--format", "json"]
    if resume:
        command.append("--resume")
    for override in overrides:
        command += ["--set", override]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    metrics: dict[str, Any] = json.loads(done.stdout)
    return metrics


def main() -> None:
    """Measure and write."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case, (name, overrides, expected) in CASES.items():
            shared_dataset(name, Path(folder) / name)
            runs = []
            for seed in SEEDS:
                runs.append(
                    train(Path(folder) / name, Path(folder) / f"{case}-{seed}", overrides, seed)
                )
                print(case, seed, runs[-1]["test/recall@20"], file=sys.stderr, flush=True)
            results[case] = {"settings": overrides, "expected recall@20": expected}
            for key in ("test/recall@20", "test/ndcg@20"):
                values = [run[key] for run in runs]
                results[case][key] = {
                    "mean": round(statistics.mean(values), 5),
                    "sd": round(statistics.stdev(values), 5),
                    "values": [round(value, 5) for value in values],
                }
            for key in ("best_epoch", "seconds_per_epoch", "peak_rss_mb"):
                results[case][key] = [round(run[key], 3) for run in runs]
    write_result("accuracy", results)


if __name__ == "__main__":
    main()
