"""``darec push``: a bundle into PostgreSQL, as a new version that is served at once or not at all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import Format, print_json
from darec.cli.stages import stages
from darec.terminal import echo
from darec.wording import counted_noun


def command(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    to: Annotated[
        str,
        typer.Option(
            envvar="DAREC_DATABASE",
            metavar="URL",
            help="postgresql://USER:PASSWORD@HOST:PORT/DATABASE. In the environment, it is in nobody's list of "
            "processes.",
        ),
    ],
    schema: Annotated[str, typer.Option(help="Of the tables.")] = "darec",
    keep: Annotated[
        int, typer.Option(min=1, help="Versions that stay, the new one among them.")
    ] = 2,
    depth: Annotated[
        int,
        typer.Option(
            min=1,
            help="Length of the lists, where the run is no pair of tables and lists are pushed.",
        ),
    ] = 200,
    format: Annotated[Format, typer.Option(help="How to print what was done.")] = Format.TABLE,
) -> None:
    """Write a bundle's items, users and what they have into PostgreSQL with pgvector, as a new version."""
    from darec.export.postgres.push import push_bundle

    with stages() as stage:
        done = push_bundle(bundle, to, schema=schema, keep=keep, depth=depth, on_stage=stage)
    if format is Format.JSON:
        print_json(asdict(done))
        return
    ranked = "vectors" if done.depth is None else f"lists of {done.depth:,}"
    what = f"{counted_noun(done.users, 'user')}, {counted_noun(done.items, 'item')}, as {ranked}"
    if not done.new:
        echo(f"{done.place}: version {done.version} holds this bundle already, {what}.")
    else:
        echo(f"{done.place}: version {done.version}, {what}, in {done.seconds:.1f} s.")
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
            f"darec: note: earlier versions that are still read, or belong to another role, stay until the next push: "
            f"{', '.join(map(str, done.kept))}.",
            err=True,
        )
