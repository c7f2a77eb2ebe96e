"""Neighbours by faiss' lists against exact ones, and what is said where they are not exact."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import darec
from darec.errors import ConfigError, DarecWarning
from darec.graph import find_neighbours, nearest, nearest_neighbours
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any table counts as too large to compare all rows."""
    pytest.importorskip("faiss", reason="faiss is not installed (darec[serve])")
    monkeypatch.setattr(nearest, "EXACT", 0)


def clustered(n: int = 2_000, d: int = 12, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(40, d, generator=draw)
    kinds = torch.randint(40, (n,), generator=draw)
    return centres[kinds] + 0.4 * torch.randn(n, d, generator=draw)


def test_small_tables_are_compared_row_by_row() -> None:
    found = find_neighbours(clustered(100), 5)
    rows, cosines = nearest_neighbours(clustered(100), 5)
    assert torch.equal(found.rows, rows) and torch.equal(found.cosines, cosines)
    assert found.recall is None


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lists_find_nearly_all_and_the_recall_that_is_told_is_the_true_one(
    dtype: torch.dtype,
) -> None:
    x = clustered().to(dtype)
    found = find_neighbours(x, 7)
    rows, _ = nearest_neighbours(x, 7)
    true = np.mean([np.isin(a, b).mean() for a, b in zip(rows, found.rows, strict=True)])
    assert found.recall is not None and found.recall >= nearest.WANTED
    assert abs(found.recall - true) < 0.02  # 500 of 2,000 rows tell it
    assert found.cosines.dtype == dtype and found.rows.shape == (2_000, 7)
    unit = F.normalize(x, dim=1)
    own = (unit[:, None] * unit[found.rows]).sum(2)
    torch.testing.assert_close(found.cosines, own, atol=1e-5, rtol=0)
    assert (found.cosines.diff(dim=1) <= 1e-6).all()
    assert not (found.rows == torch.arange(2_000)[:, None]).any()


@pytest.mark.usefixtures("large")
def test_the_same_is_found_again() -> None:
    first, second = (find_neighbours(clustered(), 5) for _ in range(2))
    assert torch.equal(first.rows, second.rows) and torch.equal(first.cosines, second.cosines)


@pytest.mark.usefixtures("large")
def test_queries_may_be_others_and_may_find_a_row_that_they_equal() -> None:
    x = clustered()
    found = find_neighbours(x, 3, x[:50])
    assert found.rows[:, 0].tolist() == list(range(50))
    torch.testing.assert_close(found.cosines[:, 0], torch.ones(50))


@pytest.mark.usefixtures("large")
def test_equal_rows_are_neighbours_of_one_another_and_never_of_themselves() -> None:
    x = clustered(30).repeat(40, 1)
    found = find_neighbours(x, 10)
    assert found.recall == 1.0
    assert not (found.rows == torch.arange(len(x))[:, None]).any()
    assert (found.rows % 30 == torch.arange(len(x))[:, None] % 30).all()
    torch.testing.assert_close(found.cosines, torch.ones(len(x), 10))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("zeros", [200, 10])
def test_lists_that_hold_too_few_are_made_up_for(zeros: int) -> None:
    """Ten lists, of which four are looked into, hold fewer than 250 rows each."""
    x = clustered(400)
    x[:zeros] = 0  # texts that say nothing
    found = find_neighbours(x, 300)
    assert (found.rows >= 0).all() and found.cosines.isfinite().all()
    assert all(len(set(row)) == 300 for row in found.rows.tolist())


@pytest.mark.usefixtures("large")
def test_a_recall_below_the_bound_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "PROBES", (1,))
    noise = torch.randn(3_000, 40, generator=torch.Generator().manual_seed(0))
    with pytest.warns(DarecWarning, match=r"of the nearest neighbours of 3,000 texts are found"):
        found = find_neighbours(noise, 10)
    assert found.recall is not None and 0 < found.recall < nearest.LEAST


@pytest.mark.usefixtures("large")
def test_more_lists_are_looked_into_until_the_recall_is_reached() -> None:
    noise = torch.randn(1_500, 40, generator=torch.Generator().manual_seed(0))
    recall = find_neighbours(noise, 10).recall
    assert recall is not None and recall >= nearest.WANTED


def test_without_faiss_all_are_compared_and_the_time_and_the_extra_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nearest, "EXACT", 0)
    monkeypatch.setitem(sys.modules, "faiss", None)
    x = clustered(300)
    with pytest.warns(DarecWarning, match=r"about 0:00:0.*pip install 'darec\[serve\]'"):
        found = find_neighbours(x, 4)
    assert torch.equal(found.rows, nearest_neighbours(x, 4)[0]) and found.recall is None


@pytest.mark.usefixtures("large")
def test_an_index_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darec.memory.available_memory", lambda: 1000.0)
    with pytest.raises(ConfigError, match="the index of 2,000 texts by 12 would take at least"):
        find_neighbours(clustered(), 3)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("backbone", ["lightgcn", "ease"])
def test_a_run_tells_the_recall_of_its_neighbours_where_they_are_not_exact(
    backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tiny_dataset(n_users=150, n_items=120)
    settings = {
        "backbone": backbone,
        "alignment": "darec",
        "train": {"epochs": 1, "monitor": "recall@5"},
        "evaluation.ks": [5],
    }

    def told() -> float | None:
        run = darec.fit(dataset, text=tiny_text(dataset), settings=settings, progress=False)
        return run.metrics.get("diagnostics/neighbour_recall")

    recall = told()
    assert recall is not None and nearest.WANTED <= recall <= 1
    monkeypatch.setattr(nearest, "EXACT", 1_000)
    assert told() is None
