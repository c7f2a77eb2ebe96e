"""Matrices of low rank against dense ones, and the text's matrix against regressions column by column."""

from __future__ import annotations

import numpy as np
import torch

from darec.numerics.structure import LowRank, item_matrix


def test_products_are_those_of_the_dense_matrix():
    generator = torch.Generator().manual_seed(0)
    diagonal, left, right, other = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((9,), (9, 3), (9, 3), (4, 9))
    )
    matrix = LowRank(diagonal, left, right)
    dense = torch.diag(diagonal) + left @ right.T
    torch.testing.assert_close(matrix.dense(), dense)
    torch.testing.assert_close(matrix.dense(slice(2, 5)), dense[2:5])
    torch.testing.assert_close(matrix.times(other), other @ dense)


def test_each_column_is_a_ridge_regression_on_the_other_items():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((12, 5))
    features[4] = 0  # an item without text
    F = features.T
    found = item_matrix(torch.from_numpy(features), 0.7).dense().numpy()
    for item in range(12):
        others = np.delete(np.arange(12), item)
        A = F[:, others]
        told = np.linalg.solve(A.T @ A + 0.7 * np.eye(11), A.T @ F[:, item])
        np.testing.assert_allclose(found[others, item], told, atol=1e-9)
    np.testing.assert_allclose(np.diag(found), 0, atol=1e-12)
    assert not found[4].any() and not found[:, 4].any()
