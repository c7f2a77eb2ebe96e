"""The last step of an import: ids, pairs and items become a dataset with a manifest of how it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from darec.data.catalogue import Catalogue
from darec.data.dataset import Dataset
from darec.data.id_order import ordered
from darec.data.import_options import ImportOptions
from darec.data.ingest import Source
from darec.data.ingest.item_text import CATALOGUE
from darec.data.tally import Tally
from darec.ids.idmap import IdMap
from darec.types import Interactions
from darec.wording import counted_noun


def no_items(name: str) -> Catalogue:
    """The catalogue of an import without items."""
    return Catalogue(pl.DataFrame(schema=CATALOGUE), name)


def item_ids(
    present: pl.Series, catalogue: pl.DataFrame, chosen: ImportOptions, tally: Tally
) -> list[str]:
    """The dataset's items in order: those with interactions and, if the options ask for them, those without."""
    known = catalogue["item_id"]
    cold = known.filter(~known.is_in(present.implode()))
    if len(cold):
        what = "kept" if chosen.keep_cold_items else "left out (--keep-cold-items keeps them)"
        tally.note(
            "items_without_interactions",
            len(cold),
            f"{counted_noun(len(cold), 'item')} without interactions {what}, the first {cold[0]!r}.",
        )
    return ordered([*present, *(cold if chosen.keep_cold_items else ())])


def assemble(
    ids: tuple[list[str], list[str]],
    splits: Mapping[str, Interactions],
    *,
    read: Source,
    catalogue: Catalogue,
    method: str,
    chosen: ImportOptions,
    tally: Tally,
) -> Dataset:
    """Make the dataset, in memory.

    Args:
        ids: of users and of items, in order.
        splits: the pairs of each split.
        read: the interactions that were read.
        catalogue: the items.
        method: of the split.
        chosen: the import's options.
        tally: the counts of merged, dropped and moved interactions.
    """
    user_ids, item_ids = ids
    settings = asdict(chosen) | {"split": method, "columns": read.columns} | catalogue.about
    return Dataset(
        IdMap("user", user_ids, read.types.get("user", "string")),
        IdMap("item", item_ids, read.types.get("item", "string")),
        splits["train"],
        splits["valid"],
        splits["test"],
        catalogue=_in_order(item_ids, catalogue.frame),
        extra=None if catalogue.fields is None else _in_order(item_ids, catalogue.fields).lazy(),
        manifest={
            "sources": [_fingerprint(file) for file in read.files + catalogue.files],
            "options": {key: value for key, value in settings.items() if value not in (None, ())},
            "tally": tally.counts,
            "notices": tally.notices,
        },
    )


def _in_order(item_ids: list[str], frame: pl.DataFrame) -> pl.DataFrame:
    """One row of a frame for each item, in the dataset's order."""
    ids = pl.DataFrame({"item_id": item_ids}, {"item_id": pl.String})
    return ids.join(frame, on="item_id", how="left", maintain_order="left")


def _fingerprint(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": file.name, "bytes": file.stat().st_size, "sha256": digest}
