"""What a training step of every backbone costs, and of every alignment over LightGCN.

Toys with BPR, d = 32, batch 4096, one thread; steps of all contenders in turn. The ratio is to LightGCN alone.
RLMRec-Con's user term against growing catalogues is in benchmarks/numerics/infonce.py.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.common import interleaved, ratio, shared_dataset, spread, write_result
from darec.config import resolve_config
from darec.memory import keep_freed_memory
from darec.model import Model
from darec.registry import ALIGNMENTS, BACKBONES
from darec.testing.suites import tiny_text
from darec.types import Interactions, TextTable

STEPS, ROUNDS = 8, 3  # in a row, a multiple of the steps between DaRec's alignments
TEXT_DIM = 384


def stepper(
    backbone: str, alignment: str, train: Interactions, text: TextTable
) -> Callable[[], None]:
    """A function that takes ``STEPS`` optimiser steps."""
    config = resolve_config({"backbone": backbone, "alignment": alignment})
    generator = torch.Generator().manual_seed(0)
    model = Model(config, train, text, generator)
    optimizer = torch.optim.Adam(
        model.parameter_groups(config.train.l2, decoupled=False), lr=config.train.lr, fused=True
    )
    count = itertools.count()

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield from model.sampler.epoch(config.train.batch_size, generator)

    source = batches()

    def run() -> None:
        for _ in range(STEPS):
            step, (users, items) = next(count), next(source)
            model.train_step(
                users,
                items,
                optimizer,
                step=step,
                generator=generator,
                alignment_generator=generator,
            )

    return run


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        dataset = shared_dataset("toys", Path(folder) / "toys")
    text = tiny_text(dataset, TEXT_DIM)
    pairs = [(backbone, "none") for backbone in BACKBONES]
    pairs += [("lightgcn", alignment) for alignment in ALIGNMENTS if alignment != "none"]
    seconds = interleaved(
        {
            f"{backbone} + {alignment}": stepper(backbone, alignment, dataset.train, text)
            for backbone, alignment in pairs
        },
        rounds=ROUNDS,
    )
    base = seconds["lightgcn + none"]
    write_result(
        "step_cost",
        {
            "what": f"milliseconds a step, toys, BPR, text of {TEXT_DIM} columns",
            "pairs": {
                pair: {
                    "milliseconds": spread([1e3 * s / STEPS for s in values], 1),
                    "times_lightgcn": ratio(values, base),
                }
                for pair, values in seconds.items()
            },
        },
    )


if __name__ == "__main__":
    main()
