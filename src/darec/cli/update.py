"""``darec update``: add new data to a run's dataset and continue training from its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darec.cli.output import Format
from darec.terminal import echo
from darec.wording import counted_noun

if TYPE_CHECKING:
    from darec.run import Run


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="Folder of the new run.")],
    interactions: Annotated[
        Path | None,
        typer.Option(
            help="New interactions, in a file that 'darec import' can read. Known interactions may be in it too."
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(
            help="New items, and known items with new fields: .jsonl, .csv, .tsv or .parquet."
        ),
    ] = None,
    data_out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the enlarged dataset; by default a folder in the new run's folder."
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of passes over all interactions; 3 by default. Without this option nothing is trained or "
            "written if nothing is new.",
        ),
    ] = None,
    user_column: Annotated[
        str | None, typer.Option(help="Column with the user id, if it is not that of the import.")
    ] = None,
    item_column: Annotated[
        str | None, typer.Option(help="Column with the item id, if it is not that of the import.")
    ] = None,
    rating_column: Annotated[
        str | None, typer.Option(help="Column with the rating, if it is not that of the import.")
    ] = None,
    item_id: Annotated[
        str | None, typer.Option(help="Column with the item id in the items' file.")
    ] = None,
    unknown_items: Annotated[
        str,
        typer.Option(
            help="What to do with new items without text, if the dataset has text: drop (with their interactions), "
            "keep or error."
        ),
    ] = "drop",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the run's dataset, if it has moved since training."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; that of the run by default.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the interrupted update in --out.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the run in --out and the dataset in --data-out."),
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard events into the run's folder.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the result.")] = Format.TABLE,
) -> None:
    """Add new data to a run and continue training.

    The new interactions, users and items are added to the run's dataset, and training continues from the run's weights
    for a few epochs.
    """
    from darec.cli.output import print_json
    from darec.data.ingest import Columns
    from darec.refitting import same_place
    from darec.updating import update

    try:
        made = update(
            run,
            interactions,
            items,
            data=data,
            out=out,
            data_out=data_out,
            epochs=epochs,
            columns=Columns(user_column, item_column, rating_column),
            item_id=item_id,
            unknown_items=unknown_items,
            resume=resume,
            overwrite=overwrite,
            progress=not quiet,
            tensorboard=tensorboard,
            seed=seed,
            device=device,
            threads=threads,
        )
    except KeyboardInterrupt:
        echo(
            "darec: interrupted. Finished work is kept; continue with the same command and --resume.",
            err=True,
        )
        raise typer.Exit(130) from None
    if made.path is not None and same_place(
        run, made.path
    ):  # a warning has said that nothing is new
        if format is Format.JSON:
            print_json({"nothing_new": True})
        return
    for notice in (made.update or {}).get("notices", ()):
        echo(f"darec: {notice}", err=True)
    if format is Format.JSON:
        print_json(made.metrics)
    else:
        _print(made)


def _print(run: Run) -> None:
    from darec.cli.output import metrics_table
    from darec.console import Console

    console = Console()
    figures = {
        name.removeprefix("update/"): value
        for name, value in run.metrics.items()
        if name.startswith("update/")
    }
    console.print(
        f"{run.config.backbone.name} + {run.config.alignment.name}, updated with "
        f"{counted_noun(figures['new_interactions'], 'new interaction')}, "
        f"{counted_noun(figures['new_users'], 'new user')} and {counted_noun(figures['new_items'], 'new item')}",
        soft_wrap=True,
    )
    console.print(
        f"{figures['overlap@10']:.0%} of the ten best items of {counted_noun(figures['users'], 'earlier user')}"
        f" are unchanged",
        soft_wrap=True,
    )
    shown = {
        name.removeprefix("test/"): value
        for name, value in run.metrics.items()
        if name.startswith("test/") and name.count("/") == 1
    }
    if shown:
        console.print(metrics_table(shown, "test split, as before"))
    console.print(
        f"{counted_noun(run.metrics['epochs'], 'epoch')}, {run.metrics['seconds']:.1f} s of training, peak memory "
        f"{run.metrics['peak_rss_mb']:.0f} MiB; the run is in {run.path}",
        soft_wrap=True,
    )
