"""``darec recommend``: the best items, new ones too, for users known by id, by what they like, or by words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import ListFormat, SafeCSV


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, or of a bundle.")],
    user: Annotated[
        list[str] | None, typer.Option(help="Id of a known user; repeat for several.")
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Known users: ids a line in .txt, or a table with a column 'user_id'.",
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All known users.")] = False,
    liked: Annotated[
        str | None,
        typer.Option(help="Ids or titles of items that a new user likes, with commas between."),
    ] = None,
    about: Annotated[str | None, typer.Option(help="What a new user likes, in words.")] = None,
    cold_user: Annotated[
        str | None,
        typer.Option(help="A new user in one option: 'liked: A, B' as --liked, else as --about."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also list items the user has already.")
    ] = False,
    candidates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Items that may be listed: ids a line in .txt, or a table with a column 'item_id'.",
        ),
    ] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Pairs that may not: a table with 'user_id' and 'item_id'."
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help='Condition on the items\' fields, "in_stock = true and price < 50"; of lists "\'RPG\' = any(tags)".',
        ),
    ] = None,
    diversity: Annotated[
        float, typer.Option(help="How much unlike items are preferred, 0 to 1.")
    ] = 0.0,
    at_most: Annotated[
        int | None,
        typer.Option(metavar="N", help="Items of a list with one value of --per, at most."),
    ] = None,
    per: Annotated[str | None, typer.Option(metavar="FIELD", help="See --at-most.")] = None,
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
    text_weight: Annotated[
        float | None,
        typer.Option(
            help="With --about: how much the likeness of texts weighs against what was learned, 0 to 1; 0.7 by default."
        ),
    ] = None,
    item_id: Annotated[str | None, typer.Option(help="Id column of the new items.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the dataset is now.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write to this file instead: .parquet, .csv or .jsonl. After a kill, the same command goes on."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    format: Annotated[ListFormat, typer.Option(help="How to print the list.")] = ListFormat.TABLE,
    safe_csv: SafeCSV = True,
) -> None:
    """List the items that a trained model ranks highest for a user, or write those of all users to a file."""
    from darec.cli.recommending import Asked, print_cold, print_lists, write_lists
    from darec.errors import ConfigError

    whom = [
        bool(user),
        users is not None,
        all_,
        *(one is not None for one in (liked, about, cold_user)),
    ]
    if sum(whom) != 1:
        raise ConfigError(
            "name either --user ID, --users FILE or --all, or --liked ITEM,ITEM,... or --about WORDS, or the latter "
            "two as --cold-user."
        )
    if (users is not None or all_) and out is None:
        raise ConfigError(
            "lists of many users go into a file: name it with --out, as --out lists.parquet."
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
    if text_weight is not None and about is None:
        raise ConfigError("--text-weight goes with --about.")
    if out is not None and (cold_items is not None or about is not None or liked is not None):
        raise ConfigError("--out goes with --user, --users or --all.")
    if overwrite and out is None:
        raise ConfigError("--overwrite goes with --out.")
    asked = Asked(
        run=run,
        data=data,
        user=tuple(user or ()),
        users=users,
        liked=liked,
        about=about,
        k=k,
        options={
            "candidates": candidates,
            "exclude_pairs": exclude,
            "where": where,
            "diversity": diversity or None,
            "at_most": at_most,
            "per": per,
        },
        include_seen=include_seen,
        format=format,
        safe_csv=safe_csv,
    )
    if out is not None:
        write_lists(asked, out, overwrite=overwrite, quiet=quiet)
    elif cold_items is None and about is None:
        print_lists(asked)
    else:
        print_cold(
            asked,
            cold_items,
            item_id=item_id,
            with_warm=with_warm,
            how=how or "ridge",
            text_weight=text_weight,
        )
