"""``darec theory sweep``: train with several alignment strengths in a planted world."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darec.cli.output import Format
from darec.limits import MOST_JOBS
from darec.terminal import echo

if TYPE_CHECKING:
    from darec.theory.sweep_run import Outcome


def command(
    out: Annotated[Path, typer.Option(help="Folder of the sweep: runs, results and figures.")],
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME,...", help="Alignments, with commas between; none is always included."
        ),
    ] = "direct,contrastive,generative,darec",
    strengths: Annotated[
        str,
        typer.Option(
            metavar="RHO,...",
            help="Strengths, with commas between; zero, which means no alignment, is always included.",
        ),
    ] = "0.1,0.3,1,3,10",
    seeds: Annotated[
        str,
        typer.Option(
            metavar="N|LIST", help="Number of seeds, counted from 0, or a list such as 0,3,7."
        ),
    ] = "5",
    both: Annotated[
        float,
        typer.Option(
            help="Share of the variance of choices that comes from tastes that the text also shows."
        ),
    ] = 0.5,
    interactions_only: Annotated[
        float,
        typer.Option(
            help="Share that comes from tastes that the text does not show. Popularity is the rest."
        ),
    ] = 0.4,
    text_only: Annotated[
        float, typer.Option(help="Share of the items that have text and no training interactions.")
    ] = 0.1,
    nuisance: Annotated[
        int, typer.Option(help="Number of phrases in each text that carry no information.")
    ] = 3,
    users: Annotated[int, typer.Option(help="Number of users.")] = 800,
    items: Annotated[int, typer.Option(help="Number of items.")] = 400,
    epochs: Annotated[int, typer.Option(help="Largest number of epochs of a run.")] = 100,
    jobs: Annotated[
        int, typer.Option(min=1, max=MOST_JOBS, help="Number of runs trained at the same time.")
    ] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the result.")] = Format.TABLE,
) -> None:
    """Train with several alignment strengths in a planted world.

    The result shows the information gap, the accuracy and how much of the planted factors the model still holds. Every
    run is kept in OUT/runs. If the command is stopped, run it again: it continues where it stopped. A larger sweep
    trains only the runs that are missing. The result is in OUT/README.md, two figures and OUT/sweep.json.
    """
    from dataclasses import asdict

    from darec.cli.output import ListFormat, print_json, print_rows
    from darec.compare.grid import parse_seeds
    from darec.console import Console
    from darec.lock import locked
    from darec.settings import validated
    from darec.theory import sweep_report
    from darec.theory.sweep import sweep, tasks
    from darec.theory.sweep_points import summarise
    from darec.theory.sweep_run import Dials

    values = {
        "both": both,
        "interactions_only": interactions_only,
        "text_only": text_only,
        "nuisance": nuisance,
        "n_users": users,
        "n_items": items,
        "epochs": epochs,
    }
    dials = validated(Dials, values)
    grid = tasks(dials, _names(methods), _numbers(strengths), parse_seeds(seeds))
    again = shlex.join(["darec", *sys.argv[1:]])
    outcomes = []
    with locked(out) as lock:
        try:
            for outcome in _watched(sweep(grid, out, jobs=jobs), len(grid), quiet):
                outcomes.append(outcome)
        except KeyboardInterrupt:
            echo(f"darec: interrupted. Finished runs are kept; continue with: {again}", err=True)
            raise typer.Exit(130) from None
        points = summarise(outcomes)
        lock.check()
        sweep_report.write_report(points, dials, out, again)
    if format is Format.JSON:
        print_json([asdict(point) for point in points])
        return
    title = "means over seeds; shared and specific: R² of the planted factors from E_C"
    print_rows(sweep_report.rows(points), ListFormat.TABLE, title)
    console = Console()
    for line in sweep_report.findings(points):
        console.print(line.replace("**", ""), soft_wrap=True)
    console.print(f"written to {out}", soft_wrap=True)


def _watched(outcomes: Iterator[Outcome], total: int, quiet: bool) -> Iterator[Outcome]:
    """The same outcomes, with a progress bar on a terminal and one line per run elsewhere."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TimeRemainingColumn,
    )

    from darec.console import Console, Progress, TextColumn

    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        shown = bar.add_task("runs", total=total)
        for done, outcome in enumerate(outcomes, 1):
            label = f"{outcome.method}, rho {outcome.strength:g}, seed {outcome.seed}"
            bar.update(shown, completed=done, description=label)
            if not console.is_terminal:
                console.print(f"{done} of {total}: {label}: recall@20 {outcome.recall:.4f}")
            yield outcome


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _numbers(text: str) -> list[float]:
    from darec.errors import ConfigError

    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--strengths {text!r}: write numbers with commas between, such as 0.1,1,10."
        ) from None
