"""RecBole atomic files: tab-separated, with a type behind each column's name (``user_id:token``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from darec.data.ingest.interactions import read_interactions
from darec.data.ingest.items import table_of_items
from darec.data.ingest.source import LINE, Columns, Source, SourceTable
from darec.data.ingest.tabular import read_table
from darec.errors import DataError

TYPES: Final = ("token", "token_seq", "float", "float_seq")


def read(path: Path, columns: Columns, encoding: str) -> Source:
    """A ``.inter`` file, or the folder that holds one; a ``.item`` file beside it brings the items.

    Args:
        path: file or folder.
        columns: names of columns, without their types.
        encoding: of the files.

    Raises:
        DataError: several ``.inter`` files in the folder, a header without types, or what the tables' readers refuse.
    """
    if path.is_dir():
        found = sorted(path.glob("*.inter"))
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise DataError(f"{path} holds several .inter files ({names}): name one.")
        path = found[0]
    source = read_interactions(_read(path, encoding), columns)
    beside = path.with_suffix(".item")
    if not beside.exists():
        return source
    return replace(source, files=(path, beside), items=table_of_items(_read(beside, encoding)))


def _read(path: Path, encoding: str) -> SourceTable:
    """The table with plain names. Sequences of tokens stay text: a title is such a sequence."""
    table = read_table(path, encoding)
    typed = {name: name.rpartition(":") for name in table.columns}
    untyped = [name for name, (_, _, kind) in typed.items() if kind not in TYPES]
    if untyped:
        raise DataError(
            f"{path}, line 1: column {untyped[0]!r} has no type: write NAME:TYPE with one of {', '.join(TYPES)}."
        )
    names = [plain for plain, _, _ in typed.values()]
    if len(set(names)) < len(names):
        raise DataError(f"{path}, line 1: a column's name occurs twice: rename one.")
    frame = table.frame.select(
        pl.col(LINE),
        *(pl.col(name).alias(plain) for name, (plain, _, _) in typed.items()),
    )
    return replace(table, frame=frame)
