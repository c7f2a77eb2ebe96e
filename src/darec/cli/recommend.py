"""``darec recommend``: the best items, new ones too, for a user known by id, by what they like, or by words."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from darec.cli.output import ListFormat, SafeCSV


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    user: Annotated[
        list[str] | None, typer.Option(help="Id of a known user; repeat for several.")
    ] = None,
    liked: Annotated[
        str | None,
        typer.Option(help="Ids or titles of items that a new user likes, with commas between."),
    ] = None,
    about: Annotated[str | None, typer.Option(help="What a new user likes, in words.")] = None,
    cold_user: Annotated[
        str | None,
        typer.Option(help="A new user in one option: 'liked: A, B' as --liked, else as --about."),
    ] = None,
    cold_items: Annotated[
        Path | None,
        typer.Option(
            help="New items, which have only text: .jsonl, .csv, .tsv or .parquet with the fields of the import. They "
            "are ranked among themselves."
        ),
    ] = None,
    with_warm: Annotated[
        bool, typer.Option("--with-warm", help="Rank the new items among the catalogue.")
    ] = False,
    how: Annotated[
        str | None,
        typer.Option(
            help="Map from text to what the run scores, for new items and --about: ridge (the default), "
            "neighbours or shared."
        ),
    ] = None,
    item_id: Annotated[str | None, typer.Option(help="Id column of the new items.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also list items the user has already.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Where the dataset is now.")] = None,
    format: Annotated[ListFormat, typer.Option(help="How to print the list.")] = ListFormat.TABLE,
    safe_csv: SafeCSV = True,
) -> None:
    """List the items that a trained model ranks highest for a user."""
    from darec.cli.output import print_rows
    from darec.errors import ConfigError
    from darec.listing.lists import Recommendations
    from darec.run import Run

    users = list(user or ())
    if bool(users) + sum(given is not None for given in (liked, about, cold_user)) != 1:
        raise ConfigError(
            "name either --user ID or --liked ITEM,ITEM,... or --about WORDS, or the latter two as --cold-user."
        )
    if cold_user is not None:
        head, colon, rest = cold_user.partition(":")
        liked, about = (
            (rest, None) if colon and head.strip().lower() == "liked" else (None, cold_user)
        )
    if about is not None and not about.strip():
        raise ConfigError("--about is empty: write what the user likes.")
    if with_warm and cold_items is None:
        raise ConfigError("--with-warm goes with new items: name their file with --cold-items.")
    if cold_items is None and item_id is not None:
        raise ConfigError("--item-id goes with new items: name their file with --cold-items.")
    if cold_items is None and about is None and how is not None:
        raise ConfigError("--how goes with --cold-items or --about.")
    loaded = Run.load(run, dataset=data)
    seen: dict[str, Any] = {"exclude_seen": not include_seen}
    title = f"for one who likes {liked or about}"
    if users:
        title = f"for user {users[0]}" if len(users) == 1 else f"for {len(users)} users"
    # A table for one user says in its title whom it is for; programs find the user in every row.
    told = bool(users) and (len(users) > 1 or format is not ListFormat.TABLE)
    columns = [name for name in Recommendations.columns if told or name != "user_id"]
    columns += ["new"] * with_warm
    if cold_items is None and about is None:
        if users:
            rows = loaded.recommend(users, k, **seen).to_polars().rows(named=True)
        else:
            named = loaded.dataset.names.listed(liked or "")
            rows = loaded.recommend_for(named, k, **seen).to_polars().rows(named=True)
        _tell_of_empty(users, rows, title)
        rows = rows if told else _without("user_id", rows)
        print_rows(rows, format, title, columns=columns, safe=safe_csv)
        return

    from darec.cold import ColdStart
    from darec.terminal import Console

    console = Console(stderr=True, soft_wrap=True)
    with console.status("learning what text says of the warm items ..."):
        cold = ColdStart(loaded, how=how or "ridge").fit(cold_items, id_column=item_id)
        if users:
            rows = [
                {"user_id": one, **asdict(item)}
                for one in users
                for item in cold.recommend(one, k, with_warm=with_warm, **seen)
            ]
        else:
            if liked is not None:
                named = cold.names_.listed(liked)
                listed = cold.recommend_for(named, k, with_warm=with_warm, **seen)
            else:
                listed = cold.recommend_about(about or "", k, with_warm=with_warm)
            rows = [asdict(item) for item in listed]
    for notice in cold.notices_:
        console.print(f"darec: {notice}")
    if with_warm and cold.map_ is not None:
        console.print(
            f"darec: text tells {cold.map_.explained_:.0%} of the warm items' vectors, and those of the new items are "
            f"{cold.relative_length_:.2f} times as long on average: where below 1, a new item stands lower in this mix "
            "than an old one that is liked as well."
        )
    if not with_warm:  # all are new, or none is
        rows = _without("new", rows)
    _tell_of_empty(users, rows, title)
    rows = rows if told else _without("user_id", rows)
    print_rows(rows, format, title, columns=columns, safe=safe_csv)


def _tell_of_empty(users: list[str], rows: list[dict[str, Any]], title: str) -> None:
    """Say where nothing is left to recommend."""
    from darec.terminal import echo

    listed = {str(row.get("user_id")) for row in rows}
    empty = [one for one in users if str(one) not in listed]
    if not empty and (rows or users):
        return
    whom = title if not rows else f"for {len(empty)} of the users, the first {empty[0]!r}"
    echo(
        f"darec: no item is left to list {whom}: each is known already (--include-seen lists these too).",
        err=True,
    )


def _without(column: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != column} for row in rows]
