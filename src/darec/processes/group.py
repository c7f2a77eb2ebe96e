"""The processes that train one model together, and their communication.

There are two operations: a sum over the processes, and an exchange of parts. Values other than tensors are sent as
JSON. Every process must call the operations in the same order.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import torch
from torch import Tensor

from darec.errors import DarecError

WRITING: Final = threading.Lock()
"""Held while a checkpoint is written: a process that is to end finishes it first."""


class LostError(DarecError, RuntimeError):
    """Another process has ended, or does not answer."""


class ElsewhereError(DarecError, RuntimeError):
    """Another process has raised an error, and reports it."""


class Group:
    """The processes that train one model. This class is the group of a single process.

    Attributes:
        rank: rank of this process, from 0. Only the first process, the leader, writes files.
        size: how many processes there are.
        sent: bytes that this process has sent to others.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size, self.sent = rank, size, 0
        self._agreed: Exception | None = None

    @property
    def leads(self) -> bool:
        """Whether this process is the first one, which writes the run's folder."""
        return self.rank == 0

    def total(self, x: Tensor) -> Tensor:
        """The sum of a tensor over the processes, new, the same on each."""
        # Of a ring, in which each process passes on all but its own part, twice.
        self.sent += 2 * x.numel() * x.element_size() * (self.size - 1) // self.size
        return self._total(x.contiguous())

    def exchange(
        self,
        flat: Tensor,
        send: Sequence[int],
        receive: Sequence[int],
        into: Tensor | None = None,
    ) -> Tensor:
        """Give each process its part of a vector, and get one from each.

        Args:
            flat: [n], the parts for the processes one after another.
            send: length of each.
            receive: length of what comes from each.
            into: where to write what comes; None makes a new tensor.

        Returns:
            What came, one after another.
        """
        self.sent += (flat.numel() - send[self.rank]) * flat.element_size()
        if into is None:
            into = flat.new_empty(sum(receive))
        self._exchange(flat.contiguous(), list(send), list(receive), into)
        return into

    def _total(self, x: Tensor) -> Tensor:
        """The communication of :meth:`total`. One process has the whole sum itself."""
        return x.clone()

    def _exchange(self, flat: Tensor, send: list[int], receive: list[int], into: Tensor) -> None:
        """The communication of :meth:`exchange`. One process keeps its part."""
        into.copy_(flat)

    def everyone(self, value: Any) -> list[Any]:
        """The value of every process, sent as JSON, in the order of their ranks."""
        if self.size == 1:
            return [value]
        data = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
        ones = [1] * self.size
        own = [len(data)] * self.size
        lengths = self.exchange(torch.tensor(own), ones, ones).tolist()
        came = self.exchange(data.repeat(self.size), own, lengths).split(lengths)
        return [json.loads(bytes(part.tolist())) for part in came]

    def told(self, value: Any) -> Any:
        """The leader's value, sent as JSON; the values of the others are ignored."""
        return value if self.size == 1 else self.everyone(value if self.leads else None)[0]

    def dealt(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The leader's tensors, on every process, on the CPU; the tensors of the others are ignored."""
        if self.size == 1:
            return tensors
        about = {name: [list(x.shape), str(x.dtype)] for name, x in tensors.items()}
        found = {}
        for name, (shape, dtype) in self.told(about).items():
            kind = getattr(torch, dtype.removeprefix("torch."))
            n = torch.Size(shape).numel()
            flat = tensors[name].cpu().reshape(-1) if self.leads else torch.empty(0, dtype=kind)
            send = [n if self.leads else 0] * self.size
            receive = [n] + [0] * (self.size - 1)
            found[name] = self.exchange(flat.repeat(self.size), send, receive).view(shape)
        return found

    def collected(self, data: bytes) -> list[bytes]:
        """The bytes of every process, in the order of their ranks, on the leader; nothing on the others."""
        if self.size == 1:
            return [data]
        lengths = self.everyone(len(data))
        send = [len(data)] + [0] * (self.size - 1)
        receive = lengths if self.leads else [0] * self.size
        came = self.exchange(_bytes(data), send, receive).split(receive)
        return [part.numpy().tobytes() for part in came] if self.leads else []

    def handed(self, made: Callable[[int], bytes] = lambda rank: b"") -> bytes:
        """What the leader makes for each other process, one after another; nothing on the leader.

        Args:
            made: gives the bytes for the process of a rank; on the others it is not used.
        """
        mine = b""
        for rank in range(1, self.size):
            data = made(rank) if self.leads else b""
            length = self.told(len(data))
            send = [length if self.leads and one == rank else 0 for one in range(self.size)]
            receive = [length if self.rank == rank and one == 0 else 0 for one in range(self.size)]
            came = self.exchange(_bytes(data), send, receive)
            if self.rank == rank:
                mine = came.numpy().tobytes()
        return mine

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """Continue after the block only if no process has raised an error in it; otherwise all raise.

        Raises:
            ElsewhereError: on every process except the first one whose block failed.
        """
        if self.size == 1:
            yield
            return
        error: Exception | None = None
        try:
            yield
        except Exception as raised:
            if raised is self._agreed:  # of a block within this one
                raise
            error = raised
        said = self.everyone(None if error is None else str(error))
        first = next((rank for rank, one in enumerate(said) if one is not None), None)
        if first is None:
            return
        if error is None or first != self.rank:
            error = ElsewhereError(f"process {first} of {self.size}: {said[first]}")
        self._agreed = error
        raise error

    def speaks(self) -> bool:
        """Whether this process is to print how the run ended; true for one of them, the first that asks."""
        return True


def _bytes(data: bytes) -> Tensor:
    """The bytes as a vector."""
    if not data:  # torch has no vector over an empty buffer
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


ALONE: Final = Group()
_joined: ContextVar[Group] = ContextVar("joined", default=ALONE)


def current() -> Group:
    """The group that this process has joined (:func:`darec.processes.joining.joined`), or the group of it alone."""
    return _joined.get()


@contextmanager
def within(group: Group) -> Iterator[Group]:
    """Let :func:`current` be a group within the block."""
    token = _joined.set(group)
    try:
        yield group
    finally:
        _joined.reset(token)
