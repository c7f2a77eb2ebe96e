"""torch's global generators, for what draws from them although it is handed generators of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global generators within the block, and put them back as they were after it.

    The initial values of ``torch.nn.Linear`` and the masks of ``torch.nn.Dropout`` come from there.

    Args:
        seed: of the generator of the CPU, and of the device where it is a GPU.
        device: where tensors are; None: the CPU.
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU too
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
