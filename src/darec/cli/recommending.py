"""The work of ``darec recommend`` after its options are checked: print lists, or write them to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from darec.cli.opened import opened
from darec.cli.output import ListFormat, print_rows
from darec.cold import ColdStart
from darec.console import Console
from darec.data.ingest.id_files import IdFile, read_ids, read_pairs
from darec.errors import ConfigError
from darec.export.manifest import is_bundle
from darec.listing.lists import Recommendations
from darec.listing.output import ListFile
from darec.listing.recommending import Recommending
from darec.run import Run
from darec.scoring.mixing import WORDS
from darec.terminal import echo
from darec.wording import counted_noun


@dataclass(frozen=True)
class Asked:
    """The options of the command that select the users and the items.

    Attributes:
        run: folder of the run or bundle.
        data: folder of the run's dataset, if it has moved since training.
        user: ids of known users.
        users: a file of ids.
        liked: names of items, with commas between.
        about: words that say what a new user likes.
        k: length of a list.
        options: of :class:`darec.listing.request.ListOptions`, with paths in place of the contents of files. None means
            that the option was not given.
        include_seen: also list items that the user already has.
            format: the output format.
            safe_csv: make CSV safe for spreadsheets.
    """

    run: Path
    data: Path | None
    user: tuple[str, ...]
    users: Path | None
    liked: str | None
    about: str | None
    k: int
    options: Mapping[str, Any]
    include_seen: bool
    format: ListFormat
    safe_csv: bool

    @property
    def title(self) -> str:
        """The title of the output, which names the users."""
        if not self.user:
            return f"for a user who likes {self.liked or self.about}"
        return f"for user {self.user[0]}" if len(self.user) == 1 else f"for {len(self.user)} users"

    @property
    def told(self) -> bool:
        """Whether each row names its user. A table for one user names the user in its title."""
        return bool(self.user) and (len(self.user) > 1 or self.format is not ListFormat.TABLE)

    def read(self, run: Recommending) -> dict[str, Any]:
        """The options, with the contents of files in place of their paths."""
        given = {name: value for name, value in self.options.items() if value is not None}
        named = run.named
        if "candidates" in given:
            file = read_ids(given["candidates"], "item")
            given["candidates"] = _known(file, run)["item"].to_list()
        if "exclude_pairs" in given:
            found, note = read_pairs(given["exclude_pairs"]).known(
                {"user": named.users, "item": named.items}
            )
            if note is not None:
                echo(f"darec: note: {note}; these rows exclude nothing.", err=True)
            given["exclude_pairs"] = found.ids
        return {**given, "exclude_seen": not self.include_seen}


def _known(file: IdFile, run: Recommending) -> Any:
    """The known ids of a file. Raises ``ConfigError`` if there is none."""
    found, note = file.known({"user": run.named.users, "item": run.named.items})
    if note is not None:
        if not len(found.ids):
            raise ConfigError(f"{file.table.name}: {note}: no user is left.")
        echo(f"darec: note: {note}; they are left out.", err=True)
    return found.ids


def write_lists(asked: Asked, out: Path, *, overwrite: bool, quiet: bool) -> None:
    """Write the lists of known users to a file."""
    ListFile(out).check(overwrite=overwrite)  # before a run is loaded
    run = opened(asked.run, asked.data)
    users: Sequence[str] | None = asked.user or None
    if asked.users is not None:
        users = _known(read_ids(asked.users, "user"), run)["user"].to_list()
    try:
        done = run.recommend_all(
            out,
            asked.k,
            users=users,
            overwrite=overwrite,
            safe_csv=asked.safe_csv,
            progress=not quiet,
            **asked.read(run),
        )
    except KeyboardInterrupt:
        echo(
            "darec: interrupted. Finished lists are kept; run the same command again to continue.",
            err=True,
        )
        raise typer.Exit(130) from None
    fresh = done.users - done.reused
    speed = f", {fresh / done.seconds:,.0f} users a second" if fresh and done.seconds else ""
    echo(
        f"{counted_noun(done.rows, 'row')}"
        f" for {counted_noun(done.users, 'user')} in {done.path}: {done.seconds:.1f} s{speed}."
    )
    if done.empty:
        echo(
            f"darec: {counted_noun(done.empty, 'user has', 'users have')} an empty list: no item was left.",
            err=True,
        )


def print_lists(asked: Asked) -> None:
    """Print lists for known users, or for a new user who likes some items."""
    run = opened(asked.run, asked.data)
    options = asked.read(run)
    if asked.user:
        rows = run.recommend(asked.user, asked.k, **options).to_polars().rows(named=True)
    else:
        named = run.named.names.listed(asked.liked or "")
        rows = run.recommend_for(named, asked.k, **options).to_polars().rows(named=True)
    _print(asked, rows)


def print_cold(
    asked: Asked,
    cold_items: Path | None,
    *,
    item_id: str | None,
    with_warm: bool,
    how: str,
    text_weight: float | None,
) -> None:
    """Print lists of new items, or lists for a user described in words."""
    for name, value in asked.options.items():
        if value is not None:
            option = {"exclude_pairs": "exclude"}.get(name, name.replace("_", "-"))
            raise ConfigError(f"--{option} cannot be combined with new items or --about.")
    if is_bundle(asked.run):
        raise ConfigError(
            f"{asked.run} is a bundle, which cannot read new items or --about: name the run that it was made from."
        )
    run = Run.load(asked.run, dataset=asked.data)
    seen = {"exclude_seen": not asked.include_seen}
    console = Console(stderr=True, soft_wrap=True)
    with console.status("learning the map from text to item vectors ..."):
        cold = ColdStart(run, how=how).fit(cold_items, id_column=item_id)
        if asked.user:
            rows = [
                {"user_id": one, **asdict(item)}
                for one in asked.user
                for item in cold.recommend(one, asked.k, with_warm=with_warm, **seen)
            ]
        else:
            if asked.liked is not None:
                named = cold.names_.listed(asked.liked)
                listed = cold.recommend_for(named, asked.k, with_warm=with_warm, **seen)
            else:
                weight = WORDS if text_weight is None else text_weight
                words = asked.about or ""
                listed = cold.recommend_about(
                    words, asked.k, with_warm=with_warm, text_weight=weight
                )
            rows = [asdict(item) for item in listed]
    for notice in cold.notices_:
        console.print(f"darec: {notice}")
    if with_warm and cold.map_ is not None:
        console.print(
            f"darec: text explains {cold.map_.explained_:.0%} of the variance of the warm items' vectors, and the "
            f"vectors of the new items are {cold.relative_length_:.2f} times as long on average. Below 1, a new "
            "item ranks lower than a warm item that is liked as much."
        )
    if not with_warm:  # every item is new, or none is
        rows = _without("new", rows)
    _print(asked, rows, more=["new"] * with_warm)


def _print(asked: Asked, rows: list[dict[str, Any]], more: Sequence[str] = ()) -> None:
    _tell_of_empty(list(asked.user), rows, asked.title)
    columns = [name for name in Recommendations.columns if asked.told or name != "user_id"]
    rows = rows if asked.told else _without("user_id", rows)
    print_rows(rows, asked.format, asked.title, columns=[*columns, *more], safe=asked.safe_csv)


def _tell_of_empty(users: list[str], rows: list[dict[str, Any]], title: str) -> None:
    """Name the users for whom no item is left."""
    listed = {str(row.get("user_id")) for row in rows}
    empty = [one for one in users if str(one) not in listed]
    if not empty and (rows or users):
        return
    whom = title if not rows else f"for {len(empty)} of the users, the first {empty[0]!r}"
    echo(
        f"darec: no item is left to list {whom}: they already have every item that may be listed (--include-seen "
        "lists these too).",
        err=True,
    )


def _without(column: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != column} for row in rows]
