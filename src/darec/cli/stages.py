"""Progress of commands that work in stages, on standard error: a line for each stage, and its long loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from darec.progress import EVERY, OnStage, listening
from darec.terminal import echo


@contextmanager
def stages() -> Iterator[OnStage]:
    """Yield a function that prints a stage.

    Loops are shown on one line of a terminal, elsewhere by a line every ten seconds.
    """
    from darec.console import Console

    console = Console(stderr=True)
    said = monotonic()
    status = console.status("")

    def stage(doing: str) -> None:
        nonlocal said
        said = monotonic()
        status.stop()
        echo(f"darec: {doing}", err=True)

    def heard(doing: str, done: int, total: int) -> None:
        nonlocal said
        if console.is_terminal:
            status.update(f"{doing}: {done:,} of {total:,} steps")
            status.stop() if done == total else status.start()
        elif monotonic() - said >= EVERY:
            said = monotonic()
            echo(f"darec: {doing}: {done:,} of {total:,} steps", err=True)

    with listening(heard):
        try:
            yield stage
        finally:
            status.stop()
