"""How long loops deep in the library are heard of, and how times are written.

A loop announces itself by :func:`counted`; who shows progress listens by :func:`listening`. Where nobody does, the loop
just runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

T = TypeVar("T")
EVERY: Final = 10.0
"""Seconds between two lines where there is no terminal to draw a bar on."""
Listener = Callable[[str, int, int], None]
"""Called with what is done, how many steps of it are, and of how many."""

OnStage = Callable[[str], None]
"""Called with the name of each stage of a long piece of work, as it begins."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def counted(steps: Sequence[T], doing: str) -> Iterator[T]:
    """Go through ``steps``; the listener is told before the first and after each."""
    listener = _listener.get()
    for done, step in enumerate(steps):
        if listener:
            listener(doing, done, len(steps))
        yield step
    if listener:
        listener(doing, len(steps), len(steps))


def tell(doing: str, done: int, total: int) -> None:
    """Tell the listener, if any, of work that is no loop over a sequence."""
    listener = _listener.get()
    if listener:
        listener(doing, done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear of the loops of this thread meanwhile."""
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
