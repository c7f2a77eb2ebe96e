"""A dataset that grows: later interactions, users and items are appended; earlier ones keep their row and their split.

Files are read with the options in the import's manifest. Common faults of new data are not refused: known pairs,
repeated pairs and items without text are counted and reported.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from darec.data.dataset import SPLITS, Dataset
from darec.data.growing_items import grown_fields, new_catalogue, same_fields
from darec.data.id_order import ordered
from darec.data.ingest import Columns, Reading, Source, SourceTable, read_source
from darec.data.ingest.frames import INTERACTIONS, to_frame
from darec.data.ingest.interactions import read_interactions
from darec.data.ingest.tabular import read_table
from darec.data.new_items import LaterItems, read_later_items
from darec.data.tally import Tally
from darec.errors import ConfigError, DataError
from darec.ids.idmap import IdMap
from darec.types import IntArray, Interactions
from darec.wording import counted_noun

UNKNOWN_ITEMS: Final = ("drop", "keep", "error")


@dataclass(frozen=True)
class Growth:
    """A dataset that has grown.

    Attributes:
        dataset: the larger dataset, in memory; new interactions are training pairs.
        counts: numbers of added and of left-out users, items and interactions, by name.
        notices: the same in sentences, for counts above zero.
        users: rows of old users who have new interactions.
        empty: whether nothing was added and no field has changed.
    """

    dataset: Dataset
    counts: dict[str, int]
    notices: list[str]
    users: IntArray
    empty: bool


def grow(
    dataset: Dataset,
    interactions: Any = None,
    items: Any = None,
    *,
    columns: Columns | None = None,
    item_id: str | None = None,
    unknown_items: str = "drop",
) -> Growth:
    """Append to a dataset.

    Args:
        dataset: the earlier dataset; it is not changed.
        interactions: file or table in memory, in a form that :func:`darec.data.build.import_dataset` reads; or None.
        items: file or table of new and known items; or None. For known items, fields for filters are replaced; titles
            and texts stay, since models have learned from them.
        columns: names of the interactions' columns; those that are None are named as in the import, else guessed.
        item_id: name of the items' id column; None: as in the import, else guessed.
        unknown_items: what to do with new items without text if the dataset's items have text: leave them out with
            their interactions, keep them, or refuse them. If no item has text, all are kept.

    Raises:
        DataError: a file cannot be read (the message names file, line and remedy), or the dataset holds cold items out.
        ConfigError: there are neither interactions nor items, or ``unknown_items`` has an unknown value.
    """
    if interactions is None and items is None:
        raise ConfigError("there is nothing to add: name new interactions, or new items.")
    if unknown_items not in UNKNOWN_ITEMS:
        raise ConfigError(
            f"unknown_items {unknown_items!r}: choose from {', '.join(UNKNOWN_ITEMS)}."
        )
    if dataset.cold:
        raise DataError(
            f"{dataset.path or 'the dataset'} holds cold items out of training, and cannot grow: import the sources "
            "again with another split."
        )
    tally = Tally()
    read = None if interactions is None else _read(dataset, interactions, columns or Columns())
    found = None if items is None else read_later_items(dataset, items, id_column=item_id)
    tally.notices += [*(read.notices if read else ()), *(found.notices if found else ())]
    pairs = _pairs(dataset, read, tally)
    catalogue = new_catalogue(dataset, found, pairs, read, unknown_items, tally)
    pairs = pairs.filter(pl.col("item").is_in([*dataset.items.texts, *catalogue["item_id"]]))
    users = IdMap(
        "user", [*dataset.users.texts, *_unknown(dataset.users, pairs["user"])], dataset.users.type
    )
    ids = IdMap("item", [*dataset.items.texts, *catalogue["item_id"]], dataset.items.type)
    rows, columns_ = users.find(pairs["user"]), ids.find(pairs["item"])
    old = {name: _resized(dataset.split(name), len(users), len(ids)) for name in SPLITS}
    known = np.zeros(len(rows), np.bool_)
    for split in old.values():
        known |= split.contains(rows, columns_)
    tally.note(
        "known_pairs",
        int(known.sum()),
        f"{counted_noun(known.sum(), 'interaction is', 'interactions are')} known already.",
    )
    new = Interactions.from_pairs(rows[~known], columns_[~known], len(users), len(ids))
    counts = {
        "new_interactions": len(new),
        "new_users": len(users) - dataset.n_users,
        "new_items": len(ids) - dataset.n_items,
        **tally.counts,
    }
    manifest = {name: value for name, value in dataset.manifest.items() if name not in _OF_THE_OLD}
    sources = [*manifest.get("sources", []), *_sources(read, found)]
    grown = replace(
        dataset,
        users=users,
        items=ids,
        train=old["train"].union(new),
        valid=old["valid"],
        test=old["test"],
        catalogue=pl.concat([dataset.catalogue, catalogue]),
        extra=grown_fields(dataset, found, ids, tally),
        manifest={**manifest, "sources": sources, "grown": [*manifest.get("grown", []), counts]},
        path=None,
        vectors={},
    )
    touched = np.unique(new.users)
    added = counts["new_interactions"] or counts["new_users"] or counts["new_items"]
    empty = not added and same_fields(dataset.extra, grown.extra)
    return Growth(grown, counts, tally.notices, touched[touched < dataset.n_users], empty)


_OF_THE_OLD: Final = ("fingerprint", "merged_from", "counts", "files", "schema_version")


def _read(dataset: Dataset, source: Any, asked: Columns) -> Source:
    """The interactions, read by the columns of the import if the file has these."""
    options = dataset.manifest.get("options", {})
    least = options.get("min_rating")
    reading = Reading(
        options.get("encoding"),
        options.get("header"),
        options.get("quotes"),
        ignored=tuple(options.get("ignore_columns", ())),
        wanted=("rating",) if least is not None else (),
    )
    if not isinstance(source, str | Path):
        name = "the table of new interactions"
        table = SourceTable.of_frame(to_frame(source, name, INTERACTIONS), name)
    else:
        path = Path(source)
        if path.is_dir() or path.suffix == ".inter":
            return _rated(read_source(path, asked, reading), least)
        if not path.exists():
            raise DataError(f"no file {path}: check the path.")
        table = read_table(path, reading)
    known = options.get("columns", {})
    names = {
        kind: getattr(asked, kind)
        or (known.get(kind) if known.get(kind) in table.columns else None)
        for kind in ("user", "item", "rating")
    }
    return _rated(read_interactions(table, Columns(**names), reading), least)


def _rated(read: Source, least: float | None) -> Source:
    """The interactions without those rated below the import's threshold."""
    if least is None:
        return read
    if "rating" not in read.frame.columns:
        raise DataError(
            f"{read.name}: the import left out ratings below {least:g}, and this file has no ratings: name the "
            "column with --rating-column."
        )
    kept = read.frame.filter(pl.col("rating") >= least)
    lower = len(read.frame) - len(kept)
    told = f"{counted_noun(lower, 'interaction')} rated below {least:g} left out, as in the import."
    return replace(read, frame=kept, notices=(*read.notices, *([told] if lower else [])))


def _pairs(dataset: Dataset, read: Source | None, tally: Tally) -> pl.DataFrame:
    """``user``, ``item`` and ``line``, with each pair once."""
    if read is None:
        return pl.DataFrame(schema={"user": pl.String, "item": pl.String, "line": pl.UInt32})
    frame = read.frame.select("user", "item", "line")
    once = frame.unique(["user", "item"], keep="first", maintain_order=True)
    repeats = len(frame) - len(once)
    tally.counts["read"] = len(frame)
    tally.note(
        "repeats_merged", repeats, f"{counted_noun(repeats, 'repeated interaction')} merged."
    )
    return once


def _unknown(ids: IdMap, texts: pl.Series) -> list[str]:
    """The ids that the map does not have, in order."""
    return ordered(texts.filter(pl.Series(ids.find(texts) < 0)).unique())


def _resized(pairs: Interactions, n_users: int, n_items: int) -> Interactions:
    """The same pairs among more users and items."""
    return Interactions.from_pairs(pairs.users, pairs.items, n_users, n_items)


def _sources(*read: Source | LaterItems | None) -> list[dict[str, Any]]:
    """Return the manifest's entry on the files."""
    found = []
    for one in read:
        files = () if one is None else one.table.files if isinstance(one, LaterItems) else one.files
        for file in files:
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found.append({"file": file.name, "bytes": file.stat().st_size, "sha256": digest})
    return found
