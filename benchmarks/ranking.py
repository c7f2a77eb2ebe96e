"""Full ranking of all users against the bare matrix product plus top-k, on Amazon-book's training mask, one thread.

The bare version masks nothing, breaks no ties and measures nothing; it runs at several batch sizes, of which the
fastest (by its median) counts. Tables are random.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.common import interleaved, ratio, shared_dataset, spread, write_result
from darec.evaluation import Evaluator
from darec.scoring import Ranker, TableScorer
from darec.types import Tables

DIM, K = 32, 20


def bare(tables: Tables, batch_size: int) -> None:
    """The least that any full ranking does."""
    for users in tables.users.split(batch_size):
        torch.topk(users @ tables.items.T, K)


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
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
