"""Entry point of the ``darec`` command: the list of subcommands, and what an error looks like."""

from __future__ import annotations

import errno
import importlib
import os
import sys

import click
import typer
from rich.console import Console

from darec.errors import DarecError

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
    "encode": "encode",
    "train": "train",
    "evaluate": "evaluate",
    "recommend": "recommend",
    "similar": "similar",
    "demo": "demo",
}

for _name, _module in COMMANDS.items():
    app.command(_name)(importlib.import_module(f"darec.cli.{_module}").command)


def fail(message: str, status: int = 2) -> int:
    """Print one error line on standard error and return the exit status."""
    Console(stderr=True, soft_wrap=True).print(
        f"darec: error: {message}", markup=False, highlight=False
    )
    return status


def main() -> int:
    """Run the command line and return its exit status."""
    try:
        status = app(standalone_mode=False)
        return status if isinstance(status, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return fail("interrupted; what was finished is kept.", 130)
    except click.ClickException as error:
        return fail(f"{error.format_message()} See 'darec --help'.", error.exit_code)
    except DarecError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("interrupted; what was finished is kept.", 130)
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        remedy = " Free some space and run again." if error.errno == errno.ENOSPC else ""
        return fail(f"{place}{error.strerror or error}.{remedy}")


if __name__ == "__main__":
    sys.exit(main())
