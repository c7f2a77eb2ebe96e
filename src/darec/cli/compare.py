"""``darec compare``: a grid of backbones and alignments over seeds, compared fairly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli import comparing
from darec.cli.comparing import CompareFormat, again, conclude, given
from darec.registry import ALIGNMENTS, BACKBONES


def command(
    data: comparing.Data,
    out: comparing.Out,
    backbones: Annotated[
        str, typer.Option(metavar="NAME,...", help=f"{', '.join(BACKBONES)}; or all.")
    ] = "lightgcn",
    alignments: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help=f"{', '.join(ALIGNMENTS)}; or all.",
        ),
    ] = "all",
    seeds: comparing.Seeds = "3",
    jobs: comparing.Jobs = 1,
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
    baseline: Annotated[
        str, typer.Option(metavar="NAME", help="Alignment that gains are measured over.")
    ] = "none",
    encoder: comparing.Encoder = None,
    device: comparing.Device = None,
    threads: comparing.Threads = None,
    yes: comparing.Yes = False,
    quiet: comparing.Quiet = False,
    format: comparing.FormatOption = CompareFormat.TABLE,
) -> None:
    """Train every backbone with every alignment over several seeds, and say what differs beyond chance.

    The same command goes on where it was stopped: a run is found by the hash of its settings, data and language
    vectors, also when the grid has grown. A run that fails is reported and does not stop the others; the exit status
    is then 1. OUT/comparison.json, .md, .tex, .csv and .html hold the result.
    """
    from darec.compare.run import compare

    conclude(
        lambda: compare(
            data,
            out=out,
            backbones=backbones,
            alignments=alignments,
            seeds=seeds,
            jobs=jobs,
            threads=threads,
            options=given(encoder, device),
            config=config,
            overrides=set_ or (),
            settings=settings,
            baseline=baseline,
            many=yes,
            command=again(),
            progress=not quiet,
        ),
        out,
        format,
    )
