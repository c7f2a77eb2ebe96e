from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from darec.visualize.similarity import correlation, similarities

ROWS = np.array([1, 2, 3, 5, 8, 13, 18, 7, 0])
CLUSTERS = np.arange(20) % 3


def unit(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(20, 4, generator=generator), dim=1)


def test_rows_of_a_cluster_stand_together_those_near_its_middle_first() -> None:
    tables = {"a": unit(0), "b": unit(1)}
    found = similarities(tables, ROWS, CLUSTERS, order="a")
    assert found.bounds.tolist() == [3, 6]
    expected: list[int] = []
    for members in ([3, 18, 0], [1, 13, 7], [2, 5, 8]):
        middle = tables["a"][members].mean(0)
        expected += sorted(members, key=lambda row: -float(tables["a"][row] @ middle))
    for name, table in tables.items():
        ordered = table[expected]
        np.testing.assert_allclose(found.matrices[name], ordered @ ordered.T, atol=1e-6)


def test_correlation_is_over_distinct_pairs() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(6, 6))
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
    b = rng.normal(size=(6, 6))
    wanted = np.corrcoef([a[p] for p in pairs], [b[p] for p in pairs])[0, 1]
    assert correlation(a, b) == pytest.approx(wanted)
    assert correlation(a, 3 - 2 * a) == pytest.approx(-1)
    assert correlation(a, np.ones((6, 6))) is None
