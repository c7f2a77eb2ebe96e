"""The options of an import, and their check."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from darec.data.ingest.source import Columns, Reading
from darec.data.split import SPLIT_METHODS, TIMED_METHODS
from darec.errors import ConfigError, did_you_mean

METHODS: Final = ("column", *SPLIT_METHODS)


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import.

    Attributes:
        columns: names of the interactions' columns; None is a guess. A mapping is accepted too, such as ``{"user":
            "customer"}``.
        item_id: name of the item file's id column; None is a guess.
        text_fields: fields that form an item's text; None is every field of words or lists of words.
        text_template: a format such as ``"{title}. {genres}"``, in place of text fields.
        title: field that holds the title.
        min_rating: interactions rated lower are dropped, before anything else.
        k_core: least number of interactions of each user and item, over all splits together. The core chooses the users
            and items of the dataset before it is split, also if the split is given.
        split: ``column``, or a method of :func:`darec.data.split.split_interactions`. None is ``column`` if there is a
            split column, and ``random`` otherwise.
        seed: seed of the random split, and of the order of equal times.
        ratios: shares of train, valid and test.
        time_cuts: the times from which interactions are in valid and in test, for ``global-time``.
        cold_share: share of the items that ``cold-items`` holds out of training; None is a tenth.
        keep_cold_items: whether to keep items of the item file that have no interactions.
        unknown_items: what to do with interactions whose item is not in the item file: refuse them, drop them, or keep
            them with an item without text.
        users_without_train: what to do with users who have no training item.
        encoding: encoding of text files; None is decided from their bytes.
        header: names of the columns of the interactions' file, if it has no header.
        quotes: whether quotes enclose fields of CSV and TSV files; None is decided from suffix and content.
        time_format: format of times, in the codes of ``strftime``. None is numbers, ISO dates, or the only other date
            format that fits all of them.
        ignore_columns: columns and fields that are ignored.
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
    cold_share: float | None = None
    keep_cold_items: bool = False
    unknown_items: Literal["error", "drop", "keep"] = "error"
    users_without_train: Literal["error", "drop"] = "error"
    encoding: str | None = None
    header: tuple[str, ...] | None = None
    quotes: bool | None = None
    time_format: str | None = None
    ignore_columns: tuple[str, ...] = ()

    @property
    def reading(self) -> Reading:
        """How files are read, and which columns these options need."""
        needed = {
            "rating": self.min_rating is not None,
            "time": self.split in TIMED_METHODS,
            "split": self.split in (None, "column"),
        }
        return Reading(
            self.encoding,
            self.header,
            self.quotes,
            self.time_format,
            self.ignore_columns,
            tuple(kind for kind, need in needed.items() if need),
        )


def import_options(options: Mapping[str, Any]) -> ImportOptions:
    """Options from keywords. Raises ``ConfigError`` if a name or value does not exist or does not fit."""
    names = [option.name for option in fields(ImportOptions)]
    for name in options:
        if name not in names:
            raise ConfigError(f"unknown import option {name!r}: {did_you_mean(name, names)}")
    if isinstance(options.get("columns"), Mapping):
        options = {**options, "columns": _columns(options["columns"])}
    chosen = ImportOptions(**options)
    for name, value, values in (
        ("split", chosen.split or METHODS[0], METHODS),
        ("unknown_items", chosen.unknown_items, ("error", "drop", "keep")),
        ("users_without_train", chosen.users_without_train, ("error", "drop")),
    ):
        if value not in values:
            raise ConfigError(f"unknown {name} {value!r}: {did_you_mean(value, values)}")
    if chosen.encoding is not None:
        _check_encoding(chosen.encoding)
    if chosen.text_fields and chosen.text_template:
        raise ConfigError("give text fields or a text template, not both.")
    if chosen.min_rating is not None and not math.isfinite(chosen.min_rating):
        raise ConfigError(f"min_rating {chosen.min_rating}: must be a finite number.")
    if chosen.k_core < 0:
        raise ConfigError(
            f"k_core {chosen.k_core}: must be a number of interactions, or 0 for no k-core."
        )
    if chosen.time_cuts is not None and chosen.split != "global-time":
        raise ConfigError(
            "time cuts are for the split 'global-time': choose it, or leave them out."
        )
    if chosen.cold_share is not None and chosen.split != "cold-items":
        raise ConfigError(
            "a share of cold items is for the split 'cold-items': choose it, or leave the share out."
        )
    return chosen


def _check_encoding(name: str) -> None:
    """Whether the codec decodes bytes to text, unlike Python's ``undefined``, ``hex`` and ``zip``."""
    try:
        # punycode is for parts of host names. From Python 3.13 on it fails as encodings of files do.
        reads = codecs.lookup(name).name != "punycode"
        reads = reads and "a-1,2\n".encode(name).decode(name) == "a-1,2\n"
        with suppress(UnicodeDecodeError):  # it may raise the same for a file, with the place
            b"a-1,2\n".decode(name)
    except (LookupError, ValueError, TypeError, AssertionError):
        reads = False
    if not reads:
        raise ConfigError(f"no encoding {name!r}: try utf-8, latin-1 or utf-16.")


def _columns(named: Mapping[str, str]) -> Columns:
    kinds = [column.name for column in fields(Columns)]
    for kind in named:
        if kind not in kinds:
            raise ConfigError(f"columns: no kind of column {kind!r}: {did_you_mean(kind, kinds)}")
    return Columns(**named)
