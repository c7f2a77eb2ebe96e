"""The common parts of ``compare``, ``sweep`` and ``ablate``: their options, output and exit status."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from darec.cli.parts import alignment_names, backbone_names
from darec.limits import MOST_JOBS, MOST_THREADS


class CompareFormat(StrEnum):
    """Formats of a comparison on standard output."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"


Data = Annotated[Path, typer.Argument(help="Dataset folder, made by 'darec import'.")]
Out = Annotated[Path, typer.Option(help="Folder of the comparison and its runs.")]
Backbone = Annotated[
    str | None,
    typer.Option(autocompletion=backbone_names, help="One of {backbones}; lightgcn by default."),
]
Alignment = Annotated[
    str | None,
    typer.Option(autocompletion=alignment_names, help="One of {alignments}; darec by default."),
]
Seeds = Annotated[
    str,
    typer.Option(
        metavar="N|LIST", help="Number of seeds, counted from 0, or a list such as 0,3,7."
    ),
]
Jobs = Annotated[
    int, typer.Option(min=1, max=MOST_JOBS, help="Number of runs trained at the same time.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting, such as train.epochs=5. 'darec settings' lists all.",
    ),
]
Config = Annotated[
    Path | None, typer.Option(help="YAML file of settings, such as one that 'darec tune' wrote.")
]
Encoder = Annotated[
    str | None,
    typer.Option(
        help="Encoder whose embeddings are used, as named for 'darec encode'; by default that of the newest embeddings."
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_THREADS,
        help="CPU threads of each run. The default is torch's own, at most the number of cores divided by --jobs.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Allow more than 1000 runs.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Do not show progress.")]
FormatOption = Annotated[CompareFormat, typer.Option(help="Output format of the result.")]


def given_settings(encoder: str | None, device: str | None) -> dict[str, Any]:
    """The settings that were given by their own options."""
    named = {"text.encoder": encoder, "options.device": device}
    return {key: value for key, value in named.items() if value is not None}


def command_line() -> str:
    """The command as the user wrote it, which continues an interrupted comparison."""
    return shlex.join(["darec", *sys.argv[1:]])


def run_and_print(make: Callable[[], Any], out: Path, form: CompareFormat) -> None:
    """Make a comparison and print it. Exit with 1 if a run failed, and with 130 if it was interrupted."""
    from darec.compare.output import print_tables, render
    from darec.console import Console
    from darec.terminal import echo

    try:
        comparison = make()
    except KeyboardInterrupt:
        echo(
            f"darec: interrupted. Finished runs and checkpoints are kept; continue with: {command_line()}",
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
