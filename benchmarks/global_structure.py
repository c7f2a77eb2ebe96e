"""Exact global structure, forward and backward, as rows grow: ``python -m benchmarks.global_structure``.

Each size runs in a fresh process, so that its peak of resident memory is its own. The peak is taken over what the
process held once the inputs were made; the gradients of the inputs are counted, as part of the price.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from typing import Any

import numpy as np
import torch

from benchmarks.common import spread, write_result
from darec.alignments.darec import global_structure_loss
from darec.memory import peak_rss_mb

SIZES = (125_000, 250_000, 500_000, 1_000_000)
DIM = 64
TARGET_SECONDS, TARGET_MB = 3.0, 2048.0  # at the largest size


def measure(arguments: tuple[int, int, int]) -> dict[str, Any]:
    """Seconds of each round and peak memory over the inputs, for one number of rows."""
    n, rounds, threads = arguments
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    small = torch.randn(5000, DIM, generator=generator, requires_grad=True)
    global_structure_loss(small, small.flip(1)).backward()  # libraries loaded, buffers made
    C_sh, L_sh = (torch.randn(n, DIM, generator=generator, requires_grad=True) for _ in range(2))
    before = peak_rss_mb()
    forward, both = [], []
    for _ in range(rounds):
        C_sh.grad = L_sh.grad = None
        started = time.perf_counter()
        loss = global_structure_loss(C_sh, L_sh)
        forward.append(time.perf_counter() - started)
        loss.backward()
        both.append(time.perf_counter() - started)
    return {
        "n": n,
        "forward_seconds": spread(forward, 4),
        "seconds": spread(both, 4),
        "peak_mb_over_inputs": round(peak_rss_mb() - before, 1),
        "inputs_mb": round(2 * n * DIM * 4 / 2**20, 1),
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    context = multiprocessing.get_context("spawn")
    sizes = []
    for n in SIZES:
        with context.Pool(1) as pool:
            sizes.append(pool.apply(measure, ((n, options.rounds, options.threads),)))
    seconds = [size["seconds"]["min"] for size in sizes]  # the round that others disturbed least
    slope = np.polyfit(np.log(SIZES), np.log(seconds), 1)[0]
    result = {
        "dim": DIM,
        "dtype": "float32",
        "rounds": options.rounds,
        "sizes": sizes,
        "log_log_slope_of_min": round(float(slope), 3),
        "targets_at_largest": {"seconds": TARGET_SECONDS, "peak_mb_over_inputs": TARGET_MB},
    }
    write_result("global_structure", result)


if __name__ == "__main__":
    main()
