"""Contrast between two views of the same entities: what SGL, SimGCL and XSimGCL add to the ranking loss."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.infonce import info_nce
from darec.types import Batch, Tables

Candidates = Literal["all", "batch"]


class ContrastSettings(Protocol):
    """What the config of a model that contrasts views has."""

    @property
    def contrast(self) -> float:
        """Weight of the contrast."""

    @property
    def temperature(self) -> float:
        """Divides the cosines."""

    @property
    def candidates(self) -> Candidates:
        """Tell an entity from all others (SGL, eq. 10), or from those of the batch (SimGCL, eq. 4)."""


def contrast_views(first: Tables, second: Tables, batch: Batch, config: ContrastSettings) -> Tensor:
    """Weighted InfoNCE from the batch's users in one view to the users of the other, plus the same for its items.

    An entity counts as often as the batch holds it, and is computed once.

    Args:
        first: [U, d] and [I, d].
        second: the same entities, otherwise encoded.
        batch: whose users and positives are contrasted.
        config: weight, temperature and candidates.
    """
    total: Tensor = first.users.new_zeros(())
    for entities, one, other in (
        (batch.users, first.users, second.users),
        (batch.items, first.items, second.items),
    ):
        rows, counts = torch.unique(entities, return_counts=True)
        total = total + info_nce(
            one.index_select(0, rows),
            other.index_select(0, rows),
            other if config.candidates == "all" else None,
            temperature=config.temperature,
            counts=counts,
        )
    return config.contrast * total


def perturbed(x: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """Add to each row noise of length ``eps`` that leaves every sign as it is (Yu et al. 2022, eq. 7 and 8).

    Args:
        x: [N, d].
        eps: length of the noise.
        generator: its source.
    """
    noise = torch.rand(x.shape, generator=generator, device=generator.device, dtype=x.dtype)
    noise *= torch.sign(x.detach())
    return x + F.normalize(noise, dim=1) * eps
