"""``darec import``: interactions and item texts into a dataset folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from darec.cli.output import Format


def command(
    source: Annotated[
        Path,
        typer.Argument(
            help="Interactions as .csv, .tsv, .jsonl, .parquet or .inter; or a RecBole, MovieLens or RLMRec folder."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the dataset.")],
    items: Annotated[
        Path | None, typer.Option(help="Items as .jsonl, .csv, .tsv or .parquet.")
    ] = None,
    user_column: Annotated[str | None, typer.Option(help="Column of the user id.")] = None,
    item_column: Annotated[str | None, typer.Option(help="Column of the item id.")] = None,
    rating_column: Annotated[str | None, typer.Option(help="Column of the rating.")] = None,
    timestamp_column: Annotated[str | None, typer.Option(help="Column of the time.")] = None,
    split_column: Annotated[str | None, typer.Option(help="Column of the split.")] = None,
    item_id: Annotated[str | None, typer.Option(help="Id column of the item file.")] = None,
    text_fields: Annotated[
        str | None, typer.Option(help="Item fields that make the text, with commas between.")
    ] = None,
    text_template: Annotated[
        str | None, typer.Option(help="Item text as a format: '{title}. {genres}'.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Item field that holds the title.")] = None,
    min_rating: Annotated[
        float | None, typer.Option(help="Leave out interactions rated lower.")
    ] = None,
    k_core: Annotated[int, typer.Option(help="Keep users and items with at least so many.")] = 0,
    split: Annotated[
        str | None,
        typer.Option(
            help="column, random (per user), leave-last-out, temporal-user or global-time; by default the "
            "column if there is one, else random."
        ),
    ] = None,
    ratios: Annotated[str, typer.Option(help="Shares of train, valid and test.")] = "3:1:1",
    seed: Annotated[int, typer.Option(help="Seed of the random split.")] = 0,
    keep_cold_items: Annotated[
        bool, typer.Option("--keep-cold-items", help="Keep items without interactions.")
    ] = False,
    unknown_items: Annotated[
        str, typer.Option(help="Interactions with items not in the item file: error, drop or keep.")
    ] = "error",
    users_without_train: Annotated[
        str, typer.Option(help="Users without a training item: error or drop.")
    ] = "error",
    encoding: Annotated[str, typer.Option(help="Encoding of text files.")] = "utf-8",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the dataset in --out.")
    ] = False,
    format: Annotated[Format, typer.Option(help="How to print the statistics.")] = Format.TABLE,
) -> None:
    """Read interactions and item texts, split them and write a dataset folder."""
    from rich.console import Console
    from rich.table import Table

    from darec.cli.output import cell, print_json
    from darec.data.build import import_dataset
    from darec.data.ingest import Columns
    from darec.data.statistics import statistics
    from darec.errors import ConfigError

    try:
        shares: Any = tuple(float(share) for share in ratios.split(":"))
    except ValueError:
        raise ConfigError(f"--ratios {ratios!r}: write three numbers, as 3:1:1.") from None
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    with console.status(f"importing {source} ..."):
        dataset = import_dataset(
            source,
            items=items,
            out=out,
            overwrite=overwrite,
            columns=Columns(
                user_column, item_column, rating_column, timestamp_column, split_column
            ),
            item_id=item_id,
            text_fields=tuple(text_fields.split(",")) if text_fields else None,
            text_template=text_template,
            title=title,
            min_rating=min_rating,
            k_core=k_core,
            split=split,
            ratios=shares,
            seed=seed,
            keep_cold_items=keep_cold_items,
            unknown_items=unknown_items,
            users_without_train=users_without_train,
            encoding=encoding,
        )
    for notice in dataset.manifest["notices"]:
        console.print(f"darec: {notice}")
    figures = statistics(dataset)
    if format is Format.JSON:
        print_json(figures)
        return
    table = Table(title=f"dataset {out}", title_justify="left", show_header=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, cell(value))
    Console(markup=False, highlight=False).print(table)
