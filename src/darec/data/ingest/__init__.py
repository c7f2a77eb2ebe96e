"""Readers of other people's files, one a family; :func:`read_source` finds the right one.

Whatever the family, a reader ends with a :class:`Source`: interactions as strings and floats, with the line each came
from, so that a later refusal can say where.
"""

from __future__ import annotations

from pathlib import Path

from darec.data.ingest.source import Columns, Source, SourceTable
from darec.errors import ConfigError, DataError

__all__ = ["Columns", "Source", "SourceTable", "read_source"]


def read_source(path: Path, columns: Columns, *, encoding: str = "utf-8") -> Source:
    """Read interactions, and items where the family brings them, from a file or folder.

    Args:
        path: CSV, TSV, JSONL or Parquet; a RecBole ``.inter`` file or its folder; a MovieLens-1M or -100K folder; an
            RLMRec folder with ``trn_mat.pkl``, ``val_mat.pkl`` and ``tst_mat.pkl``.
        columns: names of columns, where they are not to be guessed.
        encoding: of text files; MovieLens folders are always read as latin-1, which they are written in.

    Raises:
        DataError: no such file, or one that is no such thing; with file, line and remedy.
        ConfigError: columns named for a folder whose columns are fixed.
    """
    from darec.data.ingest import atomic, interactions, movielens, rlmrec, tabular

    if not path.exists():
        raise DataError(f"no file {path}: check the path.")
    if path.suffix == ".inter" or (path.is_dir() and any(path.glob("*.inter"))):
        return atomic.read(path, columns, encoding)
    if not path.is_dir():
        return interactions.read_interactions(tabular.read_table(path, encoding), columns)
    if (path / "manifest.json").is_file():
        raise DataError(f"{path} is a dataset already: use it as it is.")
    rlm, movies = rlmrec.is_folder(path), movielens.is_folder(path)
    if not rlm and not movies:
        raise DataError(
            f"{path} is a folder without a known data set: darec reads trn_mat.pkl (RLMRec), ratings.dat or "
            "u.data (MovieLens) and *.inter (RecBole); else name the file."
        )
    if columns != Columns():
        raise ConfigError(f"{path}: the columns of this folder are fixed: leave out --...-column.")
    return rlmrec.read(path) if rlm else movielens.read(path)
