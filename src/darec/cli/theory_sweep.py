"""``darec theory sweep``: alignment strengths in a planted world."""

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
        str, typer.Option(metavar="NAME,...", help="Alignments; none is always there.")
    ] = "direct,contrastive,generative,darec",
    strengths: Annotated[
        str,
        typer.Option(metavar="RHO,...", help="Strengths; zero, which is none, is always there."),
    ] = "0.1,0.3,1,3,10",
    seeds: Annotated[
        str, typer.Option(metavar="N|LIST", help="How many, from 0, or a list: 0,3,7.")
    ] = "5",
    both: Annotated[
        float, typer.Option(help="Share of the choices' variance from tastes that text shows, too.")
    ] = 0.5,
    interactions_only: Annotated[
        float,
        typer.Option(help="Share from tastes of which text shows nothing; the rest is popularity."),
    ] = 0.4,
    text_only: Annotated[
        float, typer.Option(help="Share of the items that have text and no training interactions.")
    ] = 0.1,
    nuisance: Annotated[int, typer.Option(help="Phrases of each text that tell nothing.")] = 3,
    users: Annotated[int, typer.Option(help="Users of the world.")] = 800,
    items: Annotated[int, typer.Option(help="Items of the world.")] = 400,
    epochs: Annotated[int, typer.Option(help="Most epochs of a run.")] = 100,
    jobs: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="Runs trained at once.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    format: Annotated[Format, typer.Option(help="How to print the result.")] = Format.TABLE,
) -> None:
    """Train alignments over a range of strengths in a planted world: gap, accuracy, and what is still known.

    Every run is kept under OUT/runs, so that the same command goes on where it was stopped, and a larger one trains
    only what is new. OUT/README.md, two figures and sweep.json hold the result.
    """
    from dataclasses import asdict

    from darec.cli.output import ListFormat, print_json, print_rows
    from darec.compare.grid import parse_seeds
    from darec.lock import locked
    from darec.settings import validated
    from darec.terminal import Console
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
            echo(f"darec: interrupted; finished runs are kept, go on with: {again}", err=True)
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
    """The same outcomes, with a progress bar on a terminal and a line a run elsewhere."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TimeRemainingColumn,
    )

    from darec.terminal import Console, TextColumn

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
            f"--strengths {text!r}: write numbers between commas, as 0.1,1,10."
        ) from None
