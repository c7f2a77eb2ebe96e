from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from darec.config import BPRConfig, SoftmaxConfig
from darec.data.sampling import Sampler
from darec.losses import RankingLoss, bpr_loss, sampled_softmax_loss
from darec.types import Batch, Interactions, Tables

TRAIN = Interactions.from_pairs(np.array([0, 0, 1, 2, 2, 3]), np.array([0, 1, 1, 2, 3, 4]), 4, 6)


def draw(config: BPRConfig | SoftmaxConfig, seed: int = 0) -> tuple[RankingLoss, Batch]:
    ranking = RankingLoss(config, Sampler(TRAIN))
    generator = torch.Generator().manual_seed(seed)
    users, items = torch.from_numpy(TRAIN.users), torch.from_numpy(TRAIN.items)
    batch = ranking.batch(users, items, 0, generator=generator, alignment_generator=generator)
    return ranking, batch


def tables(seed: int = 0) -> Tables:
    generator = torch.Generator().manual_seed(seed)
    return Tables(
        torch.randn(4, 3, dtype=torch.float64, generator=generator),
        torch.randn(6, 3, dtype=torch.float64, generator=generator),
    )


def test_bpr_is_minus_log_sigmoid() -> None:
    positive, negative = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    expected = -(math.log(1 / (1 + math.exp(-0.5))) + math.log(1 / (1 + math.exp(5.0)))) / 2
    assert bpr_loss(positive - negative).item() == pytest.approx(expected, rel=1e-6)


def test_softmax_is_cross_entropy_without_weights() -> None:
    scores = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    loss = sampled_softmax_loss(scores[:, 0], scores[:, 1:])
    expected = F.cross_entropy(scores, torch.zeros(5, dtype=torch.long))
    torch.testing.assert_close(loss, expected)


def test_softmax_losses_gradients_by_finite_differences() -> None:
    positive = torch.randn(3, dtype=torch.float64, requires_grad=True)
    negative = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    blocked = torch.tensor([[True, False, False, False]] * 3)
    weight = torch.randn(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p, n: sampled_softmax_loss(p, n, weight, blocked), (positive, negative)
    )


def test_a_row_whose_negatives_are_all_blocked_costs_nothing() -> None:
    negative = torch.zeros(1, 2, requires_grad=True)
    loss = sampled_softmax_loss(torch.zeros(1), negative, blocked=torch.ones(1, 2).bool())
    loss.backward()
    assert loss.item() == 0.0 and not negative.grad.isnan().any()


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("negatives", ["uniform", "in-batch"])
def test_softmax_against_a_loop_over_draws(similarity: str, negatives: str) -> None:
    """Distinct columns with log counts equal one column a draw; positives of the user never count."""
    config = SoftmaxConfig(
        negatives=negatives, n_negatives=40, similarity=similarity, temperature=0.3
    )
    ranking, batch = draw(config)
    table = tables()
    counts = torch.exp(batch.log_weight).round().int().tolist()
    assert sum(counts) == (40 if negatives == "uniform" else len(TRAIN))
    total = 0.0
    for user, item in zip(batch.users.tolist(), batch.items.tolist(), strict=True):

        def score(other: int, user: int = user) -> float:
            u, i = table.users[user], table.items[other]
            norm = u.norm() * i.norm() if similarity == "cosine" else 1.0
            return float(u @ i / norm) / 0.3

        partition = math.exp(score(item))
        for negative, count in zip(batch.negatives.tolist(), counts, strict=True):
            if negative not in TRAIN.of_user(user):
                partition += count * math.exp(score(negative))
        total += math.log(partition) - score(item)
    assert ranking(table, batch).item() == pytest.approx(total / len(TRAIN), rel=1e-6)


def test_log_q_makes_the_sampled_partition_unbiased() -> None:
    """With the correction, the negatives' weighted sum estimates the sum over all items."""
    scores = torch.randn(6, generator=torch.Generator().manual_seed(3)).exp()
    sums = []
    for seed in range(400):
        _, batch = draw(SoftmaxConfig(n_negatives=30, log_q=True), seed)
        sums.append(float((scores[batch.negatives] * batch.log_weight.exp()).sum()))
    error = np.std(sums) / math.sqrt(len(sums))
    assert abs(np.mean(sums) - float(scores.sum())) < 4 * error


def test_log_q_of_in_batch_negatives_uses_item_popularity() -> None:
    _, batch = draw(SoftmaxConfig(negatives="in-batch", log_q=True))
    # The batch is the whole training set, so each item is drawn exactly as often as expected.
    torch.testing.assert_close(batch.log_weight, torch.zeros(5))


def test_bpr_batches_and_tables() -> None:
    ranking, batch = draw(BPRConfig())
    table = tables()
    u, p, n = (
        table.users[batch.users],
        table.items[batch.items],
        table.items[batch.negatives],
    )
    torch.testing.assert_close(ranking(table, batch), bpr_loss((u * p).sum(1) - (u * n).sum(1)))
    assert ranking.scored(table).users is table.users


def test_scored_tables_rank_as_the_loss_scores() -> None:
    ranking, _ = draw(SoftmaxConfig())
    scored = ranking.scored(tables())
    torch.testing.assert_close(scored.items.norm(dim=1), torch.ones(6, dtype=torch.float64))
