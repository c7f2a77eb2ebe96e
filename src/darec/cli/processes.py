"""Training in several processes: starting them, joining them, and which one prints."""

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
"""The most processes that ``--processes`` starts on one machine; torchrun has no such limit."""


@dataclass(frozen=True)
class Start:
    """The number of processes of a command, and who starts them.

    Attributes:
        processes: number of processes on this machine, from ``--processes``.
        ray: address of the Ray cluster whose workers run it.
        workers: number of these workers.
        device: of the run; unless it is ``cpu``, each worker of Ray has a GPU.
        threads: number of threads of each process.
    """

    processes: int | None = None
    ray: str | None = None
    workers: int | None = None
    device: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.ray is None and self.workers is not None:
            raise ConfigError("--workers is the number of workers of Ray: add --ray ADDRESS.")
        if self.ray is not None and self.workers is None:
            raise ConfigError(f"--ray {self.ray}: add the number of workers, --workers N.")
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
    """If several processes are asked for and this one is not one of them: start them, wait, and exit with their status.

    Args:
        start: the requested processes.
        alone: an option of the command line that works in one process only.

    Raises:
        ConfigError: the number does not fit ``alone``, or the processes that a launcher started.
    """
    from darec.processes.joining import place
    from darec.processes.launch import launch, launched

    found = place(os.environ)
    processes, there = start.processes, found[1] if found else 1
    if found is not None and processes is not None and processes != there:
        raise ConfigError(
            f"--processes={processes}, but the launcher has started {there}: leave out --processes."
        )
    if found is not None and start.ray is not None and not launched():
        raise ConfigError("--ray starts the workers itself: start the command without a launcher.")
    if alone and max(there, processes or 1, start.workers or 1) > 1:
        asked = "--processes" if start.ray is None else "--ray"
        remedy = "start one" if there > 1 else f"leave out {asked}"
        raise ConfigError(f"{alone} works only in one process: {remedy}.")
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
    """Join the processes that a launcher has started; one of them prints how the run ends."""
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
    """Report that a process was lost. Finished work is kept, so the exit status says that the run was done in part."""
    from darec.processes import LostError

    try:
        yield
    except LostError as error:
        if speaks:
            echo(f"darec: error: {error.command_line}", err=True)
        raise typer.Exit(1) from None
