"""``darec explain``: the reasons for an item's score for a user."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from darec.cli.output import Format, ListFormat

if TYPE_CHECKING:
    from darec.listing.reasons import Reasons

OTHER: Final = {
    "tables": "tables: inner product of the user's row and the item's",
    "popularity": "popularity of the item",
}


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, or of a bundle.")],
    item: Annotated[str, typer.Option(help="Id or title of the item.")],
    user: Annotated[str | None, typer.Option(help="Id of a known user.")] = None,
    liked: Annotated[
        str | None,
        typer.Option(help="Ids or titles of items that a new user likes, with commas between."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of parts of the score to print.")] = 10,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset, if it has moved since training.")
    ] = None,
    format: Annotated[
        Format, typer.Option(help="Output format of the explanation.")
    ] = Format.TABLE,
) -> None:
    """Explain the score of an item for a user.

    The explanation has the parts whose sum is the score, the user's items that are nearest to it, and the words that
    both texts have.
    """
    from darec.cli.opened import opened
    from darec.cli.output import print_json
    from darec.errors import ConfigError

    if (user is None) == (liked is None):
        raise ConfigError("name either --user ID or --liked ITEM,ITEM,...")
    if k < 1:
        raise ConfigError(f"-k {k}: must be at least 1.")
    loaded = opened(run, data)
    if user is not None:
        why = loaded.explain(user, item)
    else:
        why = loaded.explain_for(loaded.named.names.listed(liked or ""), item)
    if format is Format.JSON:
        print_json(asdict(why))
    else:
        whom = f"user {user}" if user is not None else f"a user who likes {liked}"
        _print(why, whom, k)


def _print(why: Reasons, whom: str, k: int) -> None:
    from darec.cli.output import print_rows
    from darec.terminal import echo

    echo(f"{why.title} ({why.item_id}) for {whom}: score {why.score:.4f}")
    rows: list[dict[str, Any]] = [
        {
            "because of": part.title or OTHER.get(part.of, part.of),
            "adds": part.adds,
            "share": _percent(part.share),
        }
        for part in why.parts[:k]
    ]
    rest = why.parts[k:]
    if rest:
        added = sum(part.adds for part in rest)
        share = added / why.score if why.score else None
        rows.append({"because of": f"{len(rest)} more", "adds": added, "share": _percent(share)})
    if rows:
        rows.append({"because of": "sum", "adds": why.score, "share": _percent(1.0)})
        echo("\nthe score is the sum of these parts", lines=True)
        print_rows(rows, ListFormat.TABLE)
    if why.nearest:
        near = [
            {"the user has": one.title, "item_id": one.item_id, "cosine": one.cosine}
            for one in why.nearest
        ]
        echo("\nnearest items by the learned vectors; these are not part of the sum", lines=True)
        print_rows(near, ListFormat.TABLE)
    if why.words:
        words = [
            {"word": one.word, "also in": one.title, "cosine": one.cosine} for one in why.words
        ]
        echo("\nwords in both texts, and how much each adds to the cosine of the two", lines=True)
        print_rows(words, ListFormat.TABLE)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
