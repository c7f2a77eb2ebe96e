"""Ranking losses: pure functions of scores, and the run's loss as an object that works on any pair of tables."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.config import BPRConfig, SoftmaxConfig
from darec.data.sampling import Sampler
from darec.processes import WHOLE, Layout
from darec.types import Batch, Tables


def bpr_loss(margin: Tensor) -> Tensor:
    """Bayesian personalised ranking, ``mean -log sigmoid(margin)`` (Rendle et al. 2009, eq. 4).

    Args:
        margin: [B] score of each positive minus that of its negative.
    """
    return F.softplus(-margin).mean()


def sampled_softmax_loss(
    positive: Tensor,
    negative: Tensor,
    log_weight: Tensor | None = None,
    blocked: Tensor | None = None,
) -> Tensor:
    """Softmax cross-entropy of each positive against negatives shared by the batch (Wu et al. 2022, eq. 5).

    Args:
        positive: [B] scores of the positives, already divided by the temperature.
        negative: [B, M] scores of the negatives, already divided by the temperature.
        log_weight: [M] added to the negatives' scores: the log of how often each was drawn, minus log Q.
        blocked: [B, M] True if a column must not be a negative of a row.
    """
    if log_weight is not None:
        negative = negative + log_weight
    if blocked is not None:
        negative = negative.masked_fill(blocked, -torch.inf)
    return (torch.logaddexp(torch.logsumexp(negative, dim=1), positive) - positive).mean()


class RankingLoss:
    """The ranking loss of a run: draws the negatives it needs and turns tables into a scalar.

    Args:
        config: the loss and its settings.
        sampler: source of negatives.
        layout: how the tables are divided among processes.

    Attributes:
        temperature: the temperature of sampled softmax. If the configuration has none, it is set before training.
    """

    def __init__(
        self, config: BPRConfig | SoftmaxConfig, sampler: Sampler, layout: Layout = WHOLE
    ) -> None:
        self.config = config
        self.sampler = sampler
        self.layout = layout
        self.temperature = getattr(config, "temperature", None) or 1.0

    def batch(
        self,
        users: Tensor,
        items: Tensor,
        step: int,
        *,
        generator: torch.Generator,
        alignment_generator: torch.Generator,
    ) -> Batch:
        """A batch of [B] positives with the negatives that this loss wants, drawn from ``generator``."""
        config, sampler = self.config, self.sampler
        if isinstance(config, BPRConfig):
            drawn = sampler.negatives(users, generator)
            return Batch(users, items, drawn, alignment_generator, step)
        if config.negatives == "uniform":
            drawn = torch.randint(
                sampler.n_items, (config.n_negatives,), generator=generator, device=items.device
            )
        else:
            drawn = items
        negatives, counts = torch.unique(drawn, return_counts=True)
        log_weight = torch.log(counts.float())
        if config.log_q:
            if config.negatives == "uniform":
                share = torch.full_like(log_weight, 1.0 / sampler.n_items)
            else:
                share = sampler.item_degree[negatives].float() / len(sampler)
            log_weight = log_weight - torch.log(share * len(drawn))
        own = self.layout.share(users, self.layout.cuts(users, "users"))
        blocked = sampler.blocked(own, negatives)
        return Batch(users, items, negatives, alignment_generator, step, log_weight, blocked)

    def scored(self, tables: Tables, layout: Layout = WHOLE) -> Tables:
        """The tables whose inner products rank like this loss: with unit rows if it uses cosines.

        Args:
            tables: [U, d] and [I, d].
            layout: how they are divided among processes.
        """
        if isinstance(self.config, SoftmaxConfig) and self.config.similarity == "cosine":
            return Tables(layout.unit(tables.users), layout.unit(tables.items))
        return Tables(tables.users, tables.items)

    def __call__(self, tables: Tables, batch: Batch) -> Tensor:
        """The loss of [U, d] and [I, d] tables on a batch made by :meth:`batch`."""
        if isinstance(self.config, BPRConfig):
            return self.layout.mean_of_margins(bpr_loss, tables, batch)
        layout, cuts = self.layout, self.layout.cuts(batch.users, "users")
        (users,) = layout.dealt(tables.users, "users", [batch.users], cuts)
        positives, negatives = layout.dealt(
            tables.items, "items", [batch.items], cuts, [batch.negatives]
        )
        if self.config.similarity == "cosine":
            users, positives, negatives = (
                F.normalize(rows, dim=1) for rows in (users, positives, negatives)
            )
        users = users / self.temperature
        loss = sampled_softmax_loss(
            (users * positives).sum(1), users @ negatives.T, batch.log_weight, batch.blocked
        )
        return layout.mean(loss, cuts)
