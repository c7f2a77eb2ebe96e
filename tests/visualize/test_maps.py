from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from darec.errors import ConfigError
from darec.visualize.maps import middles, parse_methods, partnered, plane


def blobs(n: int, k: int, width: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Rows around k far corners, of sizes that differ, and the corner of each."""
    rng = np.random.default_rng(seed)
    corner = np.sort(rng.integers(0, k, n) * rng.integers(0, 2, n))
    corner[:k] = np.arange(k)
    rows = 10 * np.eye(width)[corner] + 0.1 * rng.normal(size=(n, width))
    return torch.from_numpy(rows).float(), corner


@pytest.mark.parametrize("language_width", [6, 9])
def test_partners_of_the_same_planted_clusters_are_found(language_width: int) -> None:
    C, corner = blobs(120, 5, 6, seed=0)
    turned = torch.zeros(120, language_width)
    turned[:, :6] = C if language_width == 6 else C[:, [3, 1, 0, 2, 5, 4]]
    found = partnered(C, turned, 5, seed=3)
    assert found.agreement == 1
    sizes = np.bincount(found.C, minlength=5)
    assert sizes.tolist() == sorted(np.bincount(corner), reverse=True)
    assert found.by_chance == pytest.approx((sizes / 120) @ (sizes / 120))


def test_clusters_that_have_nothing_to_do_with_one_another_agree_by_chance() -> None:
    C, _ = blobs(4000, 3, 4, seed=0)
    L = C[torch.randperm(4000, generator=torch.Generator().manual_seed(0))]
    found = partnered(C, L, 3, seed=0)
    assert found.agreement == pytest.approx(found.by_chance, abs=0.03)


def test_pca_keeps_the_distances_of_rows_that_lie_in_a_plane() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(30, 2))
    turned = torch.from_numpy(flat @ np.linalg.qr(rng.normal(size=(7, 7)))[0][:2]).float()
    (first, second) = plane([turned[:10], turned[10:]], "pca", 0)
    assert pdist(np.concatenate([first, second])) == pytest.approx(pdist(flat), rel=1e-4)


def test_neighbours_in_the_map_are_neighbours_in_the_table() -> None:
    rows, corner = blobs(60, 3, 5, seed=1)
    (places,) = plane([rows], "tsne", 0)
    distance = np.linalg.norm(places[:, None] - places, axis=-1) + 1e9 * np.eye(60)
    assert (corner[distance.argmin(1)] == corner).mean() > 0.95
    assert np.array_equal(plane([rows], "tsne", 0)[0], places)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_collapsed_table_is_one_point(method: str) -> None:
    first, second = plane([torch.ones(9, 4), torch.ones(5, 4)], method, 0)
    assert not first.any() and first.shape == (9, 2) and second.shape == (5, 2)


def test_one_column_is_enough() -> None:
    (places,) = plane([torch.arange(5.0)[:, None]], "pca", 0)
    assert np.abs(np.diff(places[:, 0])) == pytest.approx(np.ones(4)) and not places[:, 1].any()


def test_the_middle_of_a_cluster_is_the_mean_of_its_places() -> None:
    places = np.array([[0.0, 0], [2, 4], [5, 5]])
    found = middles(places, np.array([0, 0, 2]), 3)
    assert found[[0, 2]].tolist() == [[1, 2], [5, 5]] and np.isnan(found[1]).all()


def test_methods_are_checked() -> None:
    assert parse_methods("PCA, t-SNE,pca") == ("pca", "tsne")
    with pytest.raises(ConfigError, match="unknown method 'tnse': did you mean 'tsne'"):
        parse_methods("tnse")


def test_umap_is_called_with_the_rows_and_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package itself compiles for a minute before its first map."""

    class Stub:
        def __init__(self, n_neighbors: int, random_state: int) -> None:
            self.asked = n_neighbors, random_state

        def fit_transform(self, rows: np.ndarray) -> np.ndarray:
            assert self.asked == (4, 7)
            return rows[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Stub))
    rows = torch.arange(15.0).reshape(5, 3)
    assert plane([rows], "umap", 7)[0].tolist() == rows[:, :2].tolist()


def test_umap_is_asked_for_by_name_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match=r"pip install 'darec\[umap\]'"):
        parse_methods("umap")
