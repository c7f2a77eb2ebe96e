"""Clusters of both sides with their partners, and maps of both sides in two dimensions."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darec.errors import ConfigError, did_you_mean
from darec.numerics.kmeans import kmeans
from darec.numerics.matching import match_clusters
from darec.types import IntArray

METHODS: Final = ("pca", "tsne", "umap")
Plane = NDArray[np.float64]


@dataclass(frozen=True)
class Partners:
    """Clusters of the same entities on two sides. Clusters of one number are partners; cluster 0 is the largest of C.

    Attributes:
        C: [n] cluster of each entity on the collaborative side.
        L: [n] cluster of each entity on the language side.
        n_clusters: number of clusters K.
    """

    C: IntArray
    L: IntArray
    n_clusters: int

    @property
    def agreement(self) -> float:
        """Return the share of the entities whose two clusters are partners."""
        return float((self.C == self.L).mean())

    @property
    def by_chance(self) -> float:
        """Return the expected share for independent clusters of these sizes."""
        sizes = [np.bincount(side, minlength=self.n_clusters) for side in (self.C, self.L)]
        return float(sizes[0] @ sizes[1]) / len(self.C) ** 2


def partnered(C: Tensor, L: Tensor, n_clusters: int, seed: int) -> Partners:
    """Cluster two tables of the same entities by K-means, and find each cluster's partner on the other side.

    Partners have the least total distance between centres, as in DaRec's local structure. If the tables differ in width
    and so have no distance, partners have the most members in common.

    Args:
        C: [n, d_C] float.
        L: [n, d_L] float.
        n_clusters: K, at most n.
        seed: of the starts.
    """
    found = [
        kmeans(side, n_clusters, generator=torch.Generator().manual_seed(seed)) for side in (C, L)
    ]
    own, other = (clusters.assignments.numpy() for clusters in found)
    if C.shape[1] == L.shape[1]:
        partner = match_clusters(found[0].centres, found[1].centres, "optimal").numpy()
    else:
        from scipy.optimize import linear_sum_assignment

        common = np.zeros((n_clusters, n_clusters))
        np.add.at(common, (own, other), 1)
        partner = linear_sum_assignment(common, maximize=True)[1]
    by_size = np.argsort(-np.bincount(own, minlength=n_clusters), kind="stable")
    number = np.empty(n_clusters, np.int64)
    number[by_size] = np.arange(n_clusters)
    number_of_partner = np.empty(n_clusters, np.int64)
    number_of_partner[partner] = number
    return Partners(number[own], number_of_partner[other], n_clusters)


def parse_methods(text: str) -> tuple[str, ...]:
    """Parse names of methods between commas.

    Raises ``ConfigError`` on an unknown one, or on UMAP without its package.
    """
    names = tuple(dict.fromkeys(name.strip().lower().replace("-", "") for name in text.split(",")))
    for name in names:
        if name not in METHODS:
            raise ConfigError(f"--methods: unknown method {name!r}: {did_you_mean(name, METHODS)}")
    if "umap" in names:
        _umap()
    return names


def plane(tables: Sequence[Tensor], method: str, seed: int) -> list[Plane]:
    """Map tables of one width together into two dimensions, so that the places of their rows can be compared.

    Args:
        tables: of [n, d] floats each.
        method: of :data:`METHODS`.
        seed: of t-SNE and UMAP.

    Returns:
        [n, 2] places for each table; all zero if every row is the same.
    """
    rows = torch.cat(list(tables)).double().numpy()
    places = np.zeros((len(rows), 2))
    if rows.std(axis=0).max() > 1e-9:
        found = _reduce(rows, method, seed)
        places[:, : found.shape[1]] = found
    return np.split(places, np.cumsum([len(table) for table in tables])[:-1])


def middles(places: Plane, clusters: IntArray, n_clusters: int) -> Plane:
    """[K, 2] mean place of each cluster's rows; NaN for a cluster without rows."""
    made = np.full((n_clusters, 2), np.nan)
    for cluster in np.unique(clusters):
        made[cluster] = places[clusters == cluster].mean(axis=0)
    return made


def _reduce(rows: Plane, method: str, seed: int) -> Plane:
    if method == "pca":
        from sklearn.decomposition import PCA

        return np.asarray(PCA(min(2, *rows.shape), svd_solver="full").fit_transform(rows))
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(rows) - 1) / 3)
        init = "pca" if rows.shape[1] > 1 else "random"
        return np.asarray(
            TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(rows)
        )
    neighbours = min(15, len(rows) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # UMAP warns that a seed means one thread
        reducer = _umap().UMAP(n_neighbors=neighbours, random_state=seed)
        return np.asarray(reducer.fit_transform(rows))


def _umap() -> Any:
    try:
        return importlib.import_module("umap")
    except ImportError:
        raise ConfigError(
            "UMAP needs the package umap-learn: pip install 'darec[umap]', or leave umap out of --methods."
        ) from None
