"""torch's global generators, for what draws from them although it is handed generators of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

_SPREAD: Final = 0x9E3779B1  # puts the steps of neighbouring seeds far apart


@contextmanager
def seeded(seed: int, device: torch.device | None = None, step: int = 0) -> Iterator[None]:
    """Seed the global generators within the block, and put them back as they were after it.

    The initial values of ``torch.nn.Linear`` and the masks of ``torch.nn.Dropout`` come from there.

    Args:
        seed: the run's.
        device: where tensors are; None: the CPU.
        step: number of the training step, so that each draws anew and a resumed run draws the same.
    """
    seed = (seed * _SPREAD + step) % 2**32
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU too
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
