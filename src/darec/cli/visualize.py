"""``darec visualize``: draw what a finished run learned."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import Format
from darec.limits import LARGEST_SHORT_SEED


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="Folder for the page and the pictures.")],
    against: Annotated[
        Path | None, typer.Option(help="A run on the same data without alignment, for comparison.")
    ] = None,
    methods: Annotated[
        str, typer.Option(metavar="NAME,...", help="Projection methods: pca, tsne or umap.")
    ] = "pca,tsne",
    clusters: Annotated[
        int | None,
        typer.Option(help="Number of coloured clusters; the alignment's own number by default."),
    ] = None,
    rows: Annotated[
        int, typer.Option(help="Largest number of users, and of items, in a map.")
    ] = 500,
    hops: Annotated[
        int | None,
        typer.Option(
            min=2, help="Smallest distance in the graph between the two users of a case study."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SHORT_SEED, help="Seed of all random draws.")
    ] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset, if it has moved since training.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the numbers.")] = Format.TABLE,
) -> None:
    """Draw what a finished run learned.

    The pictures show the parts of the representations in two dimensions, similarities before and after alignment, and
    pairs of users. OUT/index.html is a page that works without a network. Every picture is also written as PNG and SVG,
    and the numbers are in OUT/anatomy.json.
    """
    from rich.table import Table

    from darec.cli.output import cell, print_json
    from darec.console import Console
    from darec.visualize import visualize

    anatomy = visualize(
        run,
        out=out,
        against=against,
        methods=methods,
        n_clusters=clusters,
        rows=rows,
        hops=hops,
        seed=seed,
        data=data,
        command=shlex.join(["darec", *sys.argv[1:]]),
        progress=not quiet,
    )
    if format is Format.JSON:
        print_json(anatomy.tree())
        return
    console = Console()
    table = Table(title=anatomy.run, title_justify="left")
    for column in ("", *(view.kind for view in anatomy.views)):
        table.add_column(column, justify="right" if column else "left")
    figures = [view.figures() for view in anatomy.views]
    for name in figures[0]:
        label = name.replace("_", " ", 1) if "/" in name else name.replace("_", " ")
        table.add_row(label.replace("/", " of "), *(cell(found.get(name)) for found in figures))
    console.print(table)
    if not anatomy.has_parts:
        console.print("no shared and specific parts in this alignment: E_C against E_L")
    study = anatomy.study
    if study is None:
        console.print(
            "no two users with text are that far apart in the graph, so there is no case study"
        )
    else:
        ranks = "; ".join(f"{name}: {study.median_rank(name):,.0f}" for name in study.cases[0].near)
        console.print(
            f"{len(study.cases)} pairs of users at least {study.hops} edges apart with the most similar texts, median "
            f"rank as neighbours among {study.n_users:,} users: {ranks}",
            soft_wrap=True,
        )
    console.print(f"written to {out}/index.html", soft_wrap=True)
