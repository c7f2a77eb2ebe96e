"""Indexes of faiss over vectors, searched by inner product.

Inner products are searched natively. The common advice to turn them into distances by one more column loses most of
the recall if norms differ a lot.
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal, get_args

import numpy as np

from darec.errors import ConfigError
from darec.progress import counted
from darec.types import FloatArray

Kind = Literal["flat", "hnsw", "ivf"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
INSTALL: Final = "pip install 'darec[serve]'"
LINKS: Final = 32
"""Neighbours of a row in the graph of HNSW (Malkov & Yashunin 2018, M)."""
BUILD: Final = 80
"""Rows that HNSW visits to place one (ef_construction)."""
_ROWS: Final = 20_000  # rows that are added between two reports of progress


def import_faiss(without: str) -> Any:
    """Import faiss.

    Args:
        without: a sentence on the alternative if it is not installed.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise ConfigError(
            f"an index of items needs faiss, which is not installed: {INSTALL}. {without}"
        ) from None
    return faiss


def build_index(faiss: Any, vectors: FloatArray, kind: Kind, seed: int) -> Any:
    """Build an index of the rows of a table by inner product; the row numbers are the ids.

    Args:
        faiss: the module.
        vectors: [m, d] float32.
        kind: ``flat`` computes every product, ``hnsw`` follows a graph of neighbours, ``ivf`` searches the nearest of
            about ``4 sqrt(m)`` lists.
        seed: of the lists of ``ivf``.

    Raises:
        ConfigError: the kind is unknown.
    """
    if kind not in KINDS:
        raise ConfigError(f"no kind of index {kind!r}: choose from {', '.join(KINDS)}.")
    vectors = np.ascontiguousarray(vectors, np.float32)
    size, width = vectors.shape
    product = faiss.METRIC_INNER_PRODUCT
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(width, LINKS, product)
        index.hnsw.efConstruction = BUILD
    elif kind == "ivf":
        lists = max(1, min(round(4 * math.sqrt(size)), size // 39))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, product)
        index.cp.seed, index.cp.niter = seed, 10
        index.cp.max_points_per_centroid = 64
        index.cp.spherical = (
            True  # lists by direction: otherwise the lists of long rows would take most items
        )
        index.train(vectors)
    else:
        index = faiss.IndexFlatIP(width)
    for start in counted(range(0, size, _ROWS), "indexing rows"):
        index.add(vectors[start : start + _ROWS])
    return index
