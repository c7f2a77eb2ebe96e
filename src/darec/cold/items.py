"""New items from a file or a frame: read as ``darec import --items`` reads them, with the dataset's own template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from darec.data.dataset import Dataset
from darec.data.ingest.frames import to_items
from darec.data.ingest.item_text import describe_items
from darec.data.ingest.items import distinct_items, table_of_items
from darec.data.ingest.source import Reading, SourceTable
from darec.data.ingest.tabular import read_table
from darec.data.ingest.template import parse_template
from darec.errors import DataError


@dataclass(frozen=True)
class NewItems:
    """Items that a dataset does not have.

    Attributes:
        name: the file, for messages.
        ids: their ids.
        titles: None where missing.
        texts: made as the dataset's own are; None where missing.
        notices: what was assumed, one sentence each.
    """

    name: str
    ids: list[str]
    titles: list[str | None]
    texts: list[str | None]
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def title(self, row: int) -> str:
        """What to call an item on screen, as :meth:`Dataset.title`."""
        return str(self.titles[row] or self.texts[row] or self.ids[row])


def read_new_items(dataset: Dataset, source: Any, *, id_column: str | None = None) -> NewItems:
    """Read new items and make their texts as the dataset's manifest says that its own were made.

    A field of the template that no new item has counts as empty, as it does in an import for an item without it.
    A dataset that was not imported has no template: the new items' field ``text`` is taken as it is.

    Args:
        dataset: the dataset that the items are new to.
        source: .jsonl, .csv, .tsv or .parquet, or a table in memory (see :func:`darec.data.ingest.frames.to_items`); an
            id and fields.
        id_column: name of the id's column; None: as in the import, else guessed from the usual names.

    Raises:
        DataError: no such file, an empty or damaged one, no id, an id twice or in the dataset already, none of the
            template's fields, or an item without text; each with file and line.
    """
    options = dataset.manifest.get("options", {})
    if isinstance(source, str | Path):
        form = Reading(options.get("encoding"), quotes=options.get("quotes"))
        table = read_table(Path(source), form)
    else:
        table = SourceTable.of_frame(
            to_items(source, "the table of new items"), "the table of new items"
        )
    known = options.get("item_id")
    id_column = id_column or (known if known in table.columns else None)
    table = distinct_items(table, id_column)
    items = table_of_items(table, id_column)
    lines = table.frame["__line__"].to_list()
    for identifier, line in zip(items["item_id"], lines, strict=True):
        if identifier in dataset.items:
            raise DataError(
                f"{table.at(line)}: item {identifier!r} is in the catalogue already: leave it out, or give the new "
                "item an id of its own."
            )
    template, fields = options.get("text_template"), options.get("text_fields", ["text"])
    used = list(parse_template(template).fields) if template else list(fields)
    title = options.get("title", "title")
    missing = [name for name in used if name not in items.columns]
    if len(missing) == len(used):
        raise DataError(
            f"{table.name}: items of this dataset make their text of {', '.join(map(repr, used))}, and the new "
            f"items have none of these (they have {', '.join(map(repr, items.columns[1:])) or 'an id alone'}): "
            "name their fields as in the import."
        )
    notices = [*table.notices]
    notices += [f"no new item has {name!r}: their texts go without it." for name in missing]
    absent = {*missing, *([title] if title not in items.columns else [])}
    items = items.with_columns(pl.lit(None, pl.String).alias(name) for name in sorted(absent))
    described, _ = describe_items(items, fields=used, template=template, title=title)
    without = described["text"].is_null().arg_true()
    if len(without):
        raise DataError(
            f"{table.at(lines[without[0]])}: item {described['item_id'][without[0]]!r} has no text in "
            f"{', '.join(map(repr, used))} ({len(without)} such items): without interactions, text is all there is to "
            "go by. Complete it or leave it out."
        )
    ids, titles, texts = (described[name].to_list() for name in ("item_id", "title", "text"))
    return NewItems(table.name, ids, titles, texts, tuple(notices))
