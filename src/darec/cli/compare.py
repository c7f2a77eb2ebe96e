"""``darec compare``: a grid of backbones and alignments over seeds, compared fairly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli import comparison_options
from darec.cli.comparison_options import CompareFormat, command_line, given_settings, run_and_print


def command(
    data: comparison_options.Data,
    out: comparison_options.Out,
    backbones: Annotated[
        str, typer.Option(metavar="NAME,...", help="{backbones}; or all.")
    ] = "lightgcn",
    alignments: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="{alignments}; or all.",
        ),
    ] = "all",
    seeds: comparison_options.Seeds = "3",
    jobs: comparison_options.Jobs = 1,
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
    floors: Annotated[
        bool,
        typer.Option(help="Also show popularity, ItemKNN, EASE and, where text is read, L3AE."),
    ] = True,
    encoder: comparison_options.Encoder = None,
    device: comparison_options.Device = None,
    threads: comparison_options.Threads = None,
    yes: comparison_options.Yes = False,
    quiet: comparison_options.Quiet = False,
    format: comparison_options.FormatOption = CompareFormat.TABLE,
) -> None:
    """Train every backbone with every alignment over several seeds, and say what differs beyond chance.

    The same command goes on where it was stopped: a run is found by the hash of its settings, data and language
    vectors, also when the grid has grown. A run that fails is reported and does not stop the others; the exit status
    is then 1. OUT/comparison.json, .md, .tex, .csv and .html hold the result.
    """
    from darec.compare.run import compare

    run_and_print(
        lambda: compare(
            data,
            out=out,
            backbones=backbones,
            alignments=alignments,
            seeds=seeds,
            jobs=jobs,
            threads=threads,
            options=given_settings(encoder, device),
            config=config,
            overrides=set_ or (),
            settings=settings,
            baseline=baseline,
            floors=floors,
            many=yes,
            command=command_line(),
            progress=not quiet,
        ),
        out,
        format,
    )
