"""``darec ablate``: one pair against itself with a term or a choice switched off."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from darec.cli import comparison_options
from darec.cli.comparison_options import CompareFormat, command_line, given_settings, run_and_print


def command(
    data: comparison_options.Data,
    out: comparison_options.Out,
    backbone: comparison_options.Backbone = None,
    alignment: comparison_options.Alignment = None,
    part: Annotated[
        Literal["alignment", "backbone"],
        typer.Option(help="The part whose terms and choices are changed."),
    ] = "alignment",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Name of an ablation to run, all by default. Repeat the option for several.",
        ),
    ] = None,
    seeds: comparison_options.Seeds = "3",
    jobs: comparison_options.Jobs = 1,
    set_: comparison_options.Set = None,
    config: comparison_options.Config = None,
    encoder: comparison_options.Encoder = None,
    device: comparison_options.Device = None,
    threads: comparison_options.Threads = None,
    yes: comparison_options.Yes = False,
    quiet: comparison_options.Quiet = False,
    format: comparison_options.FormatOption = CompareFormat.TABLE,
) -> None:
    """Train a pair with each term or choice switched off.

    The unchanged pair is trained as well, and everything is repeated over several seeds. The alignment or the backbone
    declares its ablations. If it declares none, each weight is set to zero and each switch is turned, one at a time.
    Every result is compared with the unchanged pair, with intervals and tests. If the command is stopped, run it again:
    it continues where it stopped. The result is in OUT/comparison.json, .md, .tex, .csv and .html.
    """
    from darec.compare.ablate import ablate

    run_and_print(
        lambda: ablate(
            data,
            part=part,
            only=only or (),
            out=out,
            backbone=backbone,
            alignment=alignment,
            seeds=seeds,
            jobs=jobs,
            threads=threads,
            options=given_settings(encoder, device),
            config=config,
            overrides=set_ or (),
            many=yes,
            command=command_line(),
            progress=not quiet,
        ),
        out,
        format,
    )
