"""What commands print: tables for people, JSON and CSV for programs, always on standard output."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
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


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_rows(rows: Sequence[Mapping[str, Any]], form: ListFormat, title: str = "") -> None:
    """Print rows with equal keys in the given format."""
    if form is ListFormat.JSON:
        print_json(list(rows))
        return
    names = list(rows[0]) if rows else []
    if form is ListFormat.CSV:
        writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return
    table = Table(title=title or None, title_justify="left")
    for name in names:
        numeric = bool(rows) and isinstance(rows[0][name], int | float)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row.values()))
    Console(markup=False, highlight=False).print(table)


def metrics_table(metrics: Mapping[str, float], title: str) -> Table:
    """Metrics named ``recall@20`` as a table: a row a metric, a column a K."""
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


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.1f}"
