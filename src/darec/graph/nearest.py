"""Nearest rows by cosine: small tables compare all pairs, and larger ones use the lists of faiss.

Comparing all rows costs n m d operations, quadratic in the items of a catalogue. Inverted lists (Sivic & Zisserman
2003; faiss' ``IndexIVFFlat``) group the rows by direction and compare a row with those of a few lists only: about
``n sqrt(n) d``. The number of lists that are searched is chosen by the recall of a sample of rows, and the recall is
reported (docs/studies/text-neighbours.md).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.errors import ConfigError, DarecWarning
from darec.memory import require_memory
from darec.numerics.vector_index import INSTALL, build_index, import_faiss
from darec.progress import counted, span

EXACT: Final = 50_000
"""Up to this number of rows, all pairs are compared: half a minute on one core, for 384 columns."""
WANTED: Final = 0.98
"""The number of searched lists grows until the sample reaches this recall."""
LEAST: Final = 0.95
"""A smaller recall gives a warning."""
SAMPLE: Final = 500
"""Number of sampled rows whose neighbours are compared with exact ones."""
PROBES: Final = (4, 8, 16, 32, 64, 128, 256, 512)
"""Numbers of lists to search, in ascending order."""
_BLOCK: Final = 1024  # the most rows that are compared at once with all others
_COSINES: Final = 2**26  # scores in memory at once: 256 MiB
_SEARCHED: Final = 4096  # queries that are searched at once
_ROUNDING: Final = 1e-5  # largest difference between two ways to compute a cosine


class Neighbours(NamedTuple):
    """Nearest rows, nearest first.

    Attributes:
        rows: [m, k] long.
        cosines: [m, k].
        recall: share of the exact neighbours that are among them, measured on a sample; None if all rows were compared.
    """

    rows: Tensor
    cosines: Tensor
    recall: float | None


def nearest_neighbours(
    x: Tensor, count: int, queries: Tensor | None = None, *, block: int = _BLOCK
) -> tuple[Tensor, Tensor]:
    """Find the rows of largest cosine with each query; exact, in O(n m d) time and 256 MiB.

    Args:
        x: [n, d].
        count: k, at most n.
        queries: [m, d], at least one; None: the rows of ``x``, each of which is then left out of its own neighbours.
        block: the most queries that are compared at once with all rows.

    Returns:
        [m, k] long rows, nearest first, and their [m, k] cosines.

    Raises:
        ValueError: k is below 1, or above the number of rows that a query can have.
    """
    unit, asked, own = _prepared(x, count, queries)
    return _compared(unit, asked, own, count, block)


def find_neighbours(x: Tensor, count: int, queries: Tensor | None = None) -> Neighbours:
    """Find the rows of largest cosine with each query: exact up to :data:`EXACT` rows, otherwise by faiss.

    Without faiss they are exact at any size, and a warning gives the expected time.

    Args:
        x: [n, d].
        count: k, at most n.
        queries: [m, d], at least one; None: the rows of ``x``, each of which is then left out of its own neighbours.

    Raises:
        ValueError: k is below 1, or above the number of rows that a query can have.
        ConfigError: there is too little memory for the index.
    """
    unit, asked, own = _prepared(x, count, queries)
    if len(unit) * len(asked) <= EXACT**2:
        return Neighbours(*_compared(unit, asked, own, count), None)
    try:
        faiss = import_faiss("")
    except ConfigError:
        _warn_of_time(unit, asked)
        return Neighbours(*_compared(unit, asked, own, count), None)
    rows, cosines, recall = _Lists(faiss, unit, count).search(asked, own)
    if recall < LEAST:
        warnings.warn(
            f"{recall:.1%} of the nearest neighbours of {len(unit):,} texts are found, fewer than {LEAST:.0%}: "
            "the vectors do not form groups by direction. Means over neighbours are a little less precise.",
            DarecWarning,
            stacklevel=2,
        )
    return Neighbours(rows, cosines, recall)


def _prepared(
    x: Tensor, count: int, queries: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Unit rows of both, and the row of each query in ``x``; None if queries are not rows of ``x``."""
    most = len(x) - (queries is None)
    if not 1 <= count <= most:
        raise ValueError(f"{count} neighbours of {len(x)} rows: choose 1 to {most}")
    unit = F.normalize(x, dim=1)
    if queries is None:
        return unit, unit, torch.arange(len(x), device=x.device)
    return unit, F.normalize(queries, dim=1), None


def _compared(
    unit: Tensor, asked: Tensor, own: Tensor | None, count: int, block: int = _BLOCK
) -> tuple[Tensor, Tensor]:
    """Compare every query with every row."""
    found = []
    block = max(1, min(block, _COSINES // len(unit)))
    for start in counted(range(0, len(asked), block), "nearest neighbours"):
        cosines = asked[start : start + block] @ unit.T
        if own is not None:
            cosines.scatter_(1, own[start : start + block, None], -torch.inf)
        found.append(cosines.topk(count, dim=1))
    return torch.cat([top.indices for top in found]), torch.cat([top.values for top in found])


def _warn_of_time(unit: Tensor, asked: Tensor) -> None:
    """Report how long comparing all rows takes, estimated from the time of a few."""
    few = asked[:64]
    started = time.perf_counter()
    (few @ unit.T).topk(1, dim=1)
    seconds = (time.perf_counter() - started) * len(asked) / len(few)
    warnings.warn(
        f"each of {len(asked):,} texts is compared with {len(unit):,}, which takes about {span(seconds)} (h:mm:ss) "
        f"here. With faiss this takes a small part of that time: {INSTALL}.",
        DarecWarning,
        stacklevel=3,
    )


class _Lists:
    """faiss' inverted lists over unit rows; as many are searched as the recall needs."""

    def __init__(self, faiss: Any, unit: Tensor, count: int) -> None:
        require_memory(
            4 * unit.numel(),
            f"the index of {len(unit):,} texts by {unit.shape[1]}",
            "keep fewer dimensions ('darec encode --pca 128')",
        )
        self.faiss, self.unit, self.count = faiss, unit, count
        with self._threads():
            self.index = build_index(faiss, unit.cpu().numpy(), "ivf", 0)

    def search(self, asked: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor, float]:
        """Neighbours of all queries, their cosines, and the recall, with the fewest lists that suffice."""
        drawn = torch.randperm(len(asked), generator=torch.Generator().manual_seed(0))[:SAMPLE]
        drawn = drawn.to(asked.device)
        sample, sampled = asked[drawn], None if own is None else own[drawn]
        _, exact = _compared(self.unit, sample, sampled, self.count)
        recall, probes = 0.0, PROBES[0]
        for probes in PROBES:
            _, cosines = self._found(sample, sampled, probes)
            # Equal texts are equally near, whichever of them is named.
            recall = float((cosines >= exact[:, -1:] - _ROUNDING).double().mean())
            if recall >= WANTED or probes >= self.index.nlist:
                break
        blocks = counted(range(0, len(asked), _SEARCHED), "nearest neighbours")
        found = [
            self._found(
                asked[start : start + _SEARCHED],
                None if own is None else own[start : start + _SEARCHED],
                probes,
            )
            for start in blocks
        ]
        rows, cosines = (torch.cat(parts) for parts in zip(*found, strict=True))
        return rows, cosines, recall

    def _found(self, asked: Tensor, own: Tensor | None, probes: int) -> tuple[Tensor, Tensor]:
        """Rows and cosines from this number of lists; if these contain too few rows, every row is compared."""
        how = self.faiss.SearchParametersIVF(nprobe=min(probes, self.index.nlist))
        count = self.count + (own is not None)
        with self._threads():
            products, places = self.index.search(asked.cpu().float().numpy(), count, params=how)
        rows = torch.from_numpy(places).to(asked.device)
        cosines = torch.from_numpy(products).to(asked)
        if own is not None:  # a row is nearest to itself, unless others are equal to it
            out = rows == own[:, None]
            out[:, -1] |= ~out.any(dim=1)
            kept = ~out
            rows, cosines = (part[kept].view(-1, self.count) for part in (rows, cosines))
        few = (rows < 0).any(dim=1)
        if few.any():
            mine = None if own is None else own[few]
            rows[few], cosines[few] = _compared(self.unit, asked[few], mine, self.count)
        return rows, cosines

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """Use as many threads as torch has: the number is an option of a run."""
        before = self.faiss.omp_get_max_threads()
        self.faiss.omp_set_num_threads(torch.get_num_threads())
        try:
            yield
        finally:
            self.faiss.omp_set_num_threads(before)
