"""``darec compare``: a grid of backbones and alignments over seeds, compared fairly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli import comparison_options
from darec.cli.comparison_options import CompareFormat, command_line, given_settings, run_and_print
from darec.cli.parts import alignment_names, backbone_names


def command(
    data: comparison_options.Data,
    out: comparison_options.Out,
    backbones: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            autocompletion=backbone_names,
            help="Backbones, with commas between: {backbones}; or all.",
        ),
    ] = "lightgcn",
    alignments: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            autocompletion=alignment_names,
            help="Alignments, with commas between: {alignments}; or all.",
        ),
    ] = "all",
    seeds: comparison_options.Seeds = "3",
    jobs: comparison_options.Jobs = 1,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting for every pair that has it, such as train.epochs=5. 'darec settings' lists all.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings for all pairs.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="Folder with one file BACKBONE+ALIGNMENT.yaml for each pair, as 'darec tune' writes it."
        ),
    ] = None,
    baseline: Annotated[
        str, typer.Option(metavar="NAME", help="Gains are computed relative to this alignment.")
    ] = "none",
    floors: Annotated[
        bool,
        typer.Option(
            help="Also train simple rivals: popularity, ItemKNN, EASE and, if a pair reads text, L3AE."
        ),
    ] = True,
    encoder: comparison_options.Encoder = None,
    device: comparison_options.Device = None,
    threads: comparison_options.Threads = None,
    yes: comparison_options.Yes = False,
    quiet: comparison_options.Quiet = False,
    format: comparison_options.FormatOption = CompareFormat.TABLE,
) -> None:
    """Compare backbones and alignments over several seeds.

    Every backbone is trained with every alignment, and the result says which differences are beyond chance. If the
    command is stopped, run it again: it continues where it stopped. You may also add pairs or seeds: finished runs are
    found by the hash of their settings, data and language vectors. A run that fails is reported and does not stop the
    others; the exit status is then 1. The result is in OUT/comparison.json, .md, .tex, .csv and .html.
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
