"""Readers of interaction files, one module a family of formats; :func:`read_source` finds the right one.

Every reader returns a :class:`Source`: interactions as strings and floats. Each interaction has the line that it came
from, so that a later error can name that line.
"""

from __future__ import annotations

from pathlib import Path

from darec.data.ingest.source import Columns, Reading, Source, SourceTable
from darec.errors import ConfigError, DataError

__all__ = ["Columns", "Reading", "Source", "SourceTable", "read_source"]


def read_source(path: Path, columns: Columns, reading: Reading | None = None) -> Source:
    """Read interactions from a file or folder, and also items if the format holds them.

    Args:
        path: CSV, TSV, JSON lines or Parquet, or a folder or a pattern (``part-*.csv``) of parts of such a table; a
            RecBole ``.inter`` file or its folder; a MovieLens folder; an RLMRec folder with ``trn_mat.pkl``,
            ``val_mat.pkl`` and ``tst_mat.pkl``.
        columns: names of columns; those that are None are guessed.
        reading: how files are read if they do not say it themselves, and which columns are needed.

    Raises:
        DataError: the file does not exist or cannot be read; with file, line and remedy.
        ConfigError: columns were named for a folder whose columns are fixed.
    """
    from darec.data.ingest import atomic, interactions, movielens, rlmrec, tabular

    reading = reading or Reading()
    if not path.exists() and not tabular.is_pattern(path):
        raise DataError(f"no file {path}: check the path.")
    if path.suffix == ".inter" or (path.is_dir() and any(path.glob("*.inter"))):
        return atomic.read(path, columns, reading)
    if (path / "manifest.json").is_file():
        raise DataError(f"{path} is a dataset already: use it without an import.")
    rlm, movies = rlmrec.is_folder(path), movielens.is_folder(path)
    if not rlm and not movies:
        if path.is_dir() and not tabular.part_files(path):
            raise DataError(
                f"{path} is a folder without a known data set: darec reads trn_mat.pkl (RLMRec), ratings.dat, u.data "
                "or ratings.csv (MovieLens), *.inter (RecBole) and folders of parts of one table. Else name the file."
            )
        return interactions.read_interactions(tabular.read_table(path, reading), columns, reading)
    if columns != Columns() or reading.header:
        raise ConfigError(
            f"{path}: the columns of this folder are fixed: leave out --header and --...-column."
        )
    return rlmrec.read(path) if rlm else movielens.read(path, reading)
