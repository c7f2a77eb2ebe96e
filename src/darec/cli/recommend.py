"""``darec recommend``: the best items for a user, known by id or by what they like."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import ListFormat


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    user: Annotated[str | None, typer.Option(help="Id of a known user.")] = None,
    liked: Annotated[
        str | None, typer.Option(help="Ids of items that a new user likes, with commas between.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also list items the user has already.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Where the dataset is now.")] = None,
    format: Annotated[ListFormat, typer.Option(help="How to print the list.")] = ListFormat.TABLE,
) -> None:
    """List the items that a trained model ranks highest for a user."""
    from darec.cli.output import print_rows
    from darec.errors import ConfigError
    from darec.run import Run

    if (user is None) == (liked is None):
        raise ConfigError("name either --user ID or --liked ID,ID,...")
    loaded = Run.load(run, dataset=data)
    if user is not None:
        listed = loaded.recommend(user, k, exclude_seen=not include_seen)
        title = f"for user {user}"
    else:
        items = [item.strip() for item in (liked or "").split(",") if item.strip()]
        listed = loaded.recommend_for(items, k, exclude_seen=not include_seen)
        title = f"for one who likes {', '.join(items)}"
    print_rows([asdict(item) for item in listed], format, title)
