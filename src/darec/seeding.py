"""Seed torch's global generators, for modules that draw from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

_SPREAD: Final = 0x9E3779B1  # separates the steps of neighbouring seeds


@contextmanager
def seeded(seed: int, device: torch.device | None = None, step: int = 0) -> Iterator[None]:
    """Seed the global generators within the block, and restore them after it.

    The initial values of ``torch.nn.Linear`` and the masks of ``torch.nn.Dropout`` come from there.

    Args:
        seed: the run's.
        device: device of the tensors; None is the CPU.
        step: number of the training step, so that each step has other draws and a resumed run has the same ones.
    """
    seed = (seed * _SPREAD + step) % 2**32
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU too
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
