"""``darec import``: read interactions and item texts into a dataset folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from darec.cli.output import Format
from darec.limits import LARGEST_SEED
from darec.terminal import echo

if TYPE_CHECKING:
    from rich.status import Status
    from rich.table import Table

    from darec.console import Console
    from darec.progress import Listener

SPLITS: Final = ("train", "valid", "test")


def command(
    source: Annotated[
        Path,
        typer.Argument(
            help="Interactions: a .csv, .tsv, .jsonl, .json, .parquet or .inter file, also compressed (.gz, .zst); "
            "a folder of such files that make one table, or a quoted pattern of them ('part-*.parquet'); or a "
            "RecBole, MovieLens or RLMRec folder."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new dataset.")],
    items: Annotated[
        Path | None,
        typer.Option(
            help="Items: a .jsonl, .json, .csv, .tsv or .parquet file, or a folder of such files that make one "
            "table."
        ),
    ] = None,
    user_column: Annotated[str | None, typer.Option(help="Column with the user id.")] = None,
    item_column: Annotated[str | None, typer.Option(help="Column with the item id.")] = None,
    rating_column: Annotated[str | None, typer.Option(help="Column with the rating.")] = None,
    timestamp_column: Annotated[str | None, typer.Option(help="Column with the time.")] = None,
    split_column: Annotated[
        str | None, typer.Option(help="Column with the split: train, valid or test.")
    ] = None,
    ignore_column: Annotated[
        list[str] | None,
        typer.Option(help="A column or field that is not read. Repeat the option for several."),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(
            help="Format of the times, such as '%d.%m.%Y %H:%M'. By default times are numbers or ISO dates."
        ),
    ] = None,
    header: Annotated[
        str | None,
        typer.Option(help="Column names of a file without a header, with commas between."),
    ] = None,
    quotes: Annotated[
        bool | None,
        typer.Option(
            "--quotes/--no-quotes",
            help="Whether quotes enclose fields or are ordinary characters. The default follows the usual rules of "
            "CSV and TSV.",
        ),
    ] = None,
    item_id: Annotated[
        str | None, typer.Option(help="Column with the item id in the item file.")
    ] = None,
    text_fields: Annotated[
        str | None,
        typer.Option(help="Item fields that are joined to the text, with commas between."),
    ] = None,
    text_template: Annotated[
        str | None, typer.Option(help="Template of the item text, such as '{title}. {genres}'.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Item field with the title.")] = None,
    min_rating: Annotated[
        float | None, typer.Option(help="Leave out interactions with a lower rating.")
    ] = None,
    k_core: Annotated[
        int, typer.Option(help="Keep only users and items with at least this many interactions.")
    ] = 0,
    split: Annotated[
        str | None,
        typer.Option(
            help="How interactions are split: column, random (within each user), leave-last-out, temporal-user, "
            "global-time or cold-items. The default is column if the file has such a column, and random "
            "otherwise."
        ),
    ] = None,
    ratios: Annotated[
        str, typer.Option(help="Shares of train, valid and test, such as 3:1:1.")
    ] = "3:1:1",
    time_cuts: Annotated[
        str | None,
        typer.Option(
            help="For the split global-time: the times at which valid begins and at which test begins, with a comma "
            "between, as numbers or dates such as 2024-01-01,2024-02-01. By default they follow from --ratios."
        ),
    ] = None,
    cold_share: Annotated[
        float | None,
        typer.Option(
            help="For the split cold-items: share of the items that training does not see; 0.1 by default."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the random splits.")
    ] = 0,
    keep_cold_items: Annotated[
        bool, typer.Option("--keep-cold-items", help="Keep items without interactions.")
    ] = False,
    unknown_items: Annotated[
        str,
        typer.Option(
            help="What to do with interactions whose item is not in the item file: error, drop or keep."
        ),
    ] = "error",
    users_without_train: Annotated[
        str, typer.Option(help="What to do with users who have no training item: error or drop.")
    ] = "error",
    encoding: Annotated[
        str | None,
        typer.Option(
            help="Character encoding of text files. By default it is detected from their bytes."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the dataset in --out.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the statistics.")] = Format.TABLE,
) -> None:
    """Read interactions and item texts into a dataset folder.

    The interactions are checked, filtered and split into training, validation and test.
    """
    from darec.cli.output import print_json
    from darec.console import Console
    from darec.data.build import import_dataset
    from darec.data.ingest import Columns
    from darec.data.statistics import statistics
    from darec.progress import listening

    shown = Console(stderr=True, soft_wrap=True, quiet=quiet)
    with shown.status(f"importing {source} ...") as status, listening(_shown(shown, status)):
        dataset = import_dataset(
            source,
            items=items,
            out=out,
            overwrite=overwrite,
            columns=Columns(
                user_column, item_column, rating_column, timestamp_column, split_column
            ),
            time_format=time_format,
            ignore_columns=tuple(ignore_column or ()),
            header=_names(header),
            quotes=quotes,
            item_id=item_id,
            text_fields=_names(text_fields),
            text_template=text_template,
            title=title,
            min_rating=min_rating,
            k_core=k_core,
            split=split,
            ratios=_ratios(ratios),
            time_cuts=_time_cuts(time_cuts) if time_cuts else None,
            cold_share=cold_share,
            seed=seed,
            keep_cold_items=keep_cold_items,
            unknown_items=unknown_items,
            users_without_train=users_without_train,
            encoding=encoding,
        )
        figures = statistics(dataset)
    for notice in dataset.manifest["notices"]:
        echo(f"darec: {notice}", err=True)
    if format is Format.JSON:
        print_json({**figures, "tally": dataset.manifest["tally"]})
    else:
        Console().print(_table(figures, dataset.manifest, str(out)))


def _shown(console: Console, status: Status) -> Listener:
    """Show the progress of a long import: in the status on a terminal, elsewhere as a line every ten seconds."""
    from time import monotonic

    from darec.progress import EVERY

    shown = monotonic()

    def heard(doing: str, done: int, total: int) -> None:
        nonlocal shown
        told = f"{doing}: {done:,} of {total:,}"
        if console.is_terminal:
            status.update(f"importing: {told}")
        elif monotonic() - shown >= EVERY:
            shown = monotonic()
            console.print(f"darec: {told}")

    return heard


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",")) if text else None


def _ratios(text: str) -> tuple[float, float, float]:
    from darec.errors import ConfigError

    try:
        train, valid, test = (float(share) for share in text.split(":"))
    except ValueError:
        raise ConfigError(f"--ratios {text!r}: write three numbers, such as 3:1:1.") from None
    return train, valid, test


def _time_cuts(text: str) -> tuple[float, float]:
    from datetime import UTC, datetime

    from darec.errors import ConfigError

    def seconds(moment: str) -> float:
        try:
            return float(moment)
        except ValueError:
            date = datetime.fromisoformat(moment.strip())
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()

    try:
        first, second = (seconds(moment) for moment in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--time-cuts {text!r}: write two numbers or ISO dates, such as 2024-01-01,2024-02-01."
        ) from None
    return first, second


def _table(figures: dict[str, float], manifest: dict[str, Any], title: str) -> Table:
    """The statistics as rows for people, with the column of times if the split used it."""
    from rich.table import Table

    from darec.data.split import TIMED_METHODS

    n_items = figures["items"]
    cold = [name for name in SPLITS if f"cold_items/{name}" in figures]
    options = manifest["options"]
    by = options["columns"].get("time") if options["split"] in TIMED_METHODS else None
    rows: list[tuple[str, str]] = [
        ("users", f"{figures['users']:,}"),
        ("items", f"{n_items:,}"),
        ("  with text", f"{figures['items_with_text']:,}"),
        ("interactions", f"{figures['interactions']:,}"),
        *((f"  {name}", f"{figures[f'interactions/{name}']:,}") for name in SPLITS),
        *(
            (
                f"cold items for {name}",
                f"{figures[f'cold_items/{name}']:,} in {figures[f'cold_interactions/{name}']:,} interactions",
            )
            for name in cold
        ),
        *((("times by", repr(by)),) if by else ()),
        ("density", f"{figures['density']:.3%}"),
    ]
    for kind in ("users", "items"):
        mean, median, least, most = (
            figures[f"{kind}/{name}"] for name in ("mean", "median", "min", "max")
        )
        rows.append(
            (
                f"interactions per {kind[:-1]}",
                f"mean {mean:.1f}, median {median:g}, {least:g} to {most:,}",
            )
        )
    rows.append(("training share of top 20% items", f"{figures['popular_share']:.1%}"))
    table = Table(title=f"dataset {title}", title_justify="left", show_header=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for row in rows:
        table.add_row(*row)
    return table
