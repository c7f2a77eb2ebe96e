"""Sums whose first scores are in memory: the same lists as of the sum itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from darec.scoring import AddedScorer, PopularityScorer, TableScorer
from darec.scoring.held import HeldSum, held_scores
from darec.types import IntArray, Tables

USERS = np.array([1, 4, 7, 8])


def parts() -> tuple[TableScorer, PopularityScorer]:
    generator = torch.Generator().manual_seed(3)
    tables = Tables(torch.randn(9, 5, generator=generator), torch.randn(40, 5, generator=generator))
    return TableScorer(tables), PopularityScorer(9, torch.rand(40, generator=generator))


@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("users", [USERS, np.array([0, 2]), None])
@pytest.mark.parametrize("candidates", [None, np.array([3, 5, 8, 13, 21])])
def test_lists_and_scores_are_those_of_the_sum(
    weight: float, users: IntArray | None, candidates: IntArray | None
) -> None:
    scorer, other = parts()
    summed = HeldSum(scorer, other, weight, USERS, held_scores(scorer, USERS))
    asked: dict[str, Any] = {"users": users, "k": 4, "candidates": candidates, "batch_size": 3}
    items, scores = AddedScorer([scorer, other], [1.0, weight]).top_k(**asked)
    found, found_scores = summed.top_k(**asked)
    np.testing.assert_array_equal(found, items)
    np.testing.assert_allclose(found_scores, scores, rtol=1e-5)


def test_the_scores_in_memory_are_used() -> None:
    scorer, other = parts()
    zeros = torch.zeros(len(USERS), 40)
    items, scores = HeldSum(scorer, other, 2.0, USERS, zeros).top_k(USERS, 40)
    np.testing.assert_allclose(scores, 2 * other.values.numpy()[items], rtol=1e-6)


def test_too_many_scores_are_computed_for_each_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, other = parts()
    monkeypatch.setattr("darec.scoring.held._MOST_BYTES", 4 * len(USERS) * 40)
    assert held_scores(scorer, USERS) is not None
    monkeypatch.setattr("darec.scoring.held._MOST_BYTES", 4 * len(USERS) * 40 - 1)
    assert held_scores(scorer, USERS) is None
    monkeypatch.setattr("darec.scoring.held._MOST_BYTES", 2**31)
    monkeypatch.setattr("darec.scoring.held.available_memory", lambda: 4.0 * 4 * len(USERS) * 40)
    assert held_scores(scorer, USERS) is not None
    monkeypatch.setattr("darec.scoring.held.available_memory", lambda: 16.0 * len(USERS) * 40 - 1)
    assert held_scores(scorer, USERS) is None
    summed = HeldSum(scorer, other, 0.5, USERS, None)
    np.testing.assert_allclose(
        summed.score(USERS), AddedScorer([scorer, other], [1.0, 0.5]).score(USERS)
    )
