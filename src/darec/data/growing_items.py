"""The items of a dataset that grows: the new items, and the fields of all items."""

from __future__ import annotations

import polars as pl

from darec.data.dataset import Dataset
from darec.data.id_order import ordered
from darec.data.ingest import Source
from darec.data.ingest.item_text import CATALOGUE
from darec.data.item_fields import item_fields
from darec.data.new_items import LaterItems
from darec.data.tally import FIRST, Tally
from darec.errors import DataError
from darec.ids.idmap import IdMap
from darec.types import IntArray
from darec.wording import counted_noun


def new_catalogue(
    dataset: Dataset,
    found: LaterItems | None,
    pairs: pl.DataFrame,
    read: Source | None,
    unknown_items: str,
    tally: Tally,
) -> pl.DataFrame:
    """Return ``item_id``, ``title`` and ``text`` of the new items, in the order of their ids.

    Args:
        dataset: the dataset that they are added to.
        found: the later file's items.
        pairs: ``user``, ``item`` and ``line`` of the later interactions.
        read: source of the interactions.
        unknown_items: see :func:`darec.data.growth.grow`.
        tally: gets the counts and notices.

    Raises:
        DataError: there are items without text, which the option refuses.
    """
    empty = pl.DataFrame(schema=CATALOGUE)
    frame = found.frame if found else empty
    known = dataset.items.find(frame["item_id"])
    _tell_of_changes(dataset, frame.filter(known >= 0), known[known >= 0], tally)
    new = frame.filter(known < 0)
    silent = new.filter(pl.col("text").is_null())
    named = [*dataset.items.texts, *new["item_id"]]
    unnamed = pairs.filter(~pl.col("item").is_in(named))
    strangers = unnamed["item"].unique(maintain_order=True)
    textless = [*silent["item_id"], *strangers]
    has_text = dataset.catalogue["text"].null_count() < dataset.n_items
    if has_text and textless:
        first = ", ".join(map(repr, textless[:FIRST]))
        what = f"{counted_noun(len(textless), 'new item has', 'new items have')} no text, the first {first}"
        if unknown_items == "error":
            where = f"{read.at(unnamed['line'][0])}: " if read and len(unnamed) else ""
            raise DataError(
                f"{where}{what}: name their file with --items, or pass --unknown-items=drop or --unknown-items=keep."
            )
        gone = int(pairs["item"].is_in(textless).sum())
        if unknown_items == "drop":
            tally.counts["with_unknown_items"] = gone
            tally.note(
                "unknown_items",
                len(textless),
                f"{what}: left out with {counted_noun(gone, 'interaction')} (--unknown-items=keep keeps them).",
            )
            new, strangers = new.filter(pl.col("text").is_not_null()), strangers.clear()
        else:
            tally.note("unknown_items_kept", len(textless), f"{what}: kept without text.")
    bare = pl.DataFrame({"item_id": strangers}, {"item_id": pl.String}).with_columns(
        title=pl.lit(None, pl.String), text=pl.lit(None, pl.String)
    )
    whole = pl.concat([new, bare])
    order = pl.DataFrame({"item_id": ordered(whole["item_id"])}, {"item_id": pl.String})
    return order.join(whole, on="item_id", how="left", maintain_order="left")


def _tell_of_changes(dataset: Dataset, frame: pl.DataFrame, rows: IntArray, tally: Tally) -> None:
    """Note known items whose title or text has changed."""
    then = dataset.catalogue[rows.tolist()].select("title", "text")
    now = frame.select("title", "text")
    changed = [
        name
        for name, before, after in zip(frame["item_id"], then.rows(), now.rows(), strict=True)
        if before != after
    ]
    tally.counts["known_items"] = len(frame)
    tally.note(
        "changed_texts",
        len(changed),
        f"{counted_noun(len(changed), 'known item has', 'known items have')}"
        f" another title or text now, the first {changed[0] if changed else ''!r}: the "
        "earlier ones stay, because the model has learned from them. To use the later ones, import and train again.",
    )


def grown_fields(
    dataset: Dataset, found: LaterItems | None, ids: IdMap, tally: Tally
) -> pl.LazyFrame | None:
    """Return the fields of all items; those of a later file replace earlier ones."""
    if dataset.extra is None and found is None:
        return None
    order = pl.DataFrame({"item_id": ids.texts}, {"item_id": pl.String})
    old = order.select("item_id") if dataset.extra is None else dataset.extra.collect()
    if found is None:
        return order.join(old, on="item_id", how="left", maintain_order="left").lazy()
    later = item_fields(found.fields)
    common = [name for name in later.columns if name in old.columns and name != "item_id"]
    for name in common:
        old, later = _of_one_type(old, later, name, found.table.name)
    # A field of the later file replaces the earlier one for all its items, also if it is empty.
    told = pl.Series("item_id", later["item_id"])
    kept = old.filter(~pl.col("item_id").is_in(told.implode()))
    renewed = later.join(old.drop(common), on="item_id", how="left", maintain_order="left")
    whole = pl.concat([kept, renewed], how="diagonal")
    known = dataset.items.find(told) >= 0
    before = old.filter(pl.col("item_id").is_in(told.filter(pl.Series(known)).implode()))
    after = whole.join(before.select("item_id"), on="item_id", how="semi")
    if not before.sort("item_id").equals(after.select(before.columns).sort("item_id")):
        tally.notices.append("Fields of known items were renewed.")
    return order.join(whole, on="item_id", how="left", maintain_order="left").lazy()


def same_fields(before: pl.LazyFrame | None, after: pl.LazyFrame | None) -> bool:
    """Whether two tables hold the same fields of the same items, in the same rows."""
    if before is None or after is None:
        there = after if before is None else before
        return there is None or there.collect_schema().names() == ["item_id"]
    one, other = before.collect(), after.collect()
    return set(one.columns) == set(other.columns) and one.equals(other.select(one.columns))


def _of_one_type(
    old: pl.DataFrame, later: pl.DataFrame, name: str, file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return both frames with one type of values in each field. Raises ``DataError`` if no type fits both."""
    kinds = old[name].dtype, later[name].dtype
    if kinds[0] == kinds[1]:
        return old, later
    if all(kind.is_numeric() for kind in kinds):
        return old.with_columns(pl.col(name).cast(pl.Float64)), later.with_columns(
            pl.col(name).cast(pl.Float64)
        )
    if later[name].null_count() == len(later) or (
        kinds[0] == pl.String and not kinds[1].is_nested()
    ):
        return old, later.with_columns(pl.col(name).cast(kinds[0]))
    raise DataError(
        f"{file}: field {name!r} holds {kinds[1]} here and {kinds[0]} in the dataset: write its values in the same "
        "form as for the import."
    )
