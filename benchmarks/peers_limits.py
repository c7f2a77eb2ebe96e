"""What limits darec's step beside its peers: ``python -m benchmarks.peers_limits``, after :mod:`benchmarks.peers`.

A tenth of the fastest peer's time is the goal. For each data set and width, the bandwidth at which a step's bytes
(:mod:`benchmarks.traffic`) would have to move for it, beside the bandwidth that darec's step has and that of STREAM's
triad on this machine. And how much of propagation has to be done at all: the share of the graph's entries in the rows
of a batch, which are the only ones whose last layer the loss reads.

Writes results/peers_limits.json and a table of docs/studies/peers.md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from benchmarks.common import load_result, shared_dataset, write_between, write_result
from benchmarks.peers import BATCH, PAGE
from benchmarks.traffic import Shape, step_bytes, triad
from darec.data.sampling import Sampler
from darec.types import Interactions

GRAPHS: Final = ("recbole", "pyg", "rlmrec")
"""Peers that train the same model."""
TIMES: Final = 10
"""How many times as fast as the fastest of them darec was to be."""


def share_of_entries(train: Interactions) -> float:
    """Entries of the adjacency in the rows of an epoch's first batch, by all entries."""
    draw, sampler = torch.Generator().manual_seed(0), Sampler(train)
    users, items = next(iter(sampler.epoch(BATCH, draw)))
    negatives = sampler.negatives(users, draw)
    entries = train.user_degree[np.unique(users.numpy())].sum()
    entries += train.item_degree[np.unique(torch.cat([items, negatives]).numpy())].sum()
    return float(entries / (2 * len(train)))


def limits(data: str, train: Interactions, stream: float) -> list[dict[str, Any]]:
    """A row for each width at which the peers were measured."""
    rows = [row for row in load_result("peers")["rows"] if row["data"] == data]
    found = []
    for width in sorted({row["width"] for row in rows}):
        seconds = {row["name"]: row["epoch_seconds"] for row in rows if row["width"] == width}
        fastest = min(seconds.keys() & set(GRAPHS), key=seconds.__getitem__)
        shape = Shape(len(train), train.n_users + train.n_items, width, batch=BATCH)
        moved = sum(step_bytes(shape).values()) * shape.steps
        found.append(
            {
                "data": data,
                "width": width,
                "fastest": fastest,
                "times": round(seconds[fastest] / seconds["darec"], 1),
                "mb_a_step": round(moved / shape.steps / 1e6),
                "gb_s": round(moved / seconds["darec"] / 1e9, 1),
                "gb_s_of_goal": round(moved / (seconds[fastest] / TIMES) / 1e9, 1),
                "triad_gb_s": round(stream / 1e9, 1),
                "entries_of_batch": round(share_of_entries(train), 3),
            }
        )
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| data | d | fastest peer | times darec | bytes a step | darec moves | the goal would move | triad | "
        "entries in rows of a batch |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['data']} | {row['width']} | {row['fastest']} | {row['times']} | {row['mb_a_step']} MB | "
        f"{row['gb_s']} GB/s | {row['gb_s_of_goal']} GB/s | {row['triad_gb_s']} GB/s | {row['entries_of_batch']:.0%} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure the bandwidth, count the rest, and write."""
    torch.set_num_threads(1)
    stream, rows = triad(), []
    with tempfile.TemporaryDirectory() as folder:
        for data in dict.fromkeys(row["data"] for row in load_result("peers")["rows"]):
            rows += limits(data, shared_dataset(data, Path(folder) / data).train, stream)
    write_result("peers_limits", {"rows": rows})
    write_between(PAGE, "limits", table(rows))


if __name__ == "__main__":
    main()
