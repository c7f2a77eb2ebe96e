"""Full ranking of all users against the bare matrix product plus top-k: ``python -m benchmarks.ranking``.

The bare version masks nothing, breaks no ties and measures nothing; it runs at each of several batch sizes, of
which the fastest counts. Rounds alternate between the versions, so that a machine shared with others disturbs all
alike, and each version's median counts. Tables are random. So are the pairs to mask and to find, with the sizes of
RLMRec's Amazon-book, unless ``--data`` names an imported dataset.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from darec.data.dataset import Dataset
from darec.evaluation import Evaluator, Ranker
from darec.types import Interactions, Tables

RESULT = Path(__file__).parent / "results" / "ranking.json"
N_USERS, N_ITEMS, N_TRAIN, N_TEST, DIM, K = 11_000, 9_332, 120_464, 40_106, 32, 20


def problem(data: Path | None) -> tuple[Interactions, Interactions]:
    """Training and test pairs."""
    if data is not None:
        dataset = Dataset.load(data)
        return dataset.train, dataset.test
    rng = np.random.default_rng(0)
    size = N_TRAIN + N_TEST
    keys = rng.choice(N_USERS * N_ITEMS, size=size, replace=False)
    train, test = (
        Interactions.from_pairs(part // N_ITEMS, part % N_ITEMS, N_USERS, N_ITEMS)
        for part in (keys[:N_TRAIN], keys[N_TRAIN:])
    )
    return train, test


def bare(tables: Tables, batch_size: int) -> None:
    """The least that any full ranking does."""
    for users in tables.users.split(batch_size):
        torch.topk(users @ tables.items.T, K)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder made by 'darec import'")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    train, test = problem(options.data)
    generator = torch.Generator().manual_seed(0)
    tables = Tables(
        torch.randn(train.n_users, DIM, generator=generator),
        torch.randn(train.n_items, DIM, generator=generator),
    )
    ranker = Ranker(train.n_users, train.n_items, train)
    training = Evaluator(test, train, train, (K,), user_groups=0, item_groups=0)
    everything = Evaluator(test, train, train)
    versions: dict[str, Callable[[], object]] = {
        "bare, batch 128": lambda: bare(tables, 128),
        "bare, batch 256": lambda: bare(tables, 256),
        "bare, batch 1024": lambda: bare(tables, 1024),
        "ranking, all users": lambda: ranker.top_k(tables, K),
        "evaluation as in training": lambda: training.evaluate(tables, ("recall", "ndcg")),
        "evaluation, every metric and group": lambda: everything.evaluate(tables),
    }
    seconds: dict[str, list[float]] = {name: [] for name in versions}
    for _ in range(options.rounds + 1):  # the first round warms up
        for name, version in versions.items():
            start = time.perf_counter()
            version()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    fastest = min(value for name, value in medians.items() if name.startswith("bare"))
    result = {
        "users": train.n_users,
        "items": train.n_items,
        "dim": DIM,
        "k": K,
        "data": options.data.name if options.data else "random",
        "threads": options.threads,
        "rounds": options.rounds,
        "torch": torch.__version__,
        "seconds": {name: round(value, 4) for name, value in medians.items()},
        "ratio_to_fastest_bare": {
            name: round(value / fastest, 3)
            for name, value in medians.items()
            if not name.startswith("bare")
        },
        "target_ratio": 2.0,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
