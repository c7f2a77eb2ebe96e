"""Entry point of the ``darec`` command: the list of subcommands, and what an error looks like."""

from __future__ import annotations

import errno
import importlib
import sys
import warnings
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console

from darec.cli.parts import PartsCommand, with_plugins
from darec.errors import DarecError, DarecWarning

app = typer.Typer(
    name="darec",
    help="Bring what language models know into collaborative filtering.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# One module of darec.cli a subcommand; each defines `command` and its docstring is the help.
COMMANDS = {
    "import": "import_",
    "profile": "profile",
    "encode": "encode",
    "train": "train",
    "tune": "tune",
    "compare": "compare",
    "sweep": "sweep",
    "ablate": "ablate",
    "text-report": "text_report",
    "evaluate": "evaluate",
    "recommend": "recommend",
    "similar": "similar",
    "visualize": "visualize",
    "settings": "settings",
    "demo": "demo",
}
# Those that resolve no backbone, alignment or encoder, and so take no --plugin.
WITHOUT_PARTS = {"import", "profile", "text-report", "demo"}
# Modules with several subcommands of their own; each defines `app`.
GROUPS = {"theory": "theory"}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"darec {version('darec')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Bring what language models know into collaborative filtering."""


for _name, _module in COMMANDS.items():
    _command = importlib.import_module(f"darec.cli.{_module}").command
    if _name in WITHOUT_PARTS:
        app.command(_name)(_command)
    else:
        app.command(_name, cls=PartsCommand)(with_plugins(_command))
for _name, _module in GROUPS.items():
    app.add_typer(importlib.import_module(f"darec.cli.{_module}").app, name=_name)


def fail(message: str, status: int = 2) -> int:
    """Print one error line on standard error and return the exit status."""
    Console(stderr=True, soft_wrap=True).print(
        f"darec: error: {message}", markup=False, highlight=False
    )
    return status


def _note(message: Warning | str, *about: Any, **more: Any) -> None:
    """Print a warning as one line on standard error."""
    Console(stderr=True, soft_wrap=True).print(
        f"darec: note: {message}", markup=False, highlight=False
    )


def main() -> int:
    """Run the command line and return its exit status. Usage errors and Ctrl-C are typer's to report."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", DarecWarning)
            warnings.showwarning = _note
            app()
    except DarecError as error:
        return fail(error.command_line)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        remedy = " Free some space and run again." if error.errno == errno.ENOSPC else ""
        return fail(f"{place}{error.strerror or error}.{remedy}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
