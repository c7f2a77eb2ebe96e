"""The items of an import: from their own file, from a frame, or from the source of the interactions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from darec.data.import_options import ImportOptions
from darec.data.ingest import Source, SourceTable
from darec.data.ingest.frames import to_items
from darec.data.ingest.item_text import describe_items, text_notices
from darec.data.ingest.items import distinct_items, table_of_items
from darec.data.ingest.tabular import read_table
from darec.data.item_fields import item_fields
from darec.data.tally import Tally
from darec.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Catalogue:
    """The items that are known before any interaction is read.

    Attributes:
        frame: ``item_id``, ``title`` and ``text`` of each.
        fields: ``item_id`` and further fields of each, for filters; None without items.
        name: name of their file or source, for messages.
        files: the files that they were read from, besides the interactions' files.
        about: how the text was made, for the manifest.
    """

    frame: pl.DataFrame
    name: str
    fields: pl.DataFrame | None = None
    files: tuple[Path, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)


def read_catalogue(
    items: Any, read: Source, chosen: ImportOptions, tally: Tally
) -> Catalogue | None:
    """Read the items and make their texts; None without items.

    Args:
        items: file, folder of parts or table in memory. With None, the items of the source are used.
        read: the interactions.
        chosen: the import's options.
        tally: gets the notices.

    Raises:
        DataError: there are options of text but no items, a column to ignore does not exist, or a reader refuses the
            file.
    """
    table = _table(items, read, chosen)
    names = [*read.names, *(table.columns if table else ())]
    for name in chosen.ignore_columns:
        if name not in names:
            raise DataError(
                f"no column {name!r} to ignore in {read.name}: {did_you_mean(name, names)}"
            )
    if table is None:
        if chosen.text_fields or chosen.text_template or chosen.title:
            raise DataError(f"{read.name} has no items with text: name their file with --items.")
        return None
    table = distinct_items(table.without(chosen.ignore_columns), chosen.item_id)
    fields = table_of_items(table, chosen.item_id)
    frame, about = describe_items(
        fields, fields=chosen.text_fields, template=chosen.text_template, title=chosen.title
    )
    tally.notices += [*table.notices, *text_notices(fields, frame, about)]
    return Catalogue(frame, table.name, item_fields(fields), table.files, about)


def _table(items: Any, read: Source, chosen: ImportOptions) -> SourceTable | None:
    if items is None:
        return read.items
    if not isinstance(items, str | Path):
        return SourceTable.of_frame(to_items(items, "the table of items"), "the table of items")
    table = read_table(Path(items), replace(chosen.reading, header=None))
    name = chosen.item_id
    if name is not None and (read.frame["item"] == name).any():
        raise DataError(
            f"{table.name}: {name!r} is an item of {read.name} and not the name of a column: write a header into "
            "the items' file."
        )
    return table
