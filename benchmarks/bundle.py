"""A bundle of 100,000 users by 100,000 items with random tables: how large, how fast to open and to answer.

``python -m benchmarks.bundle`` takes half a minute on one thread and writes the table of docs/production.md.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import darec
from benchmarks.common import RESULTS, load_result, write_between, write_result
from benchmarks.lists import ITEMS, K, shop

USERS, ROUNDS = 100_000, 20


def milliseconds(do: Callable[[], object], rounds: int = ROUNDS) -> dict[str, float]:
    """Of the processor, for the first call and for the median of those that follow."""
    took = []
    for _ in range(rounds + 1):
        started = time.process_time()
        do()
        took.append(1000 * (time.process_time() - started))
    return {"first": round(took[0], 1), "then": round(statistics.median(took[1:]), 1)}


def main() -> None:
    """Measure, and write the results and the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.darec"
        darec.export_bundle(shop(USERS), path)
        bundle = darec.open_bundle(path)
        found = {
            "open, comparing every hash": milliseconds(lambda: darec.open_bundle(path), 5),
            "open, `verify=False`": milliseconds(lambda: darec.open_bundle(path, verify=False), 5),
            "`recommend(user)`": milliseconds(lambda: bundle.recommend(5, K)),
            '`recommend(user, where="price < 50")`': milliseconds(
                lambda: bundle.recommend(5, K, where="price < 50")
            ),
            "`recommend(user, diversity=0.5)`": milliseconds(
                lambda: bundle.recommend(5, K, diversity=0.5)
            ),
            '`recommend(user, at_most=2, per="brand")`': milliseconds(
                lambda: bundle.recommend(5, K, at_most=2, per="brand")
            ),
            "`recommend_for(two items)`": milliseconds(lambda: bundle.recommend_for([5, 6], K)),
            "`similar(item)`": milliseconds(lambda: bundle.similar(5, K)),
            "`explain(user, item)`": milliseconds(lambda: bundle.explain(5, 20)),
        }
        size = sum(file["bytes"] for file in bundle.manifest["files"].values())
    write_result("bundle", {"mb": round(size / 1e6), "milliseconds": found})
    table()


def table() -> None:
    """Write the table of docs/production.md from the results."""
    found = load_result("bundle")
    lines = ["| what | ms, the first time | ms, after that |", "|---|---|---|"]
    lines += [
        f"| {name} | {took['first']} | {took['then']} |"
        for name, took in found["milliseconds"].items()
    ]
    lines += ["", f"The bundle of {USERS:,} users by {ITEMS:,} items has {found['mb']} MB."]
    write_between(RESULTS.parents[1] / "docs" / "production.md", "bundle", "\n".join(lines))


if __name__ == "__main__":
    main()
