"""``darec text-report``: measure how much the text says about taste, before any training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import Format
from darec.limits import LARGEST_SHORT_SEED


def command(
    data: Annotated[
        Path,
        typer.Argument(
            help="Dataset folder, made by 'darec import', with embeddings from 'darec encode'."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for a page, plots and the numbers as JSON.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder whose embeddings are used, as named for 'darec encode'; by default that of the newest "
            "embeddings."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of neighbours of an item.")] = 10,
    users: Annotated[
        int, typer.Option(help="Largest number of users to rank for; they are drawn at random.")
    ] = 20_000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SHORT_SEED, help="Seed of all random draws.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the numbers.")] = Format.TABLE,
) -> None:
    """Measure how much the text says about taste, before training.

    The report uses the training interactions and the stored embeddings. Recall is measured on the validation split; the
    test split is not used. OUT/index.html is a page that works without a network. OUT/README.md has the same content
    with plots as SVG files, and OUT/text-report.json has the numbers.
    """
    import shlex
    import sys

    from darec.cli.output import print_json
    from darec.console import Console
    from darec.data.dataset import Dataset
    from darec.diagnose import text_report
    from darec.diagnose.page import check_out, write_report
    from darec.diagnose.tables import rich_table, tables
    from darec.progress import listening
    from darec.text import load_text

    if out is not None:
        check_out(out)
    dataset = Dataset.load(data)
    text = load_text(dataset, encoder)
    with (
        Console(stderr=True, quiet=quiet).status("") as status,
        listening(lambda doing, done, total: status.update(f"{doing}: {done} of {total} ...")),
    ):
        report = text_report(
            dataset,
            text,
            k=k,
            max_users=users,
            seed=seed,
            on_stage=lambda stage: status.update(f"{stage} ..."),
        )
        if out is not None:
            status.update("drawing ...")
            write_report(report, out, command=shlex.join(["darec", *sys.argv[1:]]))
    if format is Format.JSON:
        print_json(report.to_dict())
        return
    console = Console()
    for line in report.reading.warnings:
        console.print(f"Note: {line}\n", soft_wrap=True)
    for table in tables(report):
        console.print(rich_table(table))
    console.print(f"\nText {report.reading.verdict}:", report.reading.reason, soft_wrap=True)
    for line in report.reading.remarks:
        console.print(line, soft_wrap=True)
    if out is not None:
        console.print(f"written to {out}/index.html", soft_wrap=True)
