"""Files of ids: of users, of items, and of pairs of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl

from darec.data.ingest.columns import find_columns, stood_twice, usual_columns
from darec.data.ingest.decoding import read_text
from darec.data.ingest.source import LINE, Columns, SourceTable
from darec.data.ingest.tabular import read_table
from darec.errors import DataError
from darec.ids.idmap import IdMap
from darec.wording import agreeing

PLAIN: Final = (".txt", ".csv", ".tsv")
"""Suffixes of files that may have one column; :func:`read_table` would refuse such a file."""


@dataclass(frozen=True)
class IdFile:
    """Ids that a file holds.

    Attributes:
        ids: columns ``user``, ``item`` or both, as text.
        table: the table that holds them.
    """

    ids: pl.DataFrame
    table: SourceTable

    def known(self, maps: dict[str, IdMap]) -> tuple[IdFile, str | None]:
        """Return the rows whose ids are all known, and a sentence that counts the others and names the first.

        Args:
            maps: the known ids, by column.
        """
        there = np.logical_and.reduce(
            [ids.find(self.ids[kind]) >= 0 for kind, ids in maps.items() if kind in self.ids]
        )
        if there.all():
            return self, None
        first = int(np.flatnonzero(~there)[0])
        told = ", ".join(
            f"{kind} {value!r}" for kind, value in self.ids.row(first, named=True).items()
        )
        note = (
            f"{int((~there).sum()):,} of {len(there):,} {self.table.unit}s "
            f"{agreeing(int((~there).sum()), 'names', 'name')} what the run does not know "
            f"(first: {self.table.at(self.table.frame[LINE][first])}, {told})"
        )
        kept = replace(self.table, frame=self.table.frame.filter(there))
        return IdFile(self.ids.filter(there), kept), note


def read_ids(path: Path, kind: Literal["user", "item"]) -> IdFile:
    """Read ids of users or items: a file with one id a line, or a table with a column such as ``user_id``.

    A ``.csv`` file with one id a line needs a header such as ``user_id``.

    Raises:
        DataError: the file or the column does not exist, an id is blank, or :func:`read_table` refuses the file.
    """
    if path.is_file() and path.suffix.lower() in PLAIN:
        lines = pl.Series(kind, read_text(path, None).data.decode().split("\n"), dtype=pl.String)
        frame = pl.DataFrame(lines.str.strip_chars()).with_row_index(LINE, offset=1)
        frame = frame.filter(pl.col(kind) != "")
        headed = bool(usual_columns(kind, [frame[kind][0]]))
        if headed or path.suffix.lower() == ".txt":
            frame = frame[int(headed) :]
            if not len(frame):
                raise DataError(f"{path} holds no ids: write one a line.")
            return IdFile(frame.select(kind), SourceTable(str(path), frame))
    table = read_table(path)
    found = usual_columns(kind, table.columns)
    if not found:
        raise DataError(
            f"{path}: no column for the {kind}; it has {', '.join(map(repr, table.columns))}: call it "
            f"'{kind}_id', or write one id a line into a .txt file."
        )
    if found[0] in stood_twice(table.columns):
        raise DataError(f"{path}, line 1: column {found[0]!r} occurs twice: rename one.")
    return IdFile(pl.DataFrame({kind: table.ids(found[0])}), table)


def read_pairs(path: Path) -> IdFile:
    """Pairs of a user and an item: a table with columns such as ``user_id`` and ``item_id``.

    Raises:
        DataError: no such file or columns, a blank id, or what :func:`read_table` refuses.
    """
    table = read_table(path)
    found = find_columns(table, Columns())
    return IdFile(pl.DataFrame({kind: table.ids(found[kind]) for kind in ("user", "item")}), table)
