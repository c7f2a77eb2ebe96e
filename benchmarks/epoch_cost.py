"""What an epoch of LightGCN costs beside what its bytes must: ``python -m benchmarks.epoch_cost``.

Toys, 3 layers, BPR, batches of 4,096, one thread. In the same run the machine's bandwidth is measured by STREAM's triad
and by reading random rows of a table of the same size, which is what propagation does. Bytes are those of
:mod:`benchmarks.traffic`. Steps in float32 and in bf16 between the layers are taken in turn; the fastest of each
counts, in processor time.

``--accuracy`` trains both, with the softmax loss, for three seeds. Writes results/epoch_cost.json and the tables of
docs/studies/epoch-cost.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import torch

import darec
from benchmarks.common import RESULTS, load_result, shared_dataset, write_between, write_result
from benchmarks.traffic import Shape, gather, step_bytes, triad
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.memory import keep_freed_memory
from darec.model import Model
from darec.types import Interactions

WIDTHS, ROUNDS, EPOCHS, SEEDS = (32, 64, 128, 256), 12, 15, (0, 1, 2)
STORED = {"float32": 4, "bf16": 2}
PAGE = RESULTS.parents[1] / "docs" / "studies" / "epoch-cost.md"


def stepper(train: Interactions, width: int, stored: str) -> Callable[[], None]:
    """A function that takes one optimiser step."""
    config = resolve_config({"backbone.dim": width, "backbone.stored": stored})
    generator = torch.Generator().manual_seed(0)
    model = Model(config, train, None, generator)
    groups = model.parameter_groups(config.train.l2, decoupled=False)
    optimizer = torch.optim.Adam(groups, lr=config.train.lr, fused=True)
    batches = list(model.sampler.epoch(config.train.batch_size, generator))
    numbers = count()

    def run() -> None:
        step = next(numbers)
        users, items = batches[step % (len(batches) - 1)]
        model.train_step(
            users, items, optimizer, step=step, generator=generator, alignment_generator=generator
        )

    return run


def costs(train: Interactions) -> list[dict[str, Any]]:
    """Every width and way, beside what its bytes take."""
    rows = []
    for width in WIDTHS:
        entities = train.n_users + train.n_items
        runs = {stored: stepper(train, width, stored) for stored in STORED}
        seconds = dict.fromkeys(runs, float("inf"))
        stream = triad()
        rates = {
            "float32": gather(width, entities),
            "bf16": gather(width, entities, torch.bfloat16),
        }
        for round_ in range(-2, ROUNDS):
            for stored, run in runs.items():
                started = time.process_time()
                run()
                if round_ >= 0:
                    seconds[stored] = min(seconds[stored], time.process_time() - started)
        for stored, size in STORED.items():
            shape = Shape(len(train), entities, width, stored=size)
            moved, least = step_bytes(shape), step_bytes(shape, once=True)
            rows.append(
                {
                    "shape": asdict(shape),
                    "stored": stored,
                    "triad_gb_s": round(stream / 1e9, 2),
                    "gather_gb_s": round(rates[stored] / 1e9, 2),
                    "bytes": moved,
                    "milliseconds": round(1e3 * seconds[stored], 2),
                    "times_bandwidth": round(seconds[stored] * stream / sum(moved.values()), 2),
                    "times_bandwidth_once": round(
                        seconds[stored] * stream / sum(least.values()), 2
                    ),
                    "epoch_seconds": round(seconds[stored] * shape.steps, 3),
                }
            )
            print(rows[-1], flush=True)
    return rows


def accuracy(dataset: Dataset) -> list[dict[str, Any]]:
    """Recall after as many epochs in either way, by seed."""
    rows = []
    for seed in SEEDS:
        for stored in STORED:
            run = darec.fit(
                dataset,
                settings={
                    "backbone": {"name": "lightgcn", "dim": 64, "stored": stored},
                    "loss": "softmax",
                    "train": {"epochs": EPOCHS, "eval_every": EPOCHS},
                    "options": {"seed": seed, "threads": 1},
                },
                progress=False,
            )
            metrics = ("test/recall@20", "test/ndcg@20", "valid/recall@20")
            figures = {name: round(run.metrics[name], 5) for name in metrics}
            rows.append({"seed": seed, "stored": stored, **figures})
            print(rows[-1], flush=True)
    return rows


def write_tables(found: dict[str, Any]) -> None:
    """The page's two tables."""
    lines = [
        "| d | held in | triad | random rows | bytes a step | of these propagation | step | times the bandwidth | "
        "with every table once | epoch |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["costs"]:
        total = sum(row["bytes"].values())
        lines.append(
            f"| {row['shape']['width']} | {row['stored']} | {row['triad_gb_s']:.1f} GB/s | "
            f"{row['gather_gb_s']:.1f} GB/s | {total / 1e6:,.0f} MB | "
            f"{row['bytes']['propagation'] / total:.0%} | {row['milliseconds']:.1f} ms | "
            f"{row['times_bandwidth']:.2f} | {row['times_bandwidth_once']:.2f} | {row['epoch_seconds']:.2f} s |"
        )
    write_between(PAGE, "cost", "\n".join(lines))
    lines = [
        "| seed | held in | Recall@20 | NDCG@20 | Recall@20, validation |",
        "|---|---|---|---|---|",
    ]
    for row in found["accuracy"]:
        lines.append(
            f"| {row['seed']} | {row['stored']} | {row['test/recall@20']:.4f} | {row['test/ndcg@20']:.4f} | "
            f"{row['valid/recall@20']:.4f} |"
        )
    write_between(PAGE, "accuracy", "\n".join(lines))


def main() -> None:
    """Measure one of the two, and write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accuracy", action="store_true", help="train, instead of timing steps")
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    known = (RESULTS / "epoch_cost.json").exists()
    found: dict[str, Any] = {"costs": [], "accuracy": []}
    if known:
        found |= {name: load_result("epoch_cost")[name] for name in found}
    if not options.tables:
        with tempfile.TemporaryDirectory() as folder:
            dataset = shared_dataset("toys", Path(folder) / "toys")
            if options.accuracy:
                found["accuracy"] = accuracy(dataset)
            else:
                found["costs"] = costs(dataset.train)
        write_result("epoch_cost", found)
    write_tables(found)


if __name__ == "__main__":
    main()
