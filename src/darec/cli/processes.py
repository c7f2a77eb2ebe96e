"""Taking part in the training of several processes: who starts them, and which one speaks."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from darec.errors import ConfigError, DarecError, DarecWarning
from darec.terminal import echo

MOST = 64
"""Processes that ``--processes`` starts on one machine; torchrun starts as many as it is told to."""


@dataclass(frozen=True)
class Start:
    """How many processes a command is to run in, and who starts them.

    Attributes:
        processes: as many as ``--processes`` says, on this machine.
        ray: address of the Ray cluster whose workers run it.
        workers: number of these.
        device: of the run; unless it is ``cpu``, each worker of Ray has a GPU.
        threads: of each.
    """

    processes: int | None = None
    ray: str | None = None
    workers: int | None = None
    device: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.ray is None and self.workers is not None:
            raise ConfigError("--workers is the number of workers of Ray: give --ray ADDRESS too.")
        if self.ray is not None and self.workers is None:
            raise ConfigError(f"--ray {self.ray}: give the number of workers too, --workers N.")
        if self.ray is not None and self.processes is not None:
            raise ConfigError(
                "--processes starts processes on this machine, and --ray on a cluster: choose one."
            )

    @property
    def words(self) -> list[str]:
        """The options again, for a command that continues the run."""
        options = {"--processes": self.processes, "--ray": self.ray, "--workers": self.workers}
        return [str(word) for one in options.items() if one[1] is not None for word in one]


def start_others(start: Start, *, alone: str | None) -> None:
    """Where several processes are asked for and this is none of them: start them, wait, and exit as they do.

    Args:
        start: what is asked for.
        alone: an option that was given and works in one process only.

    Raises:
        ConfigError: what is asked for does not fit with ``alone``, or with the processes that are there already.
    """
    from darec.processes.joining import place
    from darec.processes.launch import launch, launched

    found = place(os.environ)
    processes, there = start.processes, found[1] if found else 1
    if found is not None and processes is not None and processes != there:
        raise ConfigError(
            f"--processes={processes}, and the launcher has started {there}: leave out --processes."
        )
    if found is not None and start.ray is not None and not launched():
        raise ConfigError("--ray starts the workers itself: start the command without a launcher.")
    if alone and max(there, processes or 1, start.workers or 1) > 1:
        asked = "--processes" if start.ray is None else "--ray"
        remedy = "start one" if there > 1 else f"leave out {asked}"
        raise ConfigError(f"{alone} works in one process: {remedy}.")
    if found is not None:
        return
    if start.ray is not None:
        from darec.cli.on_ray import on_ray

        with _ending(speaks=True):
            status = on_ray(
                start.ray,
                start.workers or 1,
                sys.argv[1:],
                device=start.device,
                threads=start.threads,
            )
        raise typer.Exit(status)
    if (processes or 1) > 1:
        with _ending(speaks=True):
            status = launch(processes or 1, sys.argv[1:])
        raise typer.Exit(status)


@contextmanager
def taking_part() -> Iterator[None]:
    """Join the processes that a launcher has started with this one; of how the run ends, one of them speaks."""
    from darec.processes import ElsewhereError, LostError
    from darec.processes.joining import joined
    from darec.processes.launch import LOST, end_with_parent, launched

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
