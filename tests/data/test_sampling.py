from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.data.sampling import Sampler
from darec.errors import DataError
from darec.types import Interactions


def pairs(seed: int, n_users: int, n_items: int, density: float) -> Interactions:
    rng = np.random.default_rng(seed)
    filled = rng.random((n_users, n_items)) < density
    filled[:, 0] = False  # nobody has every item
    filled[0, 1] = True  # and somebody has one
    return Interactions.from_pairs(*np.nonzero(filled), n_users, n_items)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_items=st.integers(2, 12),
    density=st.sampled_from([0.1, 0.5, 0.95]),
)
def test_a_negative_is_never_a_training_positive(seed: int, n_items: int, density: float) -> None:
    train = pairs(seed, 6, n_items, density)
    users = torch.arange(6).repeat(50)
    drawn = Sampler(train).negatives(users, torch.Generator().manual_seed(seed))
    assert int(drawn.min()) >= 0 and int(drawn.max()) < n_items
    assert not train.contains(users.numpy(), drawn.numpy()).any()


def test_negatives_are_uniform_over_what_the_user_lacks() -> None:
    train = Interactions.from_pairs(np.array([0, 0, 0, 1]), np.array([0, 3, 4, 7]), 2, 8)
    n = 40_000
    drawn = Sampler(train).negatives(
        torch.zeros(n, dtype=torch.long), torch.Generator().manual_seed(0)
    )
    counts = np.bincount(drawn.numpy(), minlength=8)
    assert counts[[0, 3, 4]].sum() == 0
    expected = n / 5
    chi_square = ((counts[[1, 2, 5, 6, 7]] - expected) ** 2 / expected).sum()
    assert chi_square < 18.5  # 0.1% point of chi-square with 4 degrees of freedom


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n_items=st.integers(2, 12))
def test_blocked_marks_exactly_the_positives(seed: int, n_items: int) -> None:
    train = pairs(seed, 6, n_items, 0.4)
    sampler = Sampler(train)
    generator = torch.Generator().manual_seed(seed)
    users = torch.randint(6, (9,), generator=generator)
    items = torch.randperm(n_items, generator=generator)[: n_items // 2 + 1]
    for _ in range(2):  # the look-up buffer must be left clean
        blocked = sampler.blocked(users, items)
        expected = train.contains(users.numpy()[:, None], items.numpy()[None, :])
        assert (blocked.numpy() == expected).all()


def test_an_epoch_is_every_pair_once() -> None:
    train = pairs(1, 6, 10, 0.5)
    sampler = Sampler(train)
    batches = list(sampler.epoch(7, torch.Generator().manual_seed(0)))
    assert [len(users) for users, _ in batches[:-1]] == [7] * (len(batches) - 1)
    users, items = (torch.cat(side).numpy() for side in zip(*batches, strict=True))
    assert sorted(users * 10 + items) == train.keys.tolist()
    again, _ = next(sampler.epoch(7, torch.Generator().manual_seed(1)))
    assert again.tolist() != batches[0][0].tolist()


def test_a_user_with_every_item_is_in_no_epoch() -> None:
    users, items = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 2, 0, 1, 2])
    sampler = Sampler(Interactions.from_pairs(users, items, 3, 3))
    assert sampler.full_users.tolist() == [0] and len(sampler) == 3
    drawn = [torch.stack(batch, 1) for batch in sampler.epoch(2, torch.Generator().manual_seed(0))]
    assert sorted(map(tuple, torch.cat(drawn).tolist())) == [(1, 0), (2, 1), (2, 2)]
    assert sampler.item_degree.tolist() == [1, 1, 1]  # of the pairs that are learned from
    blocked = sampler.blocked(torch.tensor([0, 1, 2]), torch.tensor([2, 0]))
    assert blocked.tolist() == [[True, True], [False, True], [True, False]]
    assert sampler.negatives(torch.tensor([2] * 9), torch.Generator()).unique().tolist() == [0]


def test_nothing_is_learned_where_everybody_has_everything() -> None:
    train = Interactions.from_pairs(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), 2, 2)
    with pytest.raises(DataError, match="every user has all 2 items"):
        Sampler(train)


def test_an_empty_training_split_is_refused() -> None:
    with pytest.raises(DataError, match="training split is empty"):
        Sampler(Interactions.from_pairs(np.array([]), np.array([]), 2, 2))
