"""Readers of other people's files, one a family; :func:`read_source` finds the right one.

Whatever the family, a reader ends with a :class:`Source`: interactions as strings and floats, with the line each came
from, so that a later refusal can say where.
"""

from __future__ import annotations

from pathlib import Path

from darec.data.ingest.source import Columns, Source
from darec.errors import DataError

__all__ = ["Columns", "Source", "read_source"]


def read_source(path: Path, columns: Columns, *, encoding: str = "utf-8") -> Source:
    """Read interactions, and items where the family brings them, from a file or folder.

    Args:
        path: CSV, TSV, JSONL or Parquet; a RecBole ``.inter`` file or its folder; a MovieLens-1M or -100K folder; an
            RLMRec folder with ``trn_mat.pkl``, ``val_mat.pkl`` and ``tst_mat.pkl``.
        columns: names of columns, where they are not to be guessed.
        encoding: of text files.

    Raises:
        DataError: no such file, or one that is no such thing; with file, line and remedy.
    """
    from darec.data.ingest import atomic, movielens, rlmrec, tabular

    if not path.exists():
        raise DataError(f"no file {path}.")
    if path.is_dir():
        if (path / "trn_mat.pkl").exists():
            return rlmrec.read(path)
        if (path / "ratings.dat").exists() or (path / "u.data").exists():
            return movielens.read(path)
        if any(path.glob("*.inter")):
            return atomic.read(path, encoding)
        raise DataError(
            f"{path} is a folder without a known data set: darec reads trn_mat.pkl (RLMRec), ratings.dat or "
            "u.data (MovieLens) and *.inter (RecBole); else name the file."
        )
    if path.suffix == ".inter":
        return atomic.read(path, encoding)
    return tabular.read(path, columns, encoding)
