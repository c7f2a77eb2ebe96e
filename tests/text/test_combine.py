"""Sources side by side: standardised, then concatenated or averaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.errors import TextError
from darec.text.combine import combine_tables
from darec.types import TextTable

N_USERS, N_ITEMS = 5, 9


def table(seed: int, dim: int, missing: int = 0, scale: float = 1.0) -> TextTable:
    rng = np.random.default_rng(seed)
    rows = (scale * rng.normal(size=(N_USERS + N_ITEMS, dim)) + 7).astype(np.float32)
    mask = np.ones(len(rows), bool)
    mask[len(rows) - missing :] = False
    parts = (a[s] for a in (rows, mask) for s in (slice(N_USERS), slice(N_USERS, None)))
    return TextTable(*parts, name="fake")


def rows(of: TextTable) -> np.ndarray:
    return np.concatenate([of.users, of.items])


def test_one_source_is_left_as_it_is() -> None:
    only = table(0, 3)
    assert combine_tables([only], "mean") is only


@given(st.integers(0, 99), st.floats(0.01, 100))
def test_inner_products_are_the_mean_of_the_sources_whatever_their_scale(
    seed: int, scale: float
) -> None:
    a, b = table(seed, 3), table(seed + 1, 4, scale=scale)
    both = rows(combine_tables([a, b], "concat"))
    assert both.shape == (N_USERS + N_ITEMS, 7)
    grams = []
    for one in (a, b):
        x = rows(one).astype(np.float64)
        x -= x.mean(0)
        grams.append(x @ x.T / (x**2).sum(1).mean())
    np.testing.assert_allclose(both @ both.T, sum(grams) / 2, atol=1e-3)
    np.testing.assert_allclose((both**2).sum(1).mean(), 1, rtol=1e-4)


def test_an_average_is_over_the_sources_that_there_are() -> None:
    a, b = table(1, 2), table(2, 2, missing=3)
    mean = combine_tables([a, b], "mean")
    both = combine_tables([a, b], "concat")
    halves = rows(both) * np.sqrt(2)
    np.testing.assert_allclose(rows(mean)[:-3], (halves[:-3, :2] + halves[:-3, 2:]) / 2, atol=1e-6)
    np.testing.assert_allclose(rows(mean)[-3:], halves[-3:, :2], atol=1e-6)
    assert not halves[-3:, 2:].any() and both.item_mask.all() and mean.name == "fake"
    neither = combine_tables([table(1, 2, missing=1), table(2, 2, missing=3)], "mean")
    assert neither.item_mask.tolist() == [True] * 8 + [False] and not neither.items[-1].any()


def test_other_widths_cannot_be_averaged() -> None:
    with pytest.raises(TextError, match="sources of 2, 3 dimensions cannot be averaged"):
        combine_tables([table(1, 2), table(2, 3)], "mean")
