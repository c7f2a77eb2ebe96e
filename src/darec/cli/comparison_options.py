"""What ``compare``, ``sweep`` and ``ablate`` have in common: options, and how they end."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from darec.limits import MOST_JOBS, MOST_THREADS


class CompareFormat(StrEnum):
    """Formats of a comparison on standard output."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"


Data = Annotated[Path, typer.Argument(help="Dataset folder, from 'darec import'.")]
Out = Annotated[Path, typer.Option(help="Folder of the comparison and its runs.")]
Backbone = Annotated[str | None, typer.Option(help="{backbones}; lightgcn by default.")]
Alignment = Annotated[str | None, typer.Option(help="{alignments}; darec by default.")]
Seeds = Annotated[str, typer.Option(metavar="N|LIST", help="How many, from 0, or a list: 0,3,7.")]
Jobs = Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="Runs trained at once.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Any of 'darec settings', as in train.epochs=5."
    ),
]
Config = Annotated[
    Path | None, typer.Option(help="YAML file of settings, such as one of 'darec tune'.")
]
Encoder = Annotated[
    str | None, typer.Option(help="Which embeddings of 'darec encode'; the newest by default.")
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_THREADS,
        help="CPU threads of each run; by default torch's, at most cores / jobs.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Train more than 1000 runs.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
FormatOption = Annotated[CompareFormat, typer.Option(help="How to print the result.")]


def given_settings(encoder: str | None, device: str | None) -> dict[str, Any]:
    """The settings that have options of their own, where they are given."""
    named = {"text.encoder": encoder, "options.device": device}
    return {key: value for key, value in named.items() if value is not None}


def command_line() -> str:
    """The command as it was given, which goes on where it was stopped."""
    return shlex.join(["darec", *sys.argv[1:]])


def run_and_print(make: Callable[[], Any], out: Path, form: CompareFormat) -> None:
    """Make a comparison and print it; exit with 1 where a run failed, with 130 where it was interrupted."""
    from darec.compare.output import print_tables, render
    from darec.terminal import Console, echo

    try:
        comparison = make()
    except KeyboardInterrupt:
        echo(
            f"darec: interrupted; finished runs and checkpoints are kept, go on with: {command_line()}",
            err=True,
        )
        raise typer.Exit(130) from None
    if form is CompareFormat.TABLE:
        console = Console()
        print_tables(comparison, console)
        console.print(f"written to {out}/comparison.*", soft_wrap=True)
    else:
        echo(render(comparison, form.value), lines=True, end="")
    if any(variant.failed for variant in comparison.variants):
        raise typer.Exit(1)
