"""Greedy against optimal matching of cluster centres: planted partners found, cost and time. It set the default.

The centres of one side are those of the other, shuffled, plus Gaussian noise of a given share of their own spread.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from benchmarks.common import spread, write_result
from darec.alignments.darec import match_clusters

DIM, TRIALS = 32, 40
METHODS = ("greedy", "optimal")


def trial(n_clusters: int, noise: float, seed: int) -> dict[str, tuple[float, float, float]]:
    """For each method: share of planted partners found, mean squared distance of partners, seconds."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(n_clusters, DIM, generator=generator)
    planted = torch.randperm(n_clusters, generator=generator)
    other = torch.empty_like(centres)
    other[planted] = centres + noise * torch.randn(n_clusters, DIM, generator=generator)
    found = {}
    for method in METHODS:
        started = time.perf_counter()
        pi = match_clusters(centres, other, method)  # type: ignore[arg-type]
        seconds = time.perf_counter() - started
        cost = (centres - other[pi]).square().sum(1).mean()
        found[method] = (float((pi == planted).float().mean()), float(cost), seconds)
    return found


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for n_clusters in (4, 16, 64, 256):
        for noise in (0.5, 1.0, 2.0):
            trials = [trial(n_clusters, noise, seed) for seed in range(TRIALS)]
            row: dict[str, Any] = {"clusters": n_clusters, "noise": noise}
            for index, figure in enumerate(("found", "cost")):
                for method in METHODS:
                    values = [t[method][index] for t in trials]
                    row[f"{figure}/{method}"] = {
                        "mean": round(statistics.mean(values), 4),
                        "sd": round(statistics.stdev(values), 4),
                    }
            for method in METHODS:
                row[f"milliseconds/{method}"] = spread([1e3 * t[method][2] for t in trials], 3)
            rows.append(row)
    write_result("matching", {"dim": DIM, "trials": TRIALS, "rows": rows})


if __name__ == "__main__":
    main()
