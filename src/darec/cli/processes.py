"""Taking part in the training of several processes: who starts them, and which one speaks."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from darec.errors import ConfigError, DarecError, DarecWarning
from darec.terminal import echo

MOST = 64
"""Processes that ``--processes`` starts on one machine; torchrun starts as many as it is told to."""


def start_others(processes: int | None, *, alone: str | None) -> None:
    """Where several processes are asked for and this is none of them: start them, wait, and exit as they do.

    Args:
        processes: as many as ``--processes`` says.
        alone: an option that was given and works in one process only.

    Raises:
        ConfigError: one that does not fit with ``alone``, or with those that are there already.
    """
    from darec.processes.joining import place
    from darec.processes.launch import launch

    found = place(os.environ)
    there = found[1] if found else 1
    if found is not None and processes is not None and processes != there:
        raise ConfigError(
            f"--processes={processes}, and the launcher has started {there}: leave out --processes."
        )
    if alone and max(there, processes or 1) > 1:
        remedy = "start one" if there > 1 else "leave out --processes"
        raise ConfigError(f"{alone} works in one process: {remedy}.")
    if found is None and (processes or 1) > 1:
        with _ending(speaks=True):
            status = launch(processes or 1, sys.argv[1:])
        raise typer.Exit(status)


@contextmanager
def taking_part() -> Iterator[None]:
    """Join the processes that a launcher has started with this one; of how the run ends, one of them speaks."""
    from darec.processes import ElsewhereError, LostError
    from darec.processes.joining import joined
    from darec.processes.launch import LOST, end_with_parent, launched

    if launched():
        end_with_parent()
    try:
        with joined() as group:
            if group.size == 1:
                yield
                return
            with warnings.catch_warnings():
                if not group.leads:
                    warnings.simplefilter("ignore", DarecWarning)
                try:
                    yield
                except LostError:
                    if launched() or not group.speaks():
                        raise typer.Exit(LOST) from None
                    with _ending(speaks=True):
                        raise
                except ElsewhereError:
                    raise
                except DarecError:
                    if not group.speaks():
                        raise typer.Exit(LOST if launched() else 2) from None
                    raise
                except KeyboardInterrupt:
                    if launched() or not group.speaks():
                        raise typer.Exit(130) from None
                    raise
    except ElsewhereError:
        raise typer.Exit(LOST if launched() else 2) from None


@contextmanager
def _ending(*, speaks: bool) -> Iterator[None]:
    """Say that a process was lost; what was done until then is kept, so that the run was done in part."""
    from darec.processes import LostError

    try:
        yield
    except LostError as error:
        if speaks:
            echo(f"darec: error: {error.command_line}", err=True)
        raise typer.Exit(1) from None
