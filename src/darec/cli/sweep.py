"""``darec sweep``: train a pair with every value of a setting."""

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
            help="A setting and its values, such as alignment.rho=0.1,0.3. K, lambda, rho, N-hat and d are short "
            "names of darec's settings. If the option is repeated, all combinations of values are trained.",
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
    """Train a pair with every value of a setting.

    Each value is trained over several seeds and the metrics are plotted. Several --param make a grid of all
    combinations; to vary one setting at a time, run the command once for each. The value with the best mean on
    validation is marked, and its test metrics are shown as well. If the pair's own values are among those given, the
    others are compared with them. If the command is stopped, run it again: it continues where it stopped. The result is
    in OUT/comparison.json, .md, .tex, .csv and .html.
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
