"""Items from a file that comes after the import: read as the import read its own, with the dataset's template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from darec.data.dataset import Dataset
from darec.data.ingest.frames import to_items
from darec.data.ingest.item_text import describe_items
from darec.data.ingest.items import distinct_items, table_of_items
from darec.data.ingest.source import LINE, Reading, SourceTable
from darec.data.ingest.tabular import read_table
from darec.data.ingest.template import parse_template
from darec.errors import DataError


@dataclass(frozen=True)
class LaterItems:
    """Items of a later file.

    Attributes:
        table: as read; ``table.at(line)`` says where.
        fields: ``item_id`` and the fields, in the order of the file.
        frame: ``item_id``, ``title`` and ``text``, made as the dataset's own were.
        lines: place of each in the file.
        used: names of the fields that make the text.
        notices: what was assumed, one sentence each.
    """

    table: SourceTable
    fields: pl.DataFrame
    frame: pl.DataFrame
    lines: list[int]
    used: list[str]
    notices: tuple[str, ...]

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return self.frame["item_id"].to_list()


def read_later_items(dataset: Dataset, source: Any, *, id_column: str | None = None) -> LaterItems:
    """Read items and make their texts as the dataset's manifest says that its own were made.

    A field of the template that no item has counts as empty, as it does in an import for an item without it. A dataset
    that was not imported has no template: the field ``text`` is taken as it is.

    Args:
        dataset: the dataset that they are to go with.
        source: .jsonl, .csv, .tsv or .parquet, or a table in memory (see :func:`darec.data.ingest.frames.to_items`); an
            id and fields.
        id_column: name of the id's column; None: as in the import, else guessed from the usual names.

    Raises:
        DataError: no such file, an empty or damaged one, no id, an id twice, or none of the template's fields; each
            with file and line.
    """
    options = dataset.manifest.get("options", {})
    if isinstance(source, str | Path):
        form = Reading(options.get("encoding"), quotes=options.get("quotes"))
        table = read_table(Path(source), form)
    else:
        name = "the table of new items"
        table = SourceTable.of_frame(to_items(source, name), name)
    known = options.get("item_id")
    id_column = id_column or (known if known in table.columns else None)
    table = distinct_items(table.without(options.get("ignore_columns", ())), id_column)
    items = table_of_items(table, id_column)
    template, fields = options.get("text_template"), options.get("text_fields", ["text"])
    used = list(parse_template(template).fields) if template else list(fields)
    title = options.get("title", "title")
    missing = [name for name in used if name not in items.columns]
    if used and len(missing) == len(used):
        raise DataError(
            f"{table.name}: items of this dataset make their text of {', '.join(map(repr, used))}, and the new "
            f"items have none of these (they have {', '.join(map(repr, items.columns[1:])) or 'an id alone'}): "
            "name their fields as in the import."
        )
    notices = [*table.notices]
    notices += [f"no new item has {name!r}: their texts go without it." for name in missing]
    absent = {*missing, *([title] if title not in items.columns else [])}
    whole = items.with_columns(pl.lit(None, pl.String).alias(name) for name in sorted(absent))
    frame, _ = describe_items(whole, fields=used, template=template, title=title)
    return LaterItems(table, items, frame, table.frame[LINE].to_list(), used, tuple(notices))
