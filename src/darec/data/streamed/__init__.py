"""Imports of files that do not fit into memory: the memory in use does not grow with the rows.

:mod:`darec.data.build` makes a dataset of a table in memory. This package makes the same dataset of files that are too
large for that. It reads them piece by piece, keeps a few bytes a row on disk, and works on these in parts that hold
some users each. Memory holds the ids, a few numbers for each of them, and one part.

polars' own streaming engine reads in pieces too, but holds its joins, sorts and distinct rows in memory.
"""

from __future__ import annotations

from darec.data.streamed.build import import_streamed
from darec.data.streamed.parts import is_large

__all__ = ["import_streamed", "is_large"]
