"""``darec theory check``: estimate the information of interactions and text about held-out preferences."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darec.cli.output import Format
from darec.limits import LARGEST_SHORT_SEED

if TYPE_CHECKING:
    from rich.table import Table

    from darec.console import Console
    from darec.theory.advice import Advice
    from darec.theory.check import InformationCheck


class NegativesKind(StrEnum):
    """How the items that a user did not choose are drawn."""

    UNIFORM = "uniform"
    POPULARITY = "popularity"


def command(
    data: Annotated[
        Path,
        typer.Argument(
            help="Dataset folder, made by 'darec import', with embeddings from 'darec encode'."
        ),
    ],
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder whose embeddings are used, as named for 'darec encode'; by default that of the newest "
            "embeddings."
        ),
    ] = None,
    negatives: Annotated[
        NegativesKind,
        typer.Option(
            help="How the items that a user did not choose are drawn: uniformly, or by popularity, so that "
            "popularity carries no information."
        ),
    ] = NegativesKind.UNIFORM,
    pairs: Annotated[
        int, typer.Option(min=1, help="Largest number of validation interactions to use.")
    ] = 50_000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SHORT_SEED, help="Seed of all random draws.")
    ] = 0,
    format: Annotated[Format, typer.Option(help="Output format of the result.")] = Format.TABLE,
) -> None:
    """Estimate the information of interactions and text, and advise on alignment.

    Logistic regressions separate validation interactions from random items. They see the training interactions, the
    text, or both, and are judged on users that they were not fitted on. The test split is not used. The advice says how
    strongly to align.
    """
    from dataclasses import asdict

    from darec.cli.output import print_json
    from darec.console import Console
    from darec.data.dataset import Dataset
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
        title=f"information about {found.n_pairs // 2:,} held-out preferences of {found.n_users:,} users, in nats",
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
    """Print the advice, the next command and the limits of the method."""
    console.print(f"\nAlignment to begin with: {advice.level}.", *advice.reasons, soft_wrap=True)
    if advice.rho:
        low, high = advice.rho
        console.print(
            f"Search it: darec tune {data} --alignment darec --search alignment.rho={low:g}..{high:g}:log --out "
            "runs/tuned",
            soft_wrap=True,
        )
    console.print(
        "Limits: each gain is a lower bound, only as good as these small predictors; a difference of gains is an "
        "estimate, not a bound. The theorem is about exact alignment, and the numbers are about items like those "
        "of the validation split. Only validation shows the effect of partial alignment. Intervals cover only the "
        "sampling of users.",
        soft_wrap=True,
    )
