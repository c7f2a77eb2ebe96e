"""Progress of long loops deep in the library, and the format of times.

A loop reports its progress by :func:`counted`, and :func:`listening` registers a listener that shows it. Without a
listener nothing is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

T = TypeVar("T")
EVERY: Final = 10.0
"""Seconds between two lines without a terminal."""
Listener = Callable[[str, int, int], None]
"""Called with the name of the work, the number of finished steps, and the number of all steps."""

OnStage = Callable[[str], None]
"""Called with the name of each stage of a long piece of work, as it begins."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def counted(steps: Sequence[T], doing: str) -> Iterator[T]:
    """Iterate over ``steps``; the listener is called before the first and after each."""
    listener = _listener.get()
    for done, step in enumerate(steps):
        if listener:
            listener(doing, done, len(steps))
        yield step
    if listener:
        listener(doing, len(steps), len(steps))


def tell(doing: str, done: int, total: int) -> None:
    """Report progress of work that is not a loop over a sequence to the listener, if any."""
    listener = _listener.get()
    if listener:
        listener(doing, done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Register a listener for the loops of this thread within the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def span(seconds: float) -> str:
    """A time as ``h:mm:ss``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
