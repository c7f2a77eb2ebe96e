"""Parts for tests of one alignment alone: inputs, tables and batches without a backbone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from darec.alignments.base import AlignmentInputs
from darec.config import BPRConfig
from darec.data.sampling import Sampler
from darec.graph import Graph
from darec.losses import RankingLoss
from darec.types import Batch, Encoded, Interactions, Tables


def inputs(
    n_users: int,
    n_items: int,
    out_dim: int,
    text_dim: int,
    seed: int = 0,
    E_L: Tables | None = None,
) -> AlignmentInputs:
    """What an alignment over a backbone of width ``out_dim`` is built from; every third pair is a training pair.

    ``E_L``: the text; None: :func:`text` of that size.
    """
    pairs = np.arange(0, n_users * n_items, 3)
    train = Interactions.from_pairs(pairs // n_items, pairs % n_items, n_users, n_items)
    return AlignmentInputs(
        n_users=n_users,
        n_items=n_items,
        ego_dim=out_dim,
        out_dim=out_dim,
        text=E_L or text(n_users, n_items, text_dim),
        item_mask=torch.ones(n_items, dtype=torch.bool),
        graph=Graph(train),
        ranking=RankingLoss(BPRConfig(), Sampler(train)),
        generator=torch.Generator().manual_seed(seed),
    )


def table(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def encoded(n_users: int, n_items: int, d: int, seed: int = 0) -> Encoded:
    return Encoded(table(n_users, d, seed), table(n_items, d, seed + 1))


def text(n_users: int, n_items: int, d: int, seed: int = 5) -> Tables:
    return Tables(table(n_users, d, seed), table(n_items, d, seed + 1))


def batch(users: list[int], items: list[int], negatives: list[int], seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    rows = (torch.tensor(rows, dtype=torch.long) for rows in (users, items, negatives))
    return Batch(*rows, generator, 0)
