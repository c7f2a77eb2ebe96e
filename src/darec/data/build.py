"""From files to a dataset: read, threshold, merge, join the items, k-core, split, number.

All that is merged, dropped or moved is counted in the manifest's ``tally`` and reported in its ``notices``. Invalid
input is refused before anything is written.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from darec.data import cleaning
from darec.data.assembly import assemble, item_ids, no_items
from darec.data.catalogue import read_catalogue
from darec.data.cold import PARTS
from darec.data.dataset import SPLITS, Dataset, check_target
from darec.data.holdout import hold_out
from darec.data.id_order import ordered, rows_of
from darec.data.import_options import ImportOptions, import_options
from darec.data.ingest import Source, SourceTable, read_source
from darec.data.ingest.frames import INTERACTIONS, to_frame
from darec.data.ingest.interactions import read_interactions
from darec.data.odd_ids import note_odd_ids
from darec.data.streamed import import_streamed, is_large
from darec.data.tally import Tally
from darec.errors import DataError
from darec.types import Interactions

__all__ = ["ImportOptions", "import_dataset"]


def import_dataset(
    source: Any,
    *,
    items: Any = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Dataset:
    """Make a dataset of interactions and item texts.

    Args:
        source: files that :func:`darec.data.ingest.read_source` knows, or a table in memory with columns named as in a
            file (see :func:`darec.data.ingest.frames.to_frame`).
        items: item file, table (an id and fields) or mapping from ids to texts. With None, the items of the source are
            used, if it has any.
        out: folder to write; None keeps the dataset in memory.
        overwrite: replace a dataset in ``out``.
        **options: fields of :class:`ImportOptions`.

    Raises:
        DataError: the input is invalid (the message names file, line and remedy), or ``out`` exists already.
        ConfigError: an option does not exist or does not fit.
    """
    chosen = import_options(options)
    if out is not None:
        check_target(Path(out), overwrite=overwrite)
    dataset = (
        import_streamed(Path(source), items, chosen, None if out is None else Path(out))
        if is_large(source)
        else _import(source, items, chosen)
    )
    return dataset if out is None else dataset.save(out, overwrite=overwrite)


def _import(source: Any, items: Any, chosen: ImportOptions) -> Dataset:
    read = _read_source(source, chosen)
    method = chosen.split or ("column" if "split" in read.frame.columns else "random")
    if method == "column" and "split" not in read.frame.columns:
        raise DataError(f"{read.name}: no column for the split: name it with --split-column.")
    tally = Tally({"read": len(read.frame)}, [*read.notices])
    found = read_catalogue(items, read, chosen, tally)

    frame = cleaning.drop_low_ratings(read.frame, read, chosen.min_rating, tally)
    frame = cleaning.merge_repeats(frame, read, method, tally)
    catalogue = found or no_items(read.name)
    if found is not None:
        known = catalogue.frame["item_id"]
        frame = cleaning.settle_unknown_items(frame, read, known, catalogue.name, chosen, tally)
    frame = cleaning.keep_core(frame, chosen.k_core, tally)
    frame = cleaning.assign_splits(frame, read, method, chosen, tally)
    frame = cleaning.settle_users_without_train(frame, read, chosen, tally)
    user_ids = ordered(frame["user"].unique())
    ids = item_ids(frame["item"].unique(), catalogue.frame, chosen, tally)
    note_odd_ids(user_ids, ids, tally)

    rows = pl.DataFrame(
        {
            "user": rows_of(frame["user"], user_ids),
            "item": rows_of(frame["item"], ids),
            "split": frame["split"],
        }
    )
    dataset = assemble(
        (user_ids, ids),
        {name: _pairs(rows.filter(split=name), len(user_ids), len(ids)) for name in SPLITS},
        read=read,
        catalogue=catalogue,
        method=method,
        chosen=chosen,
        tally=tally,
    )
    if "cold" in frame.columns:
        held = frame.filter(pl.col("cold"))
        cold = {name: ordered(held.filter(split=name)["item"].unique()) for name in PARTS}
        dataset = hold_out(replace(dataset, manifest={**dataset.manifest, "cold": cold}), cold)
    return dataset


def _read_source(source: Any, chosen: ImportOptions) -> Source:
    if not isinstance(source, str | Path):
        frame = to_frame(source, "the table of interactions", INTERACTIONS)
        table = SourceTable.of_frame(frame, "the table of interactions")
        return read_interactions(table, chosen.columns, chosen.reading)
    return read_source(Path(source), chosen.columns, chosen.reading)


def _pairs(rows: pl.DataFrame, n_users: int, n_items: int) -> Interactions:
    return Interactions.from_pairs(
        rows["user"].to_numpy(), rows["item"].to_numpy(), n_users, n_items
    )
