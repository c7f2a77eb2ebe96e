"""How many bytes a training step of LightGCN moves, part by part, and how fast this machine moves bytes.

The counts are of float32 tables over N entities with E interactions, d columns and L layers, with a batch of B pairs.
They are what the algorithm asks for, not what a cache spares: each of the 2 E entries of the adjacency reads a row of
d numbers. ``once`` counts every table once a layer instead, as if a cache held it: the least that any order of the work
moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch

from darec.graph.adjacency import csr_product

FLOAT: Final = 4
_TRIAD: Final = 1 << 23  # numbers in each of three arrays: 32 MiB, beyond the caches


@dataclass(frozen=True)
class Shape:
    """Of a training run.

    Attributes:
        edges: E, interactions.
        entities: N, users and items.
        width: d.
        layers: L.
        batch: B, pairs a step.
        stored: bytes of a number in the tables that are propagated.
    """

    edges: int
    entities: int
    width: int
    layers: int = 3
    batch: int = 4096
    stored: int = FLOAT

    @property
    def table(self) -> float:
        """Bytes of one [N, d] table of float32."""
        return FLOAT * self.entities * self.width

    @property
    def steps(self) -> int:
        """An epoch's."""
        return -(-self.edges // self.batch)


def step_bytes(shape: Shape, *, once: bool = False) -> dict[str, float]:
    """Bytes of one step by part.

    Propagation, forward and backward, is 2 L products ``S x + y``: a place and a weight of 4 bytes for each of 2 E
    entries, a row for each, and the result written, read, added to and written. Dropping edges reads and writes a
    weight an entry.
    """
    stored = shape.table * shape.stored / FLOAT
    entries = 2 * shape.edges
    rows = stored if once else entries * shape.width * shape.stored
    product = entries * 2 * FLOAT + rows + (2 if once else 4) * stored
    batch = 3 * shape.batch * shape.width * FLOAT
    return {
        "propagation": 2 * shape.layers * product + entries * 5 * FLOAT,
        "loss": 3 * shape.table
        + 4 * batch,  # a gradient of zeros, what is added, and both sides put together
        "optimiser": 7 * shape.table,  # Adam: four tables read, three written
    }


def best_of(run: Callable[[], object], rounds: int) -> float:
    """Seconds of processor time of the fastest round: the one that other work disturbed least."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return best


def triad(rounds: int = 15) -> float:
    """Bytes a second of ``c = a + 3 b`` on one thread (McCalpin's STREAM), counting three arrays."""
    a, b, c = (torch.ones(_TRIAD) for _ in range(3))
    return 3 * FLOAT * _TRIAD / best_of(lambda: torch.add(a, b, alpha=3.0, out=c), rounds)


def summed(width: int, rows: int, rounds: int = 5) -> float:
    """Bytes a second of random rows that propagation's own kernel adds up, 32 for each sum; rows counted alone."""
    table = torch.ones(rows, width)
    draw = torch.Generator().manual_seed(0)
    picked = torch.randint(rows, (1 << 19,), generator=draw, dtype=torch.int32)
    starts = torch.arange(0, len(picked) + 1, 32, dtype=torch.int32)
    weights = torch.ones(len(picked))
    seconds = best_of(lambda: csr_product(table, starts, picked, weights), rounds)
    return len(picked) * width * FLOAT / seconds


def gather(width: int, rows: int, stored: torch.dtype = torch.float32, rounds: int = 7) -> float:
    """Bytes a second of reading random rows of a table, those that are read counted alone."""
    table = torch.ones(rows, width, dtype=stored)
    picked = torch.randint(rows, (200_000,), generator=torch.Generator().manual_seed(0))
    out = torch.empty(4096, width, dtype=stored)  # written to a place that stays in the cache

    def run() -> None:
        for part in picked[: 4096 * 48].split(4096):
            torch.index_select(table, 0, part, out=out)

    return 4096 * 48 * width * table.element_size() / best_of(run, rounds)
