"""X'X and its square parts, against dense products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from darec.numerics.gram import Gram, gram_bytes


def matrix(seed: int, users: int = 40, items: int = 17) -> np.ndarray:
    rng = np.random.default_rng(seed)
    popular = rng.random(items) ** 2
    return (rng.random((users, items)) < popular).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 20), st.permutations(range(17)), st.integers(1, 17))
def test_parts_are_those_of_the_dense_product(seed, head, order, count):
    X = matrix(seed)
    gram = Gram(sparse.csr_array(X), head)
    dense, places = X.T @ X, np.full(17, -1, np.int32)
    columns = np.array(order[:count])
    np.testing.assert_array_equal(gram.among(columns, places), dense[np.ix_(columns, columns)])
    assert (places == -1).all()
    found, counts = gram.row(order[0])
    assert found.tolist() == np.flatnonzero(dense[order[0]]).tolist()
    np.testing.assert_array_equal(counts, dense[order[0], found])


@pytest.mark.parametrize("items", [17, 3000])
def test_the_size_is_estimated(items):
    X = sparse.csr_array(
        matrix(1, 200, items) * (np.random.default_rng(0).random((200, items)) < 0.05)
    )
    X.eliminate_zeros()
    size = 8 * (X.T @ X).nnz
    assert gram_bytes(X) == pytest.approx(size, rel=0.1)
