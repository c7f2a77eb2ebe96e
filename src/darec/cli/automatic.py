"""``darec train --auto``: the check of its options, and its output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from darec.cli.output import Format

if TYPE_CHECKING:
    from darec.automatic import Automatic, Tried


def check_options(auto: bool, chosen: Mapping[str, Any], searching: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` for options that do not go together.

    Args:
        auto: whether ``--auto`` is given.
        chosen: by option, the values that a search does not accept, since it chooses them itself or does not use them.
        searching: by option, the values that only a search accepts.
    """
    from darec.errors import ConfigError

    wrong = chosen if auto else searching
    given = next((option for option, value in wrong.items() if value), None)
    if given is None:
        return
    if not auto:
        raise ConfigError(f"{given} is only for a search: add --auto, or leave {given} out.")
    raise ConfigError(f"--auto cannot be combined with {given}: leave one of them out.")


def show(found: Automatic, form: Format) -> None:
    """Print the candidates, the chosen one and the reason. JSON also holds the metrics of the chosen run."""
    from rich.table import Table

    from darec.cli.output import cell, metrics_table, print_json
    from darec.console import Console
    from darec.terminal import plain

    record, run = found.record, found.run
    if form is Format.JSON:
        print_json({**record.as_dict(), "metrics": run.metrics})
        return
    table = Table(title="candidates", title_justify="left")
    table.add_column("candidate", overflow="fold")
    for heading in (f"valid {record.monitor}", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("", overflow="fold")
    for tried in record.candidates:
        seconds = f"{tried.seconds:.1f}" if tried.seconds else ""
        note = "chosen" if tried.name == record.chosen else plain(_note(tried))
        table.add_row(plain(tried.name), cell(tried.value), seconds, note)
    console = Console()
    console.print(table)
    console.print(record.why or "", soft_wrap=True)
    shown = {
        name.removeprefix("test/"): value
        for name, value in run.metrics.items()
        if name.startswith("test/") and name.count("/") == 1
    }
    if shown:
        console.print(metrics_table(shown, f"{record.chosen}, test split"))
    console.print(f"{record.seconds:.0f} s in total; the run is in {run.path}", soft_wrap=True)


def _note(tried: Tried) -> str:
    if tried.done:
        return tried.reason or ""
    return f"{tried.state}: {tried.reason}" if tried.reason else tried.state
