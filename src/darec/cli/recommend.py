"""``darec recommend``: list the best items, including new ones, for known users, for liked items, or for words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import ListFormat, SafeCSV


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, or of a bundle.")],
    user: Annotated[
        list[str] | None, typer.Option(help="Id of a known user. Repeat the option for several.")
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of known users: a .txt file with one id on each line, or a table with a column 'user_id'.",
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All known users.")] = False,
    liked: Annotated[
        str | None,
        typer.Option(help="Ids or titles of items that a new user likes, with commas between."),
    ] = None,
    about: Annotated[str | None, typer.Option(help="Words that say what a new user likes.")] = None,
    cold_user: Annotated[
        str | None,
        typer.Option(
            help="A new user in one option: 'liked: A, B' means --liked, and any other text means --about."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also list items that the user already has.")
    ] = False,
    candidates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of the items that may be listed: a .txt file with one id on each line, or a table with a "
            "column 'item_id'.",
        ),
    ] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of the pairs that must not be listed: a table with the columns 'user_id' and 'item_id'.",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="Condition on the items' fields, such as \"in_stock = true and price < 50\", or \"'RPG' = "
            'any(tags)" for a field that is a list.',
        ),
    ] = None,
    diversity: Annotated[
        float,
        typer.Option(
            help="Weight, from 0 to 1, for items that are unlike those already in the list."
        ),
    ] = 0.0,
    at_most: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Most items in a list that share one value of the field --per."
        ),
    ] = None,
    per: Annotated[
        str | None, typer.Option(metavar="FIELD", help="The field that --at-most counts.")
    ] = None,
    cold_items: Annotated[
        Path | None,
        typer.Option(
            help="File of new items, which have only text: .jsonl, .csv, .tsv or .parquet with the fields of the "
            "import. Only the new items are ranked."
        ),
    ] = None,
    with_warm: Annotated[
        bool, typer.Option("--with-warm", help="Rank the new items together with the catalogue.")
    ] = False,
    how: Annotated[
        str | None,
        typer.Option(
            help="For new items and --about: the map from text to item vectors: ridge (the default), neighbours or "
            "shared."
        ),
    ] = None,
    text_weight: Annotated[
        float | None,
        typer.Option(
            help="With --about: weight of the similarity of texts, from 0 to 1; the learned scores get the rest. "
            "0.7 by default."
        ),
    ] = None,
    item_id: Annotated[
        str | None, typer.Option(help="Column with the item id in the file of new items.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset, if it has moved since training.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write to this file instead: .parquet, .csv or .jsonl. If the command is killed, run it again to "
            "continue."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file in --out.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[
        ListFormat, typer.Option(help="Output format of the lists.")
    ] = ListFormat.TABLE,
    safe_csv: SafeCSV = True,
) -> None:
    """List the best items for users.

    The users are known by their ids, by items that they like, or by words. With --out, the lists are written to a
    file.
    """
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
            "name users by --user ID, --users FILE or --all, or a new user by --liked ITEM,ITEM,..., --about WORDS or "
            "--cold-user."
        )
    if (users is not None or all_) and out is None:
        raise ConfigError(
            "lists of many users go into a file: name it with --out, such as --out lists.parquet."
        )
    if cold_user is not None:
        head, colon, rest = cold_user.partition(":")
        liked, about = (
            (rest, None) if colon and head.strip().lower() == "liked" else (None, cold_user)
        )
    if about is not None and not about.strip():
        raise ConfigError("--about is empty: write words that say what the user likes.")
    if with_warm and cold_items is None:
        raise ConfigError("--with-warm needs new items: name their file with --cold-items.")
    if cold_items is None and item_id is not None:
        raise ConfigError("--item-id needs new items: name their file with --cold-items.")
    if cold_items is None and about is None and how is not None:
        raise ConfigError("--how needs --cold-items or --about.")
    if text_weight is not None and about is None:
        raise ConfigError("--text-weight needs --about.")
    if out is not None and (cold_items is not None or about is not None or liked is not None):
        raise ConfigError("--out needs --user, --users or --all.")
    if overwrite and out is None:
        raise ConfigError("--overwrite needs --out.")
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
