"""An index over vectors of items: finds those with the largest inner products without computing all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from darec.errors import DataError, RunError
from darec.numerics import vector_index
from darec.numerics.vector_index import Kind
from darec.types import FloatArray, IntArray

EFFORTS: Final[dict[Kind, tuple[int, ...]]] = {
    "flat": (1,),
    "hnsw": (64, 128, 256, 512, 1024, 2048),
    "ivf": (8, 16, 32, 64, 128, 256, 512, 1024),
}
"""Efforts of a search, from least to most: items on the way (HNSW's ef), or lists (IVF's nprobe)."""
_STEP: Final = 100.0
"""How many scores are computed in the time of one step through the graph; measured by benchmarks/index.py."""
_START: Final = 20_000.0
"""How many scores are computed in the remaining time of a search, which includes scoring the items that it finds."""
_DEAD: Final = 0.2
"""Share of removed items at which an index is rebuilt."""


def import_faiss() -> Any:
    """Import faiss. Raises ``ConfigError`` if it is not installed."""
    return vector_index.import_faiss(
        "Without it, 'darec index BUNDLE --kind flat' removes the index of a bundle, and lists are ranked exactly."
    )


@dataclass(frozen=True)
class _State:
    """The data that a search reads. A change makes a new state, so that no search sees half of it.

    Attributes:
        index: faiss' index of the vectors by position, including removed ones.
        ids: [m] of the items, by position.
        live: [m] whether the item is still there; None: all are.
    """

    index: Any
    ids: IntArray
    live: NDArray[np.bool_] | None = None

    @property
    def there(self) -> NDArray[np.bool_]:
        """[m] whether each item is still there."""
        return np.ones(len(self.ids), np.bool_) if self.live is None else self.live


class ItemIndex:
    """Finds the items with the largest inner products with a vector.

    Items may be added or removed while other threads search; each search sees the items before or after the change.

    Args:
        index: faiss' index of the vectors of items 0 to m - 1, by inner product.
        kind: of the index.
        effort: of a search, see :data:`EFFORTS`.
    """

    def __init__(self, index: Any, kind: Kind, effort: int) -> None:
        self.kind, self.effort = kind, effort
        self._state = _State(index, np.arange(index.ntotal))

    @classmethod
    def build(
        cls, vectors: FloatArray, kind: Kind, *, effort: int | None = None, seed: int = 0
    ) -> Self:
        """Index the rows of a table; the row numbers are the ids.

        Args:
            vectors: [m, d] float32.
            kind: ``flat`` computes every product, ``hnsw`` follows a graph of neighbours, ``ivf`` searches the nearest
                of many lists.
            effort: of a search; None: the least.
            seed: of the lists of ``ivf``.

        Raises:
            ConfigError: faiss is not installed, or the kind is unknown.
        """
        return cls(_built(vectors, kind, seed), kind, effort or EFFORTS[kind][0])

    @classmethod
    def load(cls, path: Path, kind: Kind, effort: int, shape: tuple[int, int]) -> Self:
        """Map a file into memory that :meth:`save` wrote. The caller must have checked its hash.

        Raises:
            ConfigError: faiss is not installed.
            RunError: it cannot be read, or its shape is not ``shape`` [m, d] or its kind is not ``kind``.
        """
        faiss = import_faiss()
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise RunError(
                f"{path} cannot be read by faiss {faiss.__version__}: run 'darec index' again."
            ) from error
        found = type(index).__name__, (index.ntotal, index.d), index.metric_type
        if found != (_classes(faiss)[kind].__name__, shape, faiss.METRIC_INNER_PRODUCT):
            raise RunError(
                f"{path} is {found[0]} of {index.ntotal:,} items by {index.d}, and the bundle has {shape[0]:,} by "
                f"{shape[1]} in an index of kind {kind}: run 'darec index' again."
            )
        return cls(index, kind, effort)

    def save(self, path: Path) -> None:
        """Write the index. Raises ``DataError`` after items were added or removed: row numbers are then not the ids."""
        state = self._state
        if state.live is not None or not np.array_equal(state.ids, np.arange(len(state.ids))):
            raise DataError(
                "an index with added or removed items cannot be saved: build it from the new table."
            )
        import_faiss().write_index(state.index, str(path))

    def __len__(self) -> int:
        return int(self._state.there.sum())

    @property
    def width(self) -> int:
        """D."""
        return int(self._state.index.d)

    def search(
        self, vectors: FloatArray, k: int, allowed: IntArray | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Return the ``k`` items with the largest inner products; an approximate index may miss some.

        Args:
            vectors: [n, d].
            k: number of items.
            allowed: ids that may be found; None: all. The effort of the search grows in proportion.

        Returns:
            [n, k] ids and [n, k] inner products, largest first; -1 and minus infinity if fewer are found.
        """
        faiss = import_faiss()
        state = self._state
        share, only = 1.0, None
        if allowed is not None or state.live is not None:
            admitted = state.there if allowed is None else state.there & np.isin(state.ids, allowed)
            share = float(admitted.mean())
            only = faiss.IDSelectorBitmap(np.packbits(admitted, bitorder="little"))
        if not share:
            return np.full((len(vectors), k), -1), np.full((len(vectors), k), -np.inf, np.float32)
        effort = self._effort(k, share)
        if self.kind == "hnsw":
            how = faiss.SearchParametersHNSW(efSearch=effort, sel=only)
        elif self.kind == "ivf":
            how = faiss.SearchParametersIVF(nprobe=effort, sel=only)
        else:
            how = faiss.SearchParameters(sel=only)
        products, places = state.index.search(np.ascontiguousarray(vectors), k, params=how)
        found = places >= 0
        return (
            np.where(found, state.ids[np.where(found, places, 0)], -1),
            np.where(found, products, np.float32(-np.inf)),
        )

    def work(self, k: int, share: float = 1.0) -> float:
        """Return about how many scores could be computed in the time of a search for ``k`` of a share of the items."""
        size = int(self._state.index.ntotal)
        effort = self._effort(k, share)
        if self.kind == "flat":
            return size
        looked = _STEP * effort if self.kind == "hnsw" else size * effort / self._state.index.nlist
        return _START + looked

    def _effort(self, k: int, share: float) -> int:
        if self.kind == "hnsw":
            return math.ceil(max(self.effort, 2 * k) / share)
        if self.kind == "ivf":
            return min(math.ceil(self.effort / share), int(self._state.index.nlist))
        return self.effort

    def add(self, ids: Iterable[int], vectors: FloatArray) -> None:
        """Add items. This copies the index, so add many at once.

        Args:
            ids: [n] numbers from 0, none of which is in the index.
            vectors: [n, d].

        Raises:
            DataError: an id is in the index already or is repeated, or the vectors have another shape or are not
                finite.
        """
        faiss = import_faiss()
        state, new = self._state, np.asarray(list(ids), np.int64)
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.shape != (len(new), self.width) or not np.isfinite(vectors).all():
            raise DataError(
                f"vectors of shape {list(vectors.shape)} for {len(new)} items: pass {self.width} finite numbers each."
            )
        wrong = new[np.isin(new, state.ids[state.there]) | (new < 0)]
        if len(wrong) or len(np.unique(new)) != len(new):
            raise DataError(
                f"item {wrong[0] if len(wrong) else new[0]}: pass ids from 0 up that are not in the index, each once."
            )
        index = faiss.deserialize_index(faiss.serialize_index(state.index))  # a copy, in memory
        index.add(vectors)
        live = None
        if state.live is not None:
            live = np.concatenate([state.live, np.ones(len(new), np.bool_)])
        self._state = _State(index, np.concatenate([state.ids, new]), live)

    def remove(self, ids: Iterable[int]) -> None:
        """Remove items. Searches skip them from now on; once a fifth of the items is removed, the index is rebuilt.

        Raises:
            DataError: an id is not in the index.
        """
        state, gone = self._state, np.asarray(list(ids), np.int64)
        unknown = gone[~np.isin(gone, state.ids[state.there])]
        if len(unknown):
            raise DataError(f"item {unknown[0]} is not in the index.")
        live = state.there & ~np.isin(state.ids, gone)
        if live.any() and live.mean() < 1 - _DEAD:
            vectors = _vectors(state.index)[live]
            self._state = _State(_built(vectors, self.kind, 0), state.ids[live])
        else:
            self._state = _State(state.index, state.ids, live)


def _classes(faiss: Any) -> dict[Kind, type]:
    return {
        "flat": faiss.IndexFlatIP,
        "hnsw": faiss.IndexHNSWFlat,
        "ivf": faiss.IndexIVFFlat,
    }


def _built(vectors: FloatArray, kind: Kind, seed: int) -> Any:
    return vector_index.build_index(import_faiss(), vectors, kind, seed)


def _vectors(index: Any) -> FloatArray:
    """[m, d] vectors of an index, by position."""
    if hasattr(index, "make_direct_map"):
        index.make_direct_map()
    return np.asarray(index.reconstruct_n(0, index.ntotal))
