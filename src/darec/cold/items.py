"""New items from a file or a frame: read as ``darec import --items`` reads them, with the dataset's own template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from darec.data.dataset import Dataset
from darec.data.new_items import read_later_items
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
    found = read_later_items(dataset, source, id_column=id_column)
    table, lines, frame = found.table, found.lines, found.frame
    for identifier, line in zip(found.ids, lines, strict=True):
        if identifier in dataset.items:
            raise DataError(
                f"{table.at(line)}: item {identifier!r} is in the catalogue already: leave it out, or give the new "
                "item an id of its own."
            )
    without = frame["text"].is_null().arg_true()
    if len(without):
        raise DataError(
            f"{table.at(lines[without[0]])}: item {found.ids[without[0]]!r} has no text in "
            f"{', '.join(map(repr, found.used))} ({len(without)} such items): without interactions, text is all there "
            "is to go by. Complete it or leave it out."
        )
    titles, texts = frame["title"].to_list(), frame["text"].to_list()
    return NewItems(table.name, found.ids, titles, texts, found.notices)
