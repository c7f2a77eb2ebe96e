"""From files to a dataset: read, threshold, merge, join the items, k-core, number, split.

What is merged, dropped or moved on the way is counted in ``manifest["notices"]``; what cannot be right is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from darec.data.dataset import SPLITS, Dataset
from darec.data.idmap import IdMap
from darec.data.ingest import Columns, Source, read_source
from darec.data.ingest.items import describe_items, read_items
from darec.data.kcore import k_core as find_core
from darec.data.split import SPLIT_METHODS, split_interactions
from darec.errors import ConfigError, DataError, did_you_mean
from darec.types import Interactions

SPLIT_NAMES: Final = {
    **{name: name for name in SPLITS},
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("val", "validation", "dev"), "valid"),
    **dict.fromkeys(("testing",), "test"),
}


@dataclass(frozen=True)
class ImportOptions:
    """How files become a dataset.

    Attributes:
        columns: names of the interactions' columns; guessed where None.
        item_id: name of the item file's id column; guessed where None.
        text_fields: fields that make an item's text; None: every field of words or lists of words.
        text_template: a format such as ``"{title}. {genres}"`` instead.
        title: field that holds the title.
        min_rating: interactions rated lower are dropped.
        k_core: users and items keep at least so many interactions, over all splits together.
        split: ``column``, or a method of :func:`darec.data.split.split_interactions`; None: the column if there is
            one, else ``random``.
        seed: of the random split.
        ratios: train, valid and test.
        time_cuts: times from which on an interaction is valid, and test, for ``global-time``.
        keep_cold_items: keep items of the item file that have no interactions.
        unknown_items: what to do with interactions whose item is not in the item file.
        users_without_train: what to do with users who have no training item.
        encoding: of text files.
    """

    columns: Columns = field(default_factory=Columns)
    item_id: str | None = None
    text_fields: tuple[str, ...] | None = None
    text_template: str | None = None
    title: str | None = None
    min_rating: float | None = None
    k_core: int = 0
    split: str | None = None
    seed: int = 0
    ratios: tuple[float, float, float] = (3, 1, 1)
    time_cuts: tuple[float, float] | None = None
    keep_cold_items: bool = False
    unknown_items: Literal["error", "drop", "keep"] = "error"
    users_without_train: Literal["error", "drop"] = "error"
    encoding: str = "utf-8"


def import_dataset(
    source: str | Path | pl.DataFrame,
    *,
    items: str | Path | pl.DataFrame | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Dataset:
    """Make a dataset of interactions and item texts.

    Args:
        source: files that :func:`darec.data.ingest.read_source` knows, or a frame with ``user``, ``item`` and, where
            known, ``rating``, ``time`` and ``split``.
        items: item file or frame (``item_id`` and fields); None: those that the source brings, if any.
        out: folder to write; None keeps the dataset in memory.
        overwrite: replace a dataset in ``out``.
        **options: fields of :class:`ImportOptions`.

    Raises:
        DataError: input that cannot be right, naming file, line and remedy; ``out`` taken.
        ConfigError: an option that does not exist or does not fit.
    """
    chosen = _options(options)
    if out is not None and Path(out).exists() and not overwrite:
        raise DataError(f"{out} exists already: choose another --out, or pass --overwrite.")
    read = _source(source, chosen)
    notices: list[str] = []
    frame = _prepare(read, chosen, notices)
    catalogue, about_text, item_file = _catalogue(items, read, chosen)
    if catalogue is not None:
        frame = _known_items(frame, catalogue, read, item_file, chosen, notices)
    frame = _core(frame, chosen, notices)
    frame = _split(frame, read, chosen, notices)

    users = IdMap("user", _ordered(frame["user"].unique()))
    present = set(frame["item"].unique())
    known = catalogue["item_id"].to_list() if catalogue is not None else []
    cold = [item for item in known if item not in present]
    if cold:
        what = "kept" if chosen.keep_cold_items else "left out (--keep-cold-items keeps them)"
        notices.append(f"{len(cold)} items without interactions {what}, the first {cold[0]!r}.")
    item_ids = _ordered([*present, *(cold if chosen.keep_cold_items else ())])
    train, valid, test = (
        _pairs(frame.filter(pl.col("split") == name), users, item_ids) for name in SPLITS
    )
    files = [*read.files, *([item_file] if item_file else [])]
    settings = {key: value for key, value in asdict(chosen).items() if value is not None}
    dataset = Dataset(
        users,
        IdMap("item", item_ids),
        train,
        valid,
        test,
        _in_order(catalogue, item_ids),
        manifest={
            "sources": [_fingerprint(file) for file in files],
            "options": {**settings, **about_text},
            "notices": notices,
        },
    )
    return dataset if out is None else dataset.save(out, overwrite=overwrite)


def _options(options: dict[str, Any]) -> ImportOptions:
    for name in options:
        if name not in ImportOptions.__dataclass_fields__:
            near = did_you_mean(name, ImportOptions.__dataclass_fields__)
            raise ConfigError(f"unknown import option {name!r}: {near}")
    chosen = ImportOptions(**options)
    methods = ("column", *SPLIT_METHODS)
    if chosen.split is not None and chosen.split not in methods:
        raise ConfigError(f"unknown split {chosen.split!r}: {did_you_mean(chosen.split, methods)}")
    for name, values in (
        ("unknown_items", ("error", "drop", "keep")),
        ("users_without_train", ("error", "drop")),
    ):
        if getattr(chosen, name) not in values:
            raise ConfigError(f"{name} {getattr(chosen, name)!r}: choose from {', '.join(values)}.")
    if chosen.text_fields and chosen.text_template:
        raise ConfigError("give text fields or a text template, not both.")
    return chosen


def _source(source: str | Path | pl.DataFrame, chosen: ImportOptions) -> Source:
    if not isinstance(source, pl.DataFrame):
        return read_source(Path(source), chosen.columns, encoding=chosen.encoding)
    from darec.data.ingest.tabular import LINE, read_interactions

    table = source.with_row_index(LINE, offset=1)
    read = read_interactions(Path("the frame"), table, chosen.columns)
    return Source("the frame", read.frame, (), numeric=read.numeric)


def _prepare(read: Source, chosen: ImportOptions, notices: list[str]) -> pl.DataFrame:
    """Threshold the ratings and merge repeated pairs: the earliest split, else the earliest time, is kept."""
    frame = read.frame
    if chosen.min_rating is not None:
        if "rating" not in frame.columns:
            raise DataError(
                f"{read.name}: --min-rating was given, and there is no rating: name its column with --rating-column."
            )
        low = len(frame)
        frame = frame.filter(pl.col("rating") >= chosen.min_rating)
        notices.append(f"{low - len(frame)} interactions rated below {chosen.min_rating} dropped.")
    if "split" in frame.columns and chosen.split in (None, "column"):
        named = frame["split"].str.to_lowercase().replace_strict(SPLIT_NAMES, default=None)
        wrong = frame.filter(named.is_null())
        if len(wrong):
            raise DataError(
                f"{read.name}, line {wrong['line'][0]}: split {wrong['split'][0]!r}: write train, valid or test, or "
                "choose another --split."
            )
        rank = named.replace_strict(
            {name: i for i, name in enumerate(SPLITS)}, return_dtype=pl.Int8
        )
        frame = frame.with_columns(named.alias("split"), rank.alias("_rank"))
        crossing = frame.group_by("user", "item").agg(pl.col("_rank").n_unique().alias("n"))
        n_crossing = int((crossing["n"] > 1).sum())
        if n_crossing:
            notices.append(f"{n_crossing} pairs stood in several splits and stay in the earliest.")
        order = ["_rank", "line"]
    else:
        order = ["time", "line"] if "time" in frame.columns else ["line"]
    merged = frame.sort(order).unique(["user", "item"], keep="first", maintain_order=True)
    if len(merged) < len(frame):
        notices.append(f"{len(frame) - len(merged)} repeated interactions merged.")
    if not len(merged):
        raise DataError(f"{read.name}: no interactions are left: lower --min-rating.")
    return merged.drop("_rank", strict=False)


def _catalogue(
    items: str | Path | pl.DataFrame | None, read: Source, chosen: ImportOptions
) -> tuple[pl.DataFrame | None, dict[str, Any], Path | None]:
    """The items' titles and texts, how these were made, and the file they came from."""
    file = None
    if isinstance(items, pl.DataFrame):
        table = items.with_columns(pl.col("item_id").cast(pl.String))
    elif items is not None:
        file = Path(items)
        table = read_items(file, chosen.item_id, encoding=chosen.encoding)
    elif read.items is not None:
        table = read.items
    else:
        return None, {}, None
    catalogue, about = describe_items(
        table, fields=chosen.text_fields, template=chosen.text_template, title=chosen.title
    )
    return catalogue, about, file


def _known_items(
    frame: pl.DataFrame,
    catalogue: pl.DataFrame,
    read: Source,
    file: Path | None,
    chosen: ImportOptions,
    notices: list[str],
) -> pl.DataFrame:
    """Deal with interactions whose item is not in the item file."""
    unknown = frame.join(catalogue, left_on="item", right_on="item_id", how="anti").sort("line")
    if not len(unknown):
        return frame
    where = file.name if file else "the items"
    if len(unknown) == len(frame):
        raise DataError(
            f"no item of {read.name} is in {where}: ids look like {unknown['item'][0]!r} there and "
            f"{catalogue['item_id'][0]!r} here. Write the same ids in both, or name the right columns with "
            "--item-column and --item-id."
        )
    n_items = unknown["item"].n_unique()
    if chosen.unknown_items == "error":
        raise DataError(
            f"{read.name}, line {unknown['line'][0]}: item {unknown['item'][0]!r} is not in {where} ({n_items} such "
            "items): add them, or pass --unknown-items drop (leave their interactions out) or keep (without text)."
        )
    if chosen.unknown_items == "keep":
        notices.append(f"{n_items} items that are not in {where} kept without text.")
        return frame
    notices.append(f"{len(unknown)} interactions with {n_items} items not in {where} dropped.")
    return frame.join(catalogue, left_on="item", right_on="item_id", how="semi")


def _core(frame: pl.DataFrame, chosen: ImportOptions, notices: list[str]) -> pl.DataFrame:
    if chosen.k_core <= 1:
        return frame
    codes = [frame[kind].rank("dense").to_numpy().astype(np.int64) - 1 for kind in ("user", "item")]
    kept = find_core(codes[0], codes[1], chosen.k_core)
    if not kept.any():
        raise DataError(f"the {chosen.k_core}-core is empty: lower --k-core.")
    core = frame.filter(pl.Series(kept))
    notices.append(
        f"{len(frame) - len(core)} interactions outside the {chosen.k_core}-core dropped."
    )
    return core


def _split(
    frame: pl.DataFrame, read: Source, chosen: ImportOptions, notices: list[str]
) -> pl.DataFrame:
    """Give every pair its split, and deal with users who then have nothing to train on."""
    given = "split" in frame.columns
    method = chosen.split or ("column" if given else "random")
    if method == "column" and not given:
        raise DataError(f"{read.name}: no split column: name it with --split-column.")
    if method != "column":
        rows = {
            kind: pl.Series(kind, _codes(frame[kind]), dtype=pl.Int64) for kind in ("user", "item")
        }
        numbered = frame.with_columns(**rows)
        split = split_interactions(
            numbered, method, seed=chosen.seed, ratios=chosen.ratios, time_cuts=chosen.time_cuts
        )
        frame = frame.with_columns(split.alias("split"))
    trained = frame.filter(pl.col("split") == "train").select("user").unique()
    without = frame.join(trained, on="user", how="anti").sort("line")
    if not len(trained):
        raise DataError(f"{read.name}: no interaction is in the training split.")
    if not len(without):
        return frame
    n_users = without["user"].n_unique()
    if chosen.users_without_train == "error":
        raise DataError(
            f"{read.name}, line {without['line'][0]}: user {without['user'][0]!r} has no training item ({n_users} such "
            "users): pass --users-without-train drop to leave them out, or split otherwise."
        )
    notices.append(f"{n_users} users without a training item dropped.")
    return frame.join(trained, on="user", how="semi")


def _ordered(ids: Iterable[str]) -> list[str]:
    """Ids in an order that does not depend on the files': numbers by value, else alphabetical."""
    ids = list(ids)
    if all(identifier.isdecimal() for identifier in ids):
        return sorted(ids, key=lambda identifier: (int(identifier), identifier))
    return sorted(ids)


def _codes(ids: pl.Series) -> np.ndarray[Any, Any]:
    """The row that each id will have."""
    rows = {identifier: row for row, identifier in enumerate(_ordered(ids.unique()))}
    return ids.replace_strict(rows, return_dtype=pl.Int64).to_numpy()


def _pairs(frame: pl.DataFrame, users: IdMap, item_ids: list[str]) -> Interactions:
    rows = {identifier: row for row, identifier in enumerate(item_ids)}
    codes = (
        frame["user"].replace_strict(users._rows, return_dtype=pl.Int64).to_numpy(),
        frame["item"].replace_strict(rows, return_dtype=pl.Int64).to_numpy(),
    )
    return Interactions.from_pairs(*codes, len(users), len(item_ids))


def _in_order(catalogue: pl.DataFrame | None, item_ids: list[str]) -> pl.DataFrame:
    schema = {"item_id": pl.String, "title": pl.String, "text": pl.String}
    ordered = pl.DataFrame({"item_id": item_ids}, schema={"item_id": pl.String})
    known = pl.DataFrame(schema=schema) if catalogue is None else catalogue
    return ordered.join(known, on="item_id", how="left", maintain_order="left")


def _fingerprint(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": file.name, "bytes": file.stat().st_size, "sha256": digest}
