"""Entry point of the ``darec`` command: the list of subcommands, and the form of error messages."""

from __future__ import annotations

import errno
import importlib
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from itertools import pairwise
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperGroup

from darec.cli.parts import PartsCommand, with_plugins
from darec.errors import ConfigError, DarecError, DarecWarning, shortened
from darec.memory import failed_allocation
from darec.terminal import echo
from darec.urls import without_credentials

_EMPTY: Final = re.compile("--[a-z-]+=")  # an option whose value is missing

CLICK: Final = cast("type[Exception]", typer.BadParameter.__mro__[2])
"""Click's base class of command-line errors. Typer contains Click under a name that depends on its version."""

# The headings of 'darec --help' and their subcommands, each with its module of darec.cli. The module defines `command`,
# whose docstring is the help; its first sentence must fit into one line of the list.
HEADINGS = {
    "Start": {"demo": "demo", "settings": "settings"},
    "Data": {"import": "import_", "profile": "profile", "encode": "encode"},
    "Training": {"train": "train", "tune": "tune", "update": "update"},
    "Recommendations": {
        "evaluate": "evaluate",
        "recommend": "recommend",
        "similar": "similar",
        "explain": "explain",
    },
    "Production": {"export": "export", "index": "index", "push": "push", "serve": "serve"},
    "Research": {
        "compare": "compare",
        "sweep": "sweep",
        "ablate": "ablate",
        "text-report": "text_report",
        "visualize": "visualize",
    },
}
COMMANDS = {name: module for commands in HEADINGS.values() for name, module in commands.items()}
# Commands that resolve no backbone, alignment or encoder, and therefore have no option --plugin.
WITHOUT_PARTS = {"import", "profile", "text-report", "index", "push", "serve", "demo"}
# Modules with several subcommands of their own, listed under the last heading. Each defines `app`.
GROUPS = {"theory": "theory"}


class GroupedHelp(TyperGroup):
    """The ``darec`` command, whose help lists the subcommands under headings."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one line for each subcommand."""
        column = max(map(len, self.commands))
        width = formatter.width - 6 - column
        for heading, names in HEADINGS.items():
            last = [*GROUPS] if heading == [*HEADINGS][-1] else []
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (name.ljust(column), self.commands[name].get_short_help_str(width))
                        for name in [*names, *last]
                    ]
                )


app = typer.Typer(
    name="darec",
    cls=GroupedHelp,
    help="Bring what language models know into collaborative filtering.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        echo(f"darec {version('darec')}")
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
    echo(f"darec: error: {shortened(without_credentials(message))}", err=True)
    return status


def _note(message: Warning | str, *about: Any, **more: Any) -> None:
    """Print a warning as one line on standard error."""
    echo(f"darec: note: {message}", err=True)


def main() -> int:
    """Run the command line and return its exit status: 0, 1 (done in part), 2 (refused), 128 + a signal."""
    if (
        "RANK" in os.environ
    ):  # torch is not imported yet; its reports hold stacks of C++ before our line
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    # A signal that asks the process to end is handled like Ctrl-C: finished work is kept, and a message says which
    # command continues it.
    ours = [number for number in (signal.SIGTERM, signal.SIGHUP) if _is_default(number)]
    for number in ours:
        signal.signal(number, stop)
    try:
        status = _run()
    except KeyboardInterrupt:  # while an error was being handled
        status = 130
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
    return 128 + stopped[0] if stopped else status


def _is_default(number: int) -> bool:
    """Whether a signal has its default effect, to end the process, and this thread may change that."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(number) == signal.SIG_DFL


def _run() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, TextIOWrapper
        ):  # a terminal or pipe that is not UTF-8 must not end a command
            stream.reconfigure(errors="backslashreplace")
    try:
        _check_words(sys.argv[1:])
        with warnings.catch_warnings():
            warnings.simplefilter("always", DarecWarning)
            warnings.showwarning = _note
            status = app(prog_name="darec", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except CLICK as error:
        return _usage(error)
    except typer.Abort:
        return fail("aborted.", 1)
    except DarecError as error:
        return fail(error.command_line)
    except BrokenPipeError:  # the reader of the output, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        remedy = (
            " Free some space and run again." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        )
        return fail(f"{place}{error.strerror or error}.{remedy}")
    except (MemoryError, RuntimeError) as error:
        asked = failed_allocation(error)
        if asked is None:
            raise
        return fail(f"not enough memory: {asked}.")


def _check_words(words: Sequence[str]) -> None:
    """Refuse empty words, and words that are not UTF-8, which can be neither a file name nor the value of a setting."""
    for before, word in pairwise(["", *words]):
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise ConfigError(f"{word!r} is not UTF-8: rename the file, or choose another name.")
        if not word or _EMPTY.fullmatch(word):
            option = word or (before if before.startswith("-") else "an argument")
            raise ConfigError(
                f"{option.removesuffix('=')} is empty: give it a value, or leave it out. Is a shell variable not set?"
            )


def _usage(error: Exception) -> int:
    """Report an error in the command line in one line; print the help if the command line is empty."""
    context = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        echo(context.get_help(), lines=True)
        return 2
    message = " ".join(str(getattr(error, "format_message", lambda: error)()).split())
    where = f" See '{context.command_path} --help'." if context is not None else ""
    end = "" if message.endswith((".", "?")) else "."
    return fail(f"{message}{end}{where}")


if __name__ == "__main__":
    sys.exit(main())
