"""``darec push``: write a bundle into PostgreSQL as a new version, which becomes visible all at once or not at all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from darec.cli.output import Format, print_json
from darec.cli.stages import stages
from darec.terminal import echo
from darec.wording import counted_noun

ENOUGH: Final = 0.98
"""A smaller recall is reported; the same as the default of 'darec index'."""


def command(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    to: Annotated[
        str,
        typer.Option(
            envvar="DAREC_DATABASE",
            metavar="URL",
            help="postgresql://USER:PASSWORD@HOST:PORT/DATABASE. In the environment variable, the password does "
            "not show in the list of processes.",
        ),
    ],
    schema: Annotated[str, typer.Option(help="Schema of the tables.")] = "darec",
    keep: Annotated[
        int, typer.Option(min=1, help="Number of versions to keep, including the new one.")
    ] = 2,
    depth: Annotated[
        int,
        typer.Option(
            min=1,
            help="Length of each user's list. Lists are written only if the run's scores are not an inner product "
            "of vectors.",
        ),
    ] = 200,
    format: Annotated[Format, typer.Option(help="Output format of the report.")] = Format.TABLE,
) -> None:
    """Write a bundle into PostgreSQL as a new version.

    The version holds the items, the users and their interactions, and the vectors in columns of pgvector.
    """
    from darec.export.postgres.push import K, push_bundle

    with stages() as stage:
        done = push_bundle(bundle, to, schema=schema, keep=keep, depth=depth, on_stage=stage)
    if format is Format.JSON:
        print_json(asdict(done))
        return
    ranked = "vectors" if done.depth is None else f"lists of {done.depth:,}"
    what = f"{counted_noun(done.users, 'user')}, {counted_noun(done.items, 'item')}, as {ranked}"
    if not done.new:
        echo(f"{done.place}: version {done.version} already holds this bundle, {what}.")
    else:
        echo(f"{done.place}: version {done.version}, {what}, in {done.seconds:.1f} s.")
    if done.recall is not None:
        echo(
            f"lists of users by the database's index: recall@{K} {done.recall:.4f} against exact lists."
        )
        if done.recall < ENOUGH:
            echo(
                f"darec: note: that is below {ENOUGH}: 'darec serve' ranks the same bundle exactly.",
                err=True,
            )
    if done.dropped:
        echo(f"earlier versions removed: {', '.join(map(str, done.dropped))}.")
    if done.replaced:
        echo(
            f"darec: note: {done.replaced:,} NUL characters in titles, texts and fields, which PostgreSQL cannot hold, "
            "were replaced.",
            err=True,
        )
    if done.kept:
        echo(
            "darec: note: earlier versions that are being read, or that belong to another role, stay until the "
            f"next push: {', '.join(map(str, done.kept))}.",
            err=True,
        )
