"""Output of commands on standard output: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from darec.spreadsheet import safe_cell
from darec.terminal import plain

if TYPE_CHECKING:
    from rich.table import Table


class Format(StrEnum):
    """Formats of a command that reports figures."""

    TABLE = "table"
    JSON = "json"


class ListFormat(StrEnum):
    """Formats of a command that lists rows."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


SafeCSV = Annotated[
    bool,
    typer.Option(
        "--safe-csv/--no-safe-csv",
        help="In CSV, put an apostrophe before text that a spreadsheet would run as a formula, and escape control "
        "characters. --no-safe-csv writes ids and titles unchanged.",
    ),
]

# JSON may be printed to a terminal, so control characters that json leaves unescaped are written as \uXXXX too.
_CONTROL: Final = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]")


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    form: ListFormat,
    title: str = "",
    *,
    columns: Sequence[str] = (),
    safe: bool = True,
) -> None:
    """Print rows with equal keys in the given format.

    Args:
        rows: any number of rows.
        form: the output format.
        title: title of a table.
        columns: the keys, needed if there may be no rows.
        safe: in CSV, mark cells as text that a spreadsheet would run as a formula (:func:`safe_cell`).
    """
    if form is ListFormat.JSON:
        print_json(list(rows))
        return
    names = list(rows[0]) if rows else list(columns)
    if form is ListFormat.CSV:
        made = safe_cell if safe else _for_terminal
        for row in (names, *(row.values() for row in rows)):
            line = StringIO()
            csv.writer(line).writerow([made(value) for value in row])
            # csv quotes cells that contain the line end, which therefore must be CR LF, because an id may contain CR.
            sys.stdout.write(line.getvalue().removesuffix("\r\n") + "\n")
        return
    from rich.table import Table

    from darec.console import Console

    table = Table(title=plain(title) or None, title_justify="left")
    for name in names:
        numeric = bool(rows) and isinstance(rows[0][name], int | float)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row.values()))
    Console().print(table)


def metrics_table(metrics: Mapping[str, float], title: str) -> Table:
    """Metrics named like ``recall@20`` as a table with one row per metric and one column per K."""
    from rich.table import Table

    names = {name: name.rpartition("@") for name in metrics if "@" in name}
    ks = sorted({int(k) for _, _, k in names.values()})
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    for k in ks:
        table.add_column(f"@{k}", justify="right")
    for metric in dict.fromkeys(metric for metric, _, _ in names.values()):
        cells = (metrics.get(f"{metric}@{k}") for k in ks)
        table.add_row(metric, *(cell(value) for value in cells))
    return table


def _for_terminal(value: Any) -> Any:
    """The value itself, or a text that is safe if a terminal would obey it."""
    return plain(value) if isinstance(value, str) and sys.stdout.isatty() else value


def cell(value: Any) -> str:
    """The text of a value in a table."""
    if not isinstance(value, float):
        return "" if value is None else plain(str(value))
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.1f}"
