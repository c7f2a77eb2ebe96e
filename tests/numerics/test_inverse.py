"""The inverse in place against numpy's, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.errors import ConfigError
from darec.numerics.inverse import invert_
from darec.progress import listening


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 70), leaf=st.sampled_from([1, 3, 16, 100]), seed=st.integers(0, 1000))
def test_it_is_the_inverse(n, leaf, seed):
    rows = np.random.default_rng(seed).standard_normal((n, n + 3))
    matrix = rows @ rows.T + 0.1 * np.eye(n)
    inverse = torch.from_numpy(matrix.copy())
    invert_(inverse, leaf=leaf)
    np.testing.assert_allclose(inverse.numpy(), np.linalg.inv(matrix), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(inverse.numpy(), inverse.numpy().T, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("leaf", [4, 100])
def test_a_singular_matrix_is_refused(leaf):
    with pytest.raises(ConfigError, match="singular or not positive definite: raise the ridge"):
        invert_(torch.ones(10, 10, dtype=torch.float64), leaf=leaf)


def test_progress_counts_every_step():
    heard = []
    with listening(lambda doing, done, total: heard.append((done, total))):
        invert_(torch.eye(40) * 2, leaf=10)
    assert heard == [(done, 16) for done in range(17)]  # four leaves, three splits of four steps
