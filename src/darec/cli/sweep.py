"""``darec sweep``: one pair under every value of a setting."""

from __future__ import annotations

from typing import Annotated

import typer

from darec.cli import comparison_options
from darec.cli.comparison_options import CompareFormat, command_line, given_settings, run_and_print


def command(
    data: comparison_options.Data,
    out: comparison_options.Out,
    param: Annotated[
        list[str],
        typer.Option(
            metavar="KEY=A,B,...",
            help="A setting and its values, as alignment.rho=0.1,0.3; K, lambda, rho, N-hat and d are short for "
            "darec's. Several are combined, each value with each.",
        ),
    ],
    backbone: comparison_options.Backbone = None,
    alignment: comparison_options.Alignment = None,
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
    """Train a pair with every value of a setting over several seeds, and plot what becomes of it.

    Several --param are a grid: every combination is trained; to vary one at a time, run the command for each. The value
    with the best validation mean is marked; the test figures are shown beside. Differences are to the base, the pair's
    own settings, where its values are among those given. The same command goes on where it was stopped.
    OUT/comparison.json, .md, .tex, .csv and .html hold the result.
    """
    from darec.compare.sweep import sweep

    run_and_print(
        lambda: sweep(
            data,
            param,
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
