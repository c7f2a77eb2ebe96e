"""Full ranking of all users against the bare matrix product plus top-k, on Amazon-book's training mask, one thread.

The bare version masks nothing, breaks no ties and measures nothing; it runs at several batch sizes, of which the
fastest (by its median) counts. Tables are random.

``--growth`` measures microseconds a user at 10^4, 10^5 and 10^6 items instead, and that a comparison of two runs by the
paired tests is linear in the users; it writes results/ranking_growth.json and tables of docs/studies/complexity.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import (
    RESULTS,
    interleaved,
    ratio,
    shared_dataset,
    spread,
    write_between,
    write_result,
)
from benchmarks.traffic import best_of
from darec.evaluation import Evaluator
from darec.evaluation.significance import paired_bootstrap, permutation_test
from darec.scoring import Ranker, TableScorer
from darec.types import Tables

DIM, K = 32, 20
SIZES = {10_000: 5_000, 100_000: 2_000, 1_000_000: 512}  # items, and users who are ranked for
TESTED, RESAMPLES = (5_000, 50_000, 500_000), 1_000
PAGE = RESULTS.parents[1] / "docs" / "studies" / "complexity.md"


def bare(tables: Tables, batch_size: int) -> None:
    """The least that any full ranking does."""
    for users in tables.users.split(batch_size):
        torch.topk(users @ tables.items.T, K)


def growth() -> None:
    """Time a user's list over growing catalogues, and the paired tests over growing numbers of users."""
    generator = torch.Generator().manual_seed(0)
    lists, tests = [], []
    for n_items, n_users in SIZES.items():
        tables = Tables(
            torch.randn(n_users, DIM, generator=generator),
            torch.randn(n_items, DIM, generator=generator),
        )
        ranker, scorer = Ranker(n_users, n_items, None), TableScorer(tables)
        a_user = best_of(partial(ranker.rank, scorer, K), 4) / n_users
        held = max(16, (2 << 20) // (4 * n_items)) * 4 * n_items
        lists.append(
            {
                "items": n_items,
                "microseconds_a_user": round(1e6 * a_user, 1),
                "buffer_mib": round(held / 2**20, 1),
                "all_mib_of_50000_users": round(50_000 * 4 * n_items / 2**20),
            }
        )
    for n_users in TESTED:
        draw = np.random.default_rng(0)
        a, b = (draw.integers(0, 6, n_users) / 5 * (draw.random(n_users) < 0.5) for _ in range(2))
        seconds = [
            best_of(partial(test, a, b, n_resamples=RESAMPLES), 1)
            for test in (paired_bootstrap, permutation_test)
        ]
        tests.append(
            {
                "users": n_users,
                "bootstrap_seconds": seconds[0],
                "permutation_seconds": seconds[1],
            }
        )
    write_result(
        "ranking_growth",
        {"width": DIM, "k": K, "resamples": RESAMPLES, "lists": lists, "tests": tests},
    )
    rows = [
        f"| {one['items']:,} | {one['microseconds_a_user']:,.0f} | {one['buffer_mib']} MiB | "
        f"{one['all_mib_of_50000_users']:,} MiB |"
        for one in lists
    ]
    head = "| items | microseconds a user | scores held at once | all scores of 50,000 users |\n|---|---|---|---|"
    write_between(PAGE, "ranking", "\n".join([head, *rows]))
    rows = [
        f"| {one['users']:,} | {one['bootstrap_seconds']:.2f} s | {one['permutation_seconds']:.3f} s |"
        for one in tests
    ]
    head = f"| users | bootstrap, {RESAMPLES:,} resamples | permutation test |\n|---|---|---|"
    write_between(PAGE, "tests", "\n".join([head, *rows]))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--growth", action="store_true", help="sizes of the catalogue, without a data set"
    )
    torch.set_num_threads(1)
    if parser.parse_args().growth:
        growth()
        return
    with tempfile.TemporaryDirectory() as folder:
        dataset = shared_dataset("rlmrec-amazon", Path(folder) / "amazon")
    train, test = dataset.train, dataset.test
    generator = torch.Generator().manual_seed(0)
    tables = Tables(
        torch.randn(train.n_users, DIM, generator=generator),
        torch.randn(train.n_items, DIM, generator=generator),
    )
    scorer = TableScorer(tables)
    ranker = Ranker(train.n_users, train.n_items, train)
    training = Evaluator(test, train, train, (K,), user_groups=0, item_groups=0)
    everything = Evaluator(test, train, train)
    versions: dict[str, Callable[[], object]] = {
        "bare, batch 128": lambda: bare(tables, 128),
        "bare, batch 256": lambda: bare(tables, 256),
        "bare, batch 1024": lambda: bare(tables, 1024),
        "ranking": lambda: ranker.rank(scorer, K),
        "evaluation in training": lambda: training.evaluate(scorer, ("recall", "ndcg")),
        "evaluation, every metric and group": lambda: everything.evaluate(scorer),
    }
    seconds = interleaved(versions, rounds=9)
    bares = [name for name in versions if name.startswith("bare")]
    fastest = min(bares, key=lambda name: statistics.median(seconds[name]))
    write_result(
        "ranking",
        {
            "what": f"seconds to rank {train.n_items} items for {train.n_users} users, d={DIM}, K={K}",
            "seconds": {name: spread(values) for name, values in seconds.items()},
            "ratio_to_fastest_bare": {
                name: ratio(seconds[name], seconds[fastest])
                for name in versions
                if name not in bares
            },
        },
    )


if __name__ == "__main__":
    main()
