"""Reads items from a file after the import, in the way of the import and with the dataset's template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from darec.data.dataset import Dataset
from darec.data.ingest.frames import to_items
from darec.data.ingest.item_text import describe_items, words_of
from darec.data.ingest.items import distinct_items, table_of_items
from darec.data.ingest.source import LINE, Reading, SourceTable
from darec.data.ingest.tabular import read_table
from darec.data.ingest.template import parse_template
from darec.errors import DataError
from darec.wording import agreeing, counted_noun

TEXT: Final = "text"
"""The field in which a server keeps the text of an item that was posted."""


@dataclass(frozen=True)
class LaterItems:
    """Items of a later file.

    Attributes:
        table: the file; ``table.at(line)`` names a place in it.
        fields: ``item_id`` and the fields, in the order of the file.
        frame: ``item_id``, ``title`` and ``text``, made in the same way as the dataset's own.
        lines: place of each in the file.
        used: names of the fields that make the text.
        notices: the assumptions that were made, one sentence each.
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
    """Read items and make their texts by the recipe in the dataset's manifest.

    A field of the template that no item has counts as empty, as in an import for an item without it. A dataset that was
    not imported has no template: the field ``text`` is used.

    Args:
        dataset: the dataset of the other items.
        source: .jsonl, .csv, .tsv or .parquet, or a table in memory (see :func:`darec.data.ingest.frames.to_items`),
            with an id and fields.
        id_column: name of the id's column; None: as in the import, else guessed from the usual names.

    Raises:
        DataError: the file does not exist, is empty or is damaged; an id is missing or repeated; or there is none of
            the template's fields. The error names file and line.
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
    title: str | None = options.get("title", "title") or (
        "title" if "title" in items.columns else None
    )
    missing = [name for name in used if name not in items.columns]
    own = words_of(items, TEXT) if used and TEXT in items.columns and TEXT not in used else []
    if used and len(missing) == len(used) and not any(own):
        raise DataError(
            f"{table.name}: the texts of this dataset are made of {', '.join(map(repr, used))}, and the new "
            f"items have none of these (they have {', '.join(map(repr, items.columns[1:])) or 'an id alone'}): "
            "name their fields as in the import."
        )
    absent = {*missing, *([title] if title and title not in items.columns else [])}
    whole = items.with_columns(pl.lit(None, pl.String).alias(name) for name in sorted(absent))
    if title and title != "title" and "title" in items.columns:
        titles = zip(words_of(whole, title), words_of(whole, "title"), strict=True)
        filled = [one or other or None for one, other in titles]
        whole = whole.with_columns(pl.Series(title, filled, pl.String))
    frame, _ = describe_items(whole, fields=used, template=template, title=title)
    notices = [*table.notices]
    if any(own):
        beside = [name for name in used if name != title] or (used if template else [])
        frame, taken, told = _with_own_texts(dataset, frame, whole, beside, own)
        missing = [] if taken == len(frame) else missing
        notices += told
    notices += [f"no new item has {name!r}: their texts are made without it." for name in missing]
    return LaterItems(table, items, frame, table.frame[LINE].to_list(), used, tuple(notices))


def _with_own_texts(
    dataset: Dataset, frame: pl.DataFrame, whole: pl.DataFrame, fields: list[str], own: list[str]
) -> tuple[pl.DataFrame, int, list[str]]:
    """Return the items, some with their own text for lack of the fields; the number of these; and notices."""
    described = [False] * len(whole)
    for name in fields:
        values = words_of(whole, name)
        described = [there or bool(value) for there, value in zip(described, values, strict=True)]
    taken = [bool(text) and not there for text, there in zip(own, described, strict=True)]
    texts = [
        text if take else made for text, take, made in zip(own, taken, frame["text"], strict=True)
    ]
    new = dataset.items.find(frame["item_id"]) < 0
    using = int((new & taken).sum())
    unused = sum(
        bool(one and text) and text != made for one, text, made in zip(new, own, texts, strict=True)
    )
    names, told = " and ".join(map(repr, fields)) or "text beside the title", []
    if using:
        told.append(
            f"{counted_noun(using, 'new item has', 'new items have')} no {names}: the field {TEXT!r} is "
            f"{agreeing(using, 'its text', 'their text')}."
        )
    if unused:
        told.append(
            f"{counted_noun(unused, 'new item has', 'new items have')} a field {TEXT!r} that is not in "
            f"{agreeing(unused, 'its text', 'their texts')}, which {agreeing(unused, 'is', 'are')} made of {names} "
            "as in the import: write the text into these fields."
        )
    return frame.with_columns(pl.Series("text", texts, pl.String)), sum(taken), told
