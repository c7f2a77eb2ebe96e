"""RecBole atomic files: tab-separated, with a type behind each column's name (``user_id:token``)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from darec.data.ingest.source import Columns, Source
from darec.data.ingest.tabular import LINE, read_interactions, read_table
from darec.errors import DataError

TYPES: Final = ("token", "token_seq", "float", "float_seq")


def read(path: Path, encoding: str) -> Source:
    """A ``.inter`` file, or the folder that holds one; a ``.item`` file beside it brings the items.

    Raises:
        DataError: several ``.inter`` files in the folder, or a header without types.
    """
    if path.is_dir():
        found = sorted(path.glob("*.inter"))
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise DataError(f"{path} holds several .inter files ({names}): name one.")
        path = found[0]
    source = read_interactions(path, _read(path, encoding), Columns())
    beside = path.with_suffix(".item")
    if not beside.exists():
        return source
    items = _read(beside, encoding).drop(LINE)
    return Source(source.name, source.frame, (path, beside), items)


def _read(path: Path, encoding: str) -> pl.DataFrame:
    table = read_table(path, encoding)
    typed = {name: name.rpartition(":") for name in table.columns if name != LINE}
    untyped = [name for name, (_, _, kind) in typed.items() if kind not in TYPES]
    if untyped:
        raise DataError(
            f"{path}, line 1: column {untyped[0]!r} has no type: write NAME:TYPE with one of {', '.join(TYPES)}."
        )
    lists = [
        pl.col(name).str.split(" ") for name, (_, _, kind) in typed.items() if kind == "token_seq"
    ]
    return table.with_columns(lists).rename({name: plain for name, (plain, _, _) in typed.items()})
