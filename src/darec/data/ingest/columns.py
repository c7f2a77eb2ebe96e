"""The meaning of each column: by its usual names, or by the name that the user gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from darec.data.ingest.source import Columns, SourceTable
from darec.errors import ConfigError, DataError, did_you_mean

# Usual names of each column, in lower case without underscores and blanks. The first one that a file has is taken.
USUAL: Final = {
    "user": ("userid", "user", "uid", "reviewerid", "visitorid", "customerid", "memberid", "sessionid"),
    "item": (
        "itemid", "item", "iid", "movieid", "parentasin", "asin", "productid", "product", "gameid", "bookid",
        "articleid", "newsid", "trackid", "songid", "businessid", "appid",
    ),
    "rating": (
        "rating", "score", "stars", "ratings", "overall", "reviewscore", "starrating", "label", "isclick", "click",
        "clicked", "islike", "liked",
    ),
    "time": (
        "timestamp", "time", "unixreviewtime", "ts", "timems", "timestampms", "eventtime", "eventtimestamp",
        "datetime", "createdat", "date", "eventdate", "reviewtime", "reviewdate", "dateadded", "position",
    ),
    "split": ("split", "subset", "fold"),
}  # fmt: skip
# Names of the splits in files.
SPLIT_NAMES: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
REQUIRED: Final = ("user", "item")

# The option of the command line for each column.
OPTIONS: Final = {kind: f"--{kind}-column" for kind in USUAL} | {"time": "--timestamp-column"}


def plain(name: str) -> str:
    """Return a column's name in lower case, letters and digits only."""
    return "".join(c for c in name.lower() if c.isalnum())


def usual_columns(kind: str, names: list[str]) -> list[str]:
    """Return the usual names of a kind of column, the most usual first."""
    return [name for usual in USUAL[kind] for name in names if plain(name) == usual]


def column_names(names: Sequence[str]) -> list[str]:
    """Return names without surrounding blanks.

    Columns without a name, or with the name of an earlier one, get numbers.
    """
    found: list[str] = []
    for place, name in enumerate(map(str.strip, names), 1):
        name = name or f"column {place}"
        found.append(name if name not in found else f"{name} ({place})")
    return found


def stood_twice(names: Sequence[str]) -> set[str]:
    """Return those of :func:`column_names` that the header holds more than once."""
    later = [re.fullmatch(r"(.+) \(\d+\)", name, re.S) for name in names]
    return {match[1] for match in later if match} & set(names)


def find_columns(table: SourceTable, columns: Columns) -> dict[str, str]:
    """Return the table's name for each kind of column that it has; of several usual names the first.

    Raises:
        DataError: there is no column for user or item or with a name that was asked for, or the name occurs twice.
        ConfigError: one column was named for both user and item.
    """
    names = table.columns
    there = f"it has {', '.join(map(repr, names))}"
    found: dict[str, str] = {}
    for kind in USUAL:
        asked = getattr(columns, kind)
        if asked is not None and asked not in names:
            near = did_you_mean(asked, names)
            raise DataError(
                f"{table.name}: no column {asked!r} for the {kind}; {there}"
                + (f": {near}" if near.startswith("did") else f": name one with {OPTIONS[kind]}.")
            )
        guesses = [asked] if asked is not None else usual_columns(kind, names)
        if not guesses and kind in REQUIRED:
            raise DataError(
                f"{table.name}: no column for the {kind}; {there}: name it with {OPTIONS[kind]}, or name all columns "
                "with --header if the file has no header."
            )
        if guesses:
            found[kind] = guesses[0]
    if found["user"] == found["item"]:
        raise ConfigError(f"column {found['user']!r} cannot be both user and item.")
    for name in found.values():
        if name in stood_twice(names):
            raise DataError(f"{table.name}, line 1: column {name!r} occurs twice: rename one.")
    return found
