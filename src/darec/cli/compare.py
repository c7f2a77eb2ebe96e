"""``darec compare``: a grid of backbones and alignments over seeds, compared fairly."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from darec.registry import ALIGNMENTS, BACKBONES


class CompareFormat(StrEnum):
    """Formats of a comparison on standard output."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"


def command(
    data: Annotated[Path, typer.Argument(help="Dataset folder, from 'darec import'.")],
    out: Annotated[Path, typer.Option(help="Folder of the comparison and its runs.")],
    backbones: Annotated[
        str, typer.Option(metavar="NAME,...", help=f"{', '.join(BACKBONES)}; or all.")
    ] = "lightgcn",
    alignments: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help=f"{', '.join(ALIGNMENTS)}; or all. Gains are measured over none.",
        ),
    ] = "all",
    seeds: Annotated[
        str, typer.Option(metavar="N|LIST", help="How many, from 0, or a list: 0,3,7.")
    ] = "3",
    jobs: Annotated[int, typer.Option(min=1, help="Runs trained at once.")] = 1,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any of 'darec settings', for every pair that has it, as in train.epochs=5.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings, the same for all pairs.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="Folder of BACKBONE+ALIGNMENT.yaml, one a pair, from 'darec tune'."),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Which embeddings of 'darec encode'; the newest by default.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of each run; cores / jobs by default.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Train a grid of more than 1000 runs.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    format: Annotated[
        CompareFormat, typer.Option(help="How to print the result.")
    ] = CompareFormat.TABLE,
) -> None:
    """Train every backbone with every alignment over several seeds, and say what differs beyond chance.

    The same command goes on where it was stopped: a run is found by the hash of its settings, data and language
    vectors, also when the grid has grown. A run that fails is reported and does not stop the others; the exit status
    is then 1. OUT/comparison.json, .md, .tex, .csv and .html hold the result.
    """
    from rich.console import Console

    from darec.compare.output import print_tables, render
    from darec.compare.run import compare

    named: dict[str, Any] = {"text.encoder": encoder, "options.device": device}
    again = shlex.join(["darec", *sys.argv[1:]])
    try:
        comparison = compare(
            data,
            out=out,
            backbones=backbones,
            alignments=alignments,
            seeds=seeds,
            jobs=jobs,
            threads=threads,
            options={key: value for key, value in named.items() if value is not None},
            config=config,
            overrides=set_ or (),
            settings=settings,
            many=yes,
            command=again,
            progress=not quiet,
        )
    except KeyboardInterrupt:
        typer.echo(
            f"darec: interrupted; finished runs and checkpoints are kept, go on with: {again}",
            err=True,
        )
        raise typer.Exit(130) from None
    if format is CompareFormat.TABLE:
        console = Console(highlight=False, markup=False)
        print_tables(comparison, console)
        console.print(f"written to {out}/comparison.*", soft_wrap=True)
    else:
        typer.echo(render(comparison, format.value), nl=False)
    if any(pair.failed for pair in comparison.pairs):
        raise typer.Exit(1)
