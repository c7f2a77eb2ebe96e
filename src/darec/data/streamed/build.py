"""Makes a dataset of large files: the steps of :mod:`darec.data.build`, over rows on disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.data.assembly import assemble, item_ids, no_items
from darec.data.catalogue import read_catalogue
from darec.data.cold import PARTS
from darec.data.dataset import SPLITS, Dataset
from darec.data.holdout import hold_out
from darec.data.id_order import are_numbers, ordered
from darec.data.import_options import ImportOptions
from darec.data.odd_ids import note_odd_ids
from darec.data.split import check_options
from darec.data.streamed import passes
from darec.data.streamed.codes import Codes
from darec.data.streamed.rows import Rows, deal, deal_again
from darec.data.streamed.splits import assign_splits, settle_users_without_train
from darec.data.streamed.staging import stage
from darec.data.tally import Tally, note_low_ratings
from darec.files import partial_of, writing
from darec.lock import locked
from darec.types import IntArray, Interactions, row_type


def import_streamed(path: Path, items: Any, options: ImportOptions, out: Path | None) -> Dataset:
    """Make the dataset that :func:`darec.data.build.import_dataset` would make of these files.

    Args:
        path: a file, a folder or a pattern of parts: CSV, TSV or Parquet.
        items: as for :func:`darec.data.build.import_dataset`.
        options: of the import.
        out: folder of the dataset; the rows are kept on its disk during the import. None: in the folder of temporary
            files.

    Returns:
        The dataset, which is not yet saved; its pairs are mapped from files that are already deleted.
    """
    with _workplace(out) as folder, writing(folder):
        return _import(path, items, options, folder)


@contextmanager
def _workplace(out: Path | None) -> Iterator[Path]:
    """Provide a folder during the import: a hidden one beside the dataset's, or one among temporary files.

    The leftovers of a killed import are removed, and a second import into the same dataset is refused.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="darec-import-") as name:
            yield Path(name)
        return
    with locked(partial_of(out)) as lock:
        folder = lock.file.parent / "rows"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # the folder is gone, or another import has begun
        partial_of(out).rmdir()


def _import(path: Path, items: Any, chosen: ImportOptions, folder: Path) -> Dataset:
    staged = stage(path, chosen, folder)
    read, method = staged.about, staged.method
    tally = Tally({"read": staged.read}, [*read.notices])
    found = read_catalogue(items, read, chosen, tally)
    if chosen.min_rating is not None:
        note_low_ratings(tally, read, chosen.min_rating, staged.low, staged.read)
    users, ids = _Order(staged.users), _Order(staged.items)
    rows = deal(staged, users.place, folder / "parts")
    n_rows = passes.merge_repeats(rows, method, tally)
    catalogue = found or no_items(read.name)
    if found is not None:
        passes.settle_unknown_items(
            rows,
            read,
            staged.items.texts,
            found.frame["item_id"],
            found.name,
            chosen,
            tally,
            n_rows,
        )
    passes.keep_core(rows, len(ids.texts), chosen.k_core, tally)

    counts = _count(rows, users, ids)
    if users.keep(counts[0] > 0):
        rows = deal_again(rows, users.place, folder / "parts again")
    ids.keep(counts[1] > 0)
    if method != "column":
        check_options(method, chosen.ratios, chosen.time_cuts)
    places = users.rows, ids.rows
    cold = assign_splits(rows, read, method, chosen, tally, places, int(counts[0].sum()))
    settle_users_without_train(rows, read, staged.users.texts, chosen, tally)

    counts = _count(rows, users, ids)
    if users.keep(counts[0] > 0):
        rows = deal_again(rows, users.place, folder / "parts at last")
    ids.keep(counts[1] > 0)
    present = pl.Series("item", ids.in_order(), dtype=pl.String)
    user_ids = users.in_order()
    all_items = item_ids(present, catalogue.frame, chosen, tally)
    note_odd_ids(user_ids, all_items, tally)
    dataset = assemble(
        (user_ids, all_items),
        _written(rows, users.rows, ids.rows_in(all_items), folder, len(user_ids), len(all_items)),
        read=read,
        catalogue=catalogue,
        method=method,
        chosen=chosen,
        tally=tally,
    )
    if cold is None:
        return dataset
    texts = np.array(ids.texts, object)
    there = counts[1] > 0
    held = {name: ordered(texts[(cold == SPLITS.index(name)) & there].tolist()) for name in PARTS}
    return hold_out(replace(dataset, manifest={**dataset.manifest, "cold": held}), held)


class _Order:
    """The ids that are kept, and their order.

    Attributes:
        texts: the id of each number.
        place: [n] place of each number in the order of all ids.
    """

    def __init__(self, codes: Codes) -> None:
        self.texts = codes.texts
        self._left = np.ones(len(self.texts), bool)
        self._sort(self.texts)

    def _sort(self, ids: list[str]) -> None:
        self._numbers = are_numbers(ids)
        order = {one: place for place, one in enumerate(ordered(ids))}
        # Ids that were dropped come last, in any order.
        self.place: IntArray = np.array(
            [order.get(one, len(order)) for one in self.texts], np.int64
        )
        gone = self.place == len(order)
        self.place[gone] += np.arange(int(gone.sum()))

    def keep(self, left: NDArray[np.bool_]) -> bool:
        """Drop all other ids. Returns whether the order has changed: numbers and words are ordered differently."""
        self._left = left
        if self._numbers:
            return False
        ids = [one for one, there in zip(self.texts, left.tolist(), strict=True) if there]
        if not are_numbers(ids):
            return False
        self._sort(ids)
        return True

    @property
    def rows(self) -> IntArray:
        """[n] row of each number among the ids that are kept; -1 for dropped ids."""
        order = np.argsort(self.place)
        rows = np.full(len(order), -1, np.int64)
        kept = order[self._left[order]]
        rows[kept] = np.arange(len(kept))
        return rows

    def in_order(self) -> list[str]:
        """The ids that are kept."""
        order = np.argsort(self.place)
        return [self.texts[number] for number in order[self._left[order]].tolist()]

    def rows_in(self, ids: list[str]) -> IntArray:
        """[n] place of each number in a list that holds all ids that are kept; -1 for dropped ids."""
        place = {one: row for row, one in enumerate(ids)}
        rows = np.array([place.get(one, -1) for one in self.texts], np.int64)
        rows[~self._left] = -1
        return rows


def _count(rows: Rows, users: _Order, items: _Order) -> tuple[IntArray, IntArray]:
    """Return how many rows each number of a user and each number of an item has."""
    of_users, of_items = (np.zeros(len(order.texts), np.int64) for order in (users, items))
    for records in rows:
        of_users += np.bincount(records["user"], minlength=len(of_users))
        of_items += np.bincount(records["item"], minlength=len(of_items))
    return of_users, of_items


def _written(
    rows: Rows,
    user_rows: IntArray,
    item_rows: IntArray,
    folder: Path,
    n_users: int,
    n_items: int,
) -> dict[str, Interactions]:
    """Return the pairs of each split, sorted and mapped from files."""
    kind = np.dtype(row_type(n_users + n_items))
    for records in rows.each("writing pairs"):
        users, items = user_rows[records["user"]], item_rows[records["item"]]
        order = np.argsort(users * n_items + items)
        users, items, split = users[order], items[order], records["split"][order]
        for number, name in enumerate(SPLITS):
            chosen = split == number
            for what, values in (("users", users), ("items", items)):
                with (folder / f"{name}-{what}").open("ab") as out:
                    out.write(values[chosen].astype(kind).data)

    def mapped(file: Path) -> NDArray[np.signedinteger[Any]]:
        if not file.exists() or not file.stat().st_size:
            return np.zeros(0, kind)
        return np.asarray(np.memmap(file, kind, "c"))

    splits = {}
    for name in SPLITS:
        users, items = (mapped(folder / f"{name}-{what}") for what in ("users", "items"))
        splits[name] = Interactions(users, items, n_users, n_items)
    return splits
