"""Read new items from a file or a frame like ``darec import --items``, with the dataset's own template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from darec.data.dataset import Dataset
from darec.data.new_items import read_later_items
from darec.errors import DataError


@dataclass(frozen=True)
class NewItems:
    """Items that are not in a dataset.

    Attributes:
        name: the file, for messages.
        ids: their ids.
        titles: titles; None for a missing one.
        texts: texts made with the dataset's template; None for a missing one.
        notices: sentences about assumptions.
    """

    name: str
    ids: list[str]
    titles: list[str | None]
    texts: list[str | None]
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def title(self, row: int) -> str:
        """Name of an item for display, like :meth:`Dataset.title`."""
        return str(self.titles[row] or self.texts[row] or self.ids[row])


def read_new_items(dataset: Dataset, source: Any, *, id_column: str | None = None) -> NewItems:
    """Read new items and make their texts with the template in the dataset's manifest.

    A field of the template that no new item has is empty, as in an import. A dataset that was not imported has no
    template; then the field ``text`` of the new items is used.

    Args:
        dataset: the dataset to which the items are new.
        source: a .jsonl, .csv, .tsv or .parquet file, or a table in memory (see
            :func:`darec.data.ingest.frames.to_items`), with ids and fields.
        id_column: name of the id's column. With None, that of the import, or else one of the usual names.

    Raises:
        DataError: the file does not exist, is empty or is damaged; an id is missing, repeated or already in the
            dataset; there is none of the template's fields; or an item has no text. The error names file and line.
    """
    found = read_later_items(dataset, source, id_column=id_column)
    table, lines, frame = found.table, found.lines, found.frame
    for identifier, line in zip(found.ids, lines, strict=True):
        if identifier in dataset.items:
            raise DataError(
                f"{table.at(line)}: item {identifier!r} is already in the catalogue: leave it out, or give the new "
                "item another id."
            )
    without = frame["text"].is_null().arg_true()
    if len(without):
        raise DataError(
            f"{table.at(lines[without[0]])}: item {found.ids[without[0]]!r} has no text in "
            f"{', '.join(map(repr, found.used))} ({len(without)} such items): an item without interactions needs "
            "text. Add text or leave the item out."
        )
    titles, texts = frame["title"].to_list(), frame["text"].to_list()
    return NewItems(table.name, found.ids, titles, texts, found.notices)
