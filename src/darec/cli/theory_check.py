"""``darec theory check``: what interactions and text each tell about held-out preferences."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darec.cli.output import Format
from darec.limits import LARGEST_SHORT_SEED

if TYPE_CHECKING:
    from rich.table import Table

    from darec.terminal import Console
    from darec.theory.advice import Advice
    from darec.theory.check import InformationCheck


class NegativesKind(StrEnum):
    """How items that were not chosen are drawn."""

    UNIFORM = "uniform"
    POPULARITY = "popularity"


def command(
    data: Annotated[
        Path, typer.Argument(help="Dataset folder, from 'darec import' and 'darec encode'.")
    ],
    encoder: Annotated[
        str | None, typer.Option(help="Which embeddings of 'darec encode'; the newest by default.")
    ] = None,
    negatives: Annotated[
        NegativesKind,
        typer.Option(
            help="Items that were not chosen: drawn uniformly, or by popularity, so that popularity tells nothing."
        ),
    ] = NegativesKind.UNIFORM,
    pairs: Annotated[int, typer.Option(min=1, help="Most validation interactions used.")] = 50_000,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SHORT_SEED, help="Of all draws.")] = 0,
    format: Annotated[Format, typer.Option(help="How to print the result.")] = Format.TABLE,
) -> None:
    """Estimate what interactions and text each tell about held-out preferences, and how strongly to align.

    Validation interactions are told apart from random items by logistic regressions that see the training
    interactions, the text, or both, each judged on users that it was not fitted to. The test split is not looked at.
    """
    from dataclasses import asdict

    from darec.cli.output import print_json
    from darec.data.dataset import Dataset
    from darec.terminal import Console
    from darec.text import load_text
    from darec.theory.advice import advise
    from darec.theory.check import check

    dataset = Dataset.load(data)
    text = load_text(dataset, encoder)
    with Console(stderr=True).status("") as status:
        found = check(
            dataset,
            text,
            max_pairs=pairs,
            negatives=negatives.value,
            seed=seed,
            on_stage=lambda stage: status.update(stage),
        )
    advice = advise(found)
    if format is Format.JSON:
        print_json({**found.to_dict(), "advice": asdict(advice)})
        return
    console = Console()
    console.print(_table(found))
    _explain(console, data, advice)


def _table(found: InformationCheck) -> Table:
    from rich.table import Table

    from darec.theory.report import check_rows

    table = Table(
        title=f"what is told about {found.n_pairs // 2:,} held-out preferences of {found.n_users:,} users, in nats",
        title_justify="left",
        caption=f"of log 2 = 0.6931; text: {found.encoder}; items not chosen: {found.negatives}",
        caption_justify="left",
    )
    for column in ("", "estimate", "95% interval", "what it is"):
        table.add_column(column, justify="right" if column == "estimate" else "left")
    for row in check_rows(found):
        table.add_row(*row)
    return table


def _explain(console: Console, data: Path, advice: Advice) -> None:
    """The advice, where to go on, and what all of it does not say."""
    console.print(f"\nAlignment to begin with: {advice.level}.", *advice.reasons, soft_wrap=True)
    if advice.rho:
        low, high = advice.rho
        console.print(
            f"Search it: darec tune {data} --alignment darec --search alignment.rho={low:g}..{high:g}:log --out "
            "runs/tuned",
            soft_wrap=True,
        )
    console.print(
        "Limits: gains are lower bounds as good as these small predictors; differences of gains are estimates and "
        "bound nothing. They concern exact alignment and held-out items like those of the validation split; what a "
        "partial pull does, validation has to tell. Intervals cover the sample of users alone.",
        soft_wrap=True,
    )
