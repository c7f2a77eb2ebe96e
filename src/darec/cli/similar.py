"""``darec similar``: list the items most similar to one item."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import ListFormat, SafeCSV


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, or of a bundle.")],
    item: Annotated[str, typer.Option(help="Id or title of the item.")],
    k: Annotated[int, typer.Option("-k", help="How many.")] = 10,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset, if it has moved since training.")
    ] = None,
    format: Annotated[
        ListFormat, typer.Option(help="Output format of the list.")
    ] = ListFormat.TABLE,
    safe_csv: SafeCSV = True,
) -> None:
    """List the items most similar to one item.

    Similarity is the cosine of the items' learned vectors.
    """
    from darec.cli.opened import opened
    from darec.cli.output import print_rows

    loaded = opened(run, data)
    listed = loaded.similar(item, k)
    print_rows([asdict(near) for near in listed], format, f"similar to {item}", safe=safe_csv)
