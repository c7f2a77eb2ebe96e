"""``darec similar``: the items nearest to one."""

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
    data: Annotated[Path | None, typer.Option(help="Where the dataset is now.")] = None,
    format: Annotated[ListFormat, typer.Option(help="How to print the list.")] = ListFormat.TABLE,
    safe_csv: SafeCSV = True,
) -> None:
    """List the items most similar to one, by the cosine of what was learned about them."""
    from darec.cli.opened import opened
    from darec.cli.output import print_rows

    loaded = opened(run, data)
    listed = loaded.similar(item, k)
    print_rows([asdict(near) for near in listed], format, f"similar to {item}", safe=safe_csv)
