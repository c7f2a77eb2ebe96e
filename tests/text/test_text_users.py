"""Users' language vectors: formulas by hand, and proof that held-out interactions cannot reach them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.text import embed
from darec.text.users import TextVectors, fill_missing, make_table, pool_users
from darec.types import Interactions

ITEMS = np.array([[3, 4], [5, 0], [0, 5], [0, 0]], np.float32)
ITEM_MASK = np.array([True, True, True, False])
TRAIN = Interactions.from_pairs(np.array([0, 0, 1, 1, 2, 4]), np.array([0, 1, 1, 3, 3, 0]), 5, 4)


def by_hand(pooling: str) -> list[np.ndarray | None]:
    """The formula in a loop: mean or idf-weighted mean of the items with text, scaled to length 5."""
    n_active = len({*TRAIN.users.tolist()})
    pooled: list[np.ndarray | None] = []
    for user in range(5):
        items = [i for i in TRAIN.of_user(user) if ITEM_MASK[i]]
        weights = [
            math.log((1 + n_active) / (1 + sum(TRAIN.items == i))) + 1 if pooling == "idf" else 1.0
            for i in items
        ]
        if not items:
            pooled.append(None)
            continue
        mean = sum(w * ITEMS[i] for w, i in zip(weights, items, strict=True)) / sum(weights)
        pooled.append(5 * mean / np.linalg.norm(mean))
    return pooled


@pytest.mark.parametrize("pooling", ["mean", "idf"])
def test_pooling_is_the_formula_and_masks_users_without_text(pooling: str) -> None:
    users, mask = pool_users(ITEMS, ITEM_MASK, TRAIN, pooling)  # type: ignore[arg-type]
    expected = by_hand(pooling)
    assert (
        mask.tolist() == [row is not None for row in expected] == [True, True, False, False, True]
    )
    for row, hand in zip(users, expected, strict=True):
        np.testing.assert_allclose(row, np.zeros(2) if hand is None else hand, rtol=1e-6)


def test_idf_leans_to_the_rarer_item() -> None:
    train = Interactions.from_pairs(np.array([0, 0, 1, 2]), np.array([1, 2, 1, 1]), 3, 4)
    plain, _ = pool_users(ITEMS, ITEM_MASK, train, "mean")
    weighted, _ = pool_users(ITEMS, ITEM_MASK, train, "idf")
    assert plain[0, 0] == pytest.approx(plain[0, 1])
    assert weighted[0, 1] > weighted[0, 0]


def test_opposite_items_leave_no_direction() -> None:
    items = np.array([[0.1, 0.2], [-0.1, -0.2]], np.float32)
    train = Interactions.from_pairs(np.array([0, 0]), np.array([0, 1]), 1, 2)
    users, mask = pool_users(items, np.array([True, True]), train)
    assert not mask[0] and not users.any()


def test_missing_rows_get_the_mean_of_the_others() -> None:
    filled = fill_missing(ITEMS, ITEM_MASK)
    np.testing.assert_allclose(filled[3], [8 / 3, 3], rtol=1e-6)
    np.testing.assert_array_equal(filled[:3], ITEMS[:3])
    table = make_table(TextVectors(ITEMS, ITEM_MASK), TRAIN, "mean", "x")
    np.testing.assert_allclose(table.users[2], table.users[[0, 1, 4]].mean(axis=0), rtol=1e-6)
    assert table.user_mask.tolist() == [True, True, False, False, True]


def test_nobody_with_text_and_an_unknown_pooling_are_refused() -> None:
    alone = Interactions.from_pairs(np.array([0]), np.array([3]), 2, 4)
    with pytest.raises(TextError, match="no user has a training item with text"):
        make_table(TextVectors(ITEMS, ITEM_MASK), alone, "mean", "x")
    with pytest.raises(TextError, match="unknown user pooling 'max'"):
        make_table(TextVectors(ITEMS, ITEM_MASK), TRAIN, "max", "x")  # type: ignore[arg-type]


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=24)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(valid=pairs, test=pairs, pooling=st.sampled_from(["mean", "idf"]))
def test_no_validation_or_test_interaction_reaches_a_vector(
    shop: Dataset, fake: type, valid: list, test: list, pooling: str
) -> None:
    """Whatever the held-out splits hold, every vector and mask is the same to the bit."""

    def split(of: list) -> Interactions:
        table = np.array(of, np.int64).reshape(-1, 2)
        return Interactions.from_pairs(table[:, 0], table[:, 1], shop.n_users, shop.n_items)

    nothing, something = split([]), replace(shop, valid=split(valid), test=split(test))
    bare = replace(shop, valid=nothing, test=nothing)
    for encoder in ("fake", "tfidf"):
        a = embed(bare, encoder, pooling=pooling, progress=False)
        b = embed(something, encoder, pooling=pooling, progress=False)
        for name in ("users", "items", "user_mask", "item_mask"):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes()


def test_a_training_interaction_does_reach_it(
    make_dataset: Callable[..., Dataset], fake: type
) -> None:
    """The counterpart without which the test above could pass on a constant."""
    texts = ["red train", "blue boat", "chess board"]
    a = embed(make_dataset(texts, [(0, 0), (1, 1)]), "fake", progress=False)
    b = embed(make_dataset(texts, [(0, 0), (0, 2), (1, 1)]), "fake", progress=False)
    assert not np.array_equal(a.users[0], b.users[0])
    np.testing.assert_array_equal(a.users[1], b.users[1])
