"""What RLMRec-Con's user term costs a step: a batch of 4,096 users against all U, by blocks and as one matrix.

Three things are measured, forward and backward, each in a process of its own so that peaks can be told apart: the
contrast by blocks (:mod:`darec.numerics.infonce`), the contrast with the [4096, U] matrix of scores in memory, where
it fits, and the projection of all users' text, which the term needs as well.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.common import RESULTS, spread, write_between, write_result
from darec.alignments.contrastive import project_all
from darec.memory import peak_rss_mb
from darec.numerics.infonce import info_nce
from darec.numerics.mlp import mlp

BATCH, DIM, TEXT_DIM, TEMPERATURE = 4096, 32, 384, 0.2
ROUNDS = {10_000: 5, 100_000: 3, 1_000_000: 1}
MATRIX_FITS = (10_000, 100_000)


def by_blocks(users: Tensor, own: Tensor, table: Tensor) -> Tensor:
    """As the alignment computes it."""
    return info_nce(users, own, table, temperature=TEMPERATURE)


def as_matrix(users: Tensor, own: Tensor, table: Tensor) -> Tensor:
    """As the formula reads."""
    users, own, table = (F.normalize(rows, dim=1) for rows in (users, own, table))
    scores = users @ table.T / TEMPERATURE
    return (scores.exp().sum(1).log() - (users * own).sum(1) / TEMPERATURE).mean()


def contrast(loss: Callable[[Tensor, Tensor, Tensor], Tensor], size: int) -> Callable[[], None]:
    """One step of a contrast over ``size`` candidates."""
    generator = torch.Generator().manual_seed(0)
    batch = min(BATCH, size)
    users = torch.randn(batch, DIM, generator=generator, requires_grad=True)
    table = torch.randn(size, DIM, generator=generator, requires_grad=True)

    def step() -> None:
        users.grad = table.grad = None
        loss(users, table[:batch], table).backward()

    return step


def projection(size: int) -> Callable[[], None]:
    """One step of the projection of ``size`` texts."""
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(size, TEXT_DIM, generator=generator)
    network = mlp(TEXT_DIM, (TEXT_DIM + DIM) // 2, DIM, generator=generator)

    def step() -> None:
        project_all(network, text).square().sum().backward()

    return step


STEPS: dict[str, Callable[[int], Callable[[], None]]] = {
    "by_blocks": lambda size: contrast(by_blocks, size),
    "as_matrix": lambda size: contrast(as_matrix, size),
    "projection": projection,
}


def measure(what: str, size: int, threads: int) -> dict[str, Any]:
    """Seconds and peak memory over the inputs."""
    torch.set_num_threads(threads)
    STEPS[what](64)()  # libraries loaded, at sizes that leave no peak
    step = STEPS[what](size)
    before = peak_rss_mb()
    seconds = []
    for _ in range(ROUNDS[size]):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return {
        "seconds": spread(seconds, 3),
        "peak_mb_over_inputs": round(peak_rss_mb() - before, 1),
        "rounds": ROUNDS[size],
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    context = multiprocessing.get_context("spawn")
    sizes: list[dict[str, Any]] = []
    for size in ROUNDS:
        sizes.append({"users": size})
        for what in STEPS:
            if what == "as_matrix" and size not in MATRIX_FITS:
                scores = BATCH * size * 4 / 2**30
                sizes[-1][what] = f"not run: {scores:.0f} GiB for the scores alone"
                continue
            with context.Pool(1) as pool:
                sizes[-1][what] = pool.apply(measure, (what, size, options.threads))
    write_result(
        "infonce",
        {
            "batch": BATCH,
            "dim": DIM,
            "text_dim": TEXT_DIM,
            "dtype": "float32",
            "sizes": sizes,
        },
    )
    page = RESULTS.parents[1] / "docs" / "alignments" / "contrastive.md"
    write_between(page, "cost", table(sizes))


def table(sizes: list[dict[str, Any]]) -> str:
    """The result as Markdown."""

    def cell(measured: dict[str, Any] | str) -> str:
        if isinstance(measured, str):
            return measured
        return f"{measured['seconds']['median']:.2f} s, {measured['peak_mb_over_inputs']:.0f} MiB"

    head = ["users", "contrast, by blocks", "contrast, one matrix", "projection of all texts"]
    lines = [f"| {' | '.join(head)} |", "|--:|--:|--:|--:|"]
    for size in sizes:
        cells = [f"{size['users']:,}", *(cell(size[what]) for what in STEPS)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
