"""The papers' case study: users who are far apart in the graph and have similar texts, and their ranks in each table.

The pairs are chosen by graph and text alone, before any representation is read (RLMRec, arXiv 2310.15950, and DaRec
show one pair each). Ranks can be compared between tables, and cosines cannot. A rank is the place of one user among
all others as a neighbour of the other user; 1 is the nearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from darec.data.dataset import Dataset
from darec.progress import OnStage
from darec.types import FloatArray, Interactions
from darec.visualize.sides import Sides, sample_rows

FAR: Final = (8, 6, 4)
"""Distances that count as far. The first one is taken at which half of the drawn users find a partner. At 2 two users
share an item, at 4 they share none, and at 6 their items also have no user in common."""
SHOWN: Final = 3
"""Number of pairs that are shown in full."""
_SHOWN_ITEMS: Final = 8
_CHUNK: Final = 64  # users whose distances to all others are in memory at once


@dataclass(frozen=True)
class Nearness:
    """How close two users are in one table.

    Attributes:
        cosine: of their rows.
        rank: of the second among the first's neighbours, from 1; the mean rank of equally close ones.
        rank_back: of the first among the second's neighbours.
    """

    cosine: float
    rank: float
    rank_back: float

    @property
    def mean_rank(self) -> float:
        """Return the mean of the two ranks."""
        return (self.rank + self.rank_back) / 2


@dataclass(frozen=True)
class Case:
    """A pair of users.

    Attributes:
        users: their ids.
        hops: number of edges on the shortest path between them in the training graph; None without a path.
        liked: titles of the first training items of each.
        items: number of training items of each.
        near: name of a table -> nearness in it.
    """

    users: tuple[str, str]
    hops: int | None
    liked: tuple[tuple[str, ...], tuple[str, ...]]
    items: tuple[int, int]
    near: dict[str, Nearness]


@dataclass(frozen=True)
class CaseStudy:
    """Pairs of users; those with the most similar texts come first.

    Attributes:
        cases: the pairs.
        hops: smallest distance of a pair.
        n_users: number of users U; the expected rank by chance is half of it.
    """

    cases: tuple[Case, ...]
    hops: int
    n_users: int

    def median_rank(self, table: str) -> float:
        """Return the median of the pairs' mean ranks in one table."""
        return float(np.median([case.near[table].mean_rank for case in self.cases]))


def study_cases(
    dataset: Dataset,
    users: Sides,
    tables: Mapping[str, Tensor],
    *,
    n_pairs: int = 100,
    anchors: int = 1000,
    hops: int | None = None,
    seed: int = 0,
    on_stage: OnStage = lambda what: None,
) -> CaseStudy | None:
    """Find pairs that are close in text and far apart in the graph, and compute their ranks in every table.

    Args:
        dataset: of the run.
        users: both sides of its users.
        tables: name -> [U, d] unit rows in which the pairs are ranked.
        n_pairs: the most pairs; a user is in one of them at most.
        anchors: number of users, drawn at random, who search a partner among all users.
        hops: smallest distance; None: see :data:`FAR`.
        seed: of the draw.
        on_stage: called with the name of each stage.

    Returns:
        The study; None if no two users with text are that far apart.
    """
    known = users.known.numpy()
    rows = np.flatnonzero(known)
    rows = rows[sample_rows(len(rows), anchors, seed)]
    text = users.tables["E_L"].numpy()
    wanted = FAR if hops is None else (hops,)
    best: dict[int, list[tuple[float, int, int, float]]] = {least: [] for least in wanted}
    for begin in range(0, len(rows), _CHUNK):
        on_stage(f"distances of {begin} of {len(rows)} users")
        part = rows[begin : begin + _CHUNK]
        distance = user_distances(dataset.train, part)
        cosine = text[part] @ text.T
        cosine[:, ~known] = -np.inf
        cosine[np.arange(len(part)), part] = -np.inf
        for least, found in best.items():
            far = np.where(distance >= least, cosine, -np.inf)
            partner = far.argmax(axis=1)
            for index, (a, b) in enumerate(zip(part.tolist(), partner.tolist(), strict=True)):
                if np.isfinite(far[index, b]):
                    found.append((float(far[index, b]), a, b, float(distance[index, b])))
    hops = next((least for least in wanted if 2 * len(best[least]) >= len(rows)), wanted[-1])
    pairs = _each_once(best[hops])[:n_pairs]
    if not pairs:
        return None
    on_stage(f"ranks of {len(pairs)} pairs")
    return CaseStudy(tuple(_cases(dataset, pairs, tables)), hops, dataset.n_users)


def user_distances(train: Interactions, users: NDArray[np.integer]) -> NDArray[np.float64]:
    """[n, U] edges on the shortest path from n users to every user in the bipartite graph; infinity without one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    n = train.n_users + train.n_items
    edges = (np.ones(len(train)), (train.users, train.n_users + train.items))
    graph = coo_array(edges, shape=(n, n)).tocsr()
    found = shortest_path(graph, method="D", directed=False, unweighted=True, indices=users)
    return np.asarray(found)[:, : train.n_users]


def nearness(table: FloatArray, a: int, b: int) -> Nearness:
    """Return how close two rows of a table of unit rows are, among all its rows."""
    return Nearness(float(table[a] @ table[b]), _rank(table, a, b), _rank(table, b, a))


def _rank(table: FloatArray, a: int, b: int) -> float:
    cosine = table @ table[a]
    others = np.arange(len(table)) != a
    nearer = (cosine[others] > cosine[b]).sum()
    equal = (cosine[others] == cosine[b]).sum()  # including b
    return float(1 + nearer + (equal - 1) / 2)


def _each_once(
    found: list[tuple[float, int, int, float]],
) -> list[tuple[float, int, int, float]]:
    """Return the most similar pairs first; a user stays only in the first of their pairs."""
    seen: set[int] = set()
    kept = []
    for pair in sorted(found, key=lambda pair: (-pair[0], pair[1])):
        if seen.isdisjoint(pair[1:3]):
            seen.update(pair[1:3])
            kept.append(pair)
    return kept


def _cases(
    dataset: Dataset, pairs: list[tuple[float, int, int, float]], tables: Mapping[str, Tensor]
) -> list[Case]:
    arrays = {name: table.numpy() for name, table in tables.items()}

    def titles(user: int) -> tuple[str, ...]:
        items = dataset.train.of_user(user)[:_SHOWN_ITEMS]
        return tuple(dataset.title(int(item)) for item in items)

    degree = dataset.train.user_degree
    return [
        Case(
            users=(dataset.users.texts[a], dataset.users.texts[b]),
            hops=int(distance) if np.isfinite(distance) else None,
            liked=(titles(a), titles(b)),
            items=(int(degree[a]), int(degree[b])),
            near={name: nearness(array, a, b) for name, array in arrays.items()},
        )
        for _, a, b, distance in pairs
    ]
