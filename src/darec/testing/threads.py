"""Several processes played by threads of this one, so that what is divided can be tested in milliseconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

from darec.processes import Group

T = TypeVar("T")


class ThreadGroup(Group):
    """One of several threads that stand for processes.

    Args:
        rank: of the thread.
        size: how many there are.
        meeting: where all of them wait for each other.
        slots: [size], what each has brought.
    """

    def __init__(self, rank: int, size: int, meeting: threading.Barrier, slots: list[Any]) -> None:
        super().__init__(rank, size)
        self._meeting, self._slots = meeting, slots

    def _brought(self, value: Any) -> list[Any]:
        self._slots[self.rank] = value
        self._meeting.wait()
        found = list(self._slots)
        self._meeting.wait()
        return found

    def _total(self, x: Tensor) -> Tensor:
        return torch.stack(self._brought(x.detach().clone())).sum(0)

    def _exchange(self, flat: Tensor, send: list[int], receive: list[int], into: Tensor) -> None:
        parts = [sent[self.rank] for sent in self._brought(flat.detach().clone().split(send))]
        assert [len(part) for part in parts] == receive
        into.copy_(torch.cat(parts))


def together(work: Callable[[Group], T], size: int = 2) -> list[T]:
    """The results of ``work`` in several threads, by rank. The first error that one raises is raised."""
    meeting, slots = threading.Barrier(size, timeout=60), [None] * size
    groups = [ThreadGroup(rank, size, meeting, slots) for rank in range(size)]

    def run(group: Group) -> T:
        try:
            return work(group)
        except BaseException:
            meeting.abort()  # so that nobody waits for this one
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, group) for group in groups]
        errors = [future.exception() for future in futures]
    own = [
        error for error in errors if error and not isinstance(error, threading.BrokenBarrierError)
    ]
    if any(errors):
        raise next(iter(own or [error for error in errors if error]))
    return [future.result() for future in futures]
