"""Join the processes that a launcher has started: torchrun, Slurm, Kubernetes, Ray, or ``darec train --processes``.

Each of them sets environment variables: RANK, WORLD_SIZE and LOCAL_RANK for the process, and MASTER_ADDR and
MASTER_PORT for the address where all of them meet. torch.distributed connects them: gloo between CPUs, nccl between
GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from darec.errors import ConfigError
from darec.processes.group import ALONE, Group, LostError, within

MEETING: Final = "DAREC_MEETING_SECONDS"
"""Environment variable: how long processes wait for each other at the start."""
MEETING_SECONDS: Final = 300.0
SILENCE: Final = timedelta(hours=1)
"""How long a process waits for a running process that does not answer. An ended process is noticed at once."""
_untyped: Final[Any] = dist  # it exports stores without saying so
STORE: Final = "DAREC_STORE"
"""Environment variable: the file where the processes of one machine meet, which ``--processes`` sets."""


class TorchGroup(Group):
    """Processes that torch.distributed connects.

    Args:
        rank: rank of this process.
        size: number of processes.
        store: the store that decides which process prints for all; with None each prints.
    """

    def __init__(self, rank: int, size: int, store: Any = None) -> None:
        super().__init__(rank, size)
        self._store = store

    def _total(self, x: Tensor) -> Tensor:
        x = x.clone()
        with self._heard():
            dist.all_reduce(x)
        return x

    def _exchange(self, flat: Tensor, send: list[int], receive: list[int], into: Tensor) -> None:
        with self._heard():
            dist.all_to_all_single(into, flat, receive, send)

    @contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise LostError(
                f"process {self.rank} of {self.size} lost the others: one of them has ended, or has not answered for "
                f"{SILENCE.total_seconds() / 60:.0f} minutes. Finished work is kept: continue with --resume."
            ) from error

    def speaks(self) -> bool:
        """The first process that asks the store."""
        if self._store is None:
            return True
        try:
            return bool(self._store.add("darec/said", 1) == 1)
        except RuntimeError:  # the store ended with the process that kept it
            return True


def place(environment: Mapping[str, str]) -> tuple[int, int, int] | None:
    """Rank, number of processes, and rank on this machine; None if no launcher has started this process.

    Raises:
        ConfigError: variables that contradict each other.
    """
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return None
    names = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": environment["RANK"]}
    given = {name: environment.get(name, other) for name, other in names.items()}
    for name, text in given.items():
        if not (text.isascii() and text.isdecimal()):
            raise ConfigError(
                f"{name}={text!r} in the environment is not a whole number: start by torchrun."
            )
    rank, size, local = (int(text) for text in given.values())
    if rank >= size:
        raise ConfigError(
            f"RANK={rank} and WORLD_SIZE={size} in the environment: ranks go from 0 to {size - 1}."
        )
    return rank, size, local


@contextmanager
def joined() -> Iterator[Group]:
    """Join the training of several processes within the block; without a launcher, the process is alone.

    Processes that are already connected by torch.distributed, such as those of Ray Train, remain connected after the
    block.

    Raises:
        ConfigError: the environment is not usable, or not all processes arrive in time.
    """
    if dist.is_available() and dist.is_initialized():  # as in a worker of Ray Train
        with within(TorchGroup(dist.get_rank(), dist.get_world_size())) as group:
            yield group
        return
    found = place(os.environ)
    if found is None or found[1] == 1:
        yield ALONE
        return
    rank, size, local = found
    wait = meeting_seconds()
    store = _met(rank, size, wait)
    backend = "gloo"
    if torch.cuda.is_available() and dist.is_nccl_available():
        torch.cuda.set_device(local % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=SILENCE)
    try:
        with within(TorchGroup(rank, size, store)) as group:
            yield group
    finally:
        dist.destroy_process_group()


def meeting_seconds() -> float:
    """How long processes wait for each other at the start, by the environment or :data:`MEETING_SECONDS`.

    Raises:
        ConfigError: ``DAREC_MEETING_SECONDS`` is no number of seconds.
    """
    text = os.environ.get(MEETING)
    try:
        seconds = MEETING_SECONDS if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e6:
        raise ConfigError(f"{MEETING}={text!r} in the environment: write a number of seconds.")
    return seconds


def _met(rank: int, size: int, seconds: float) -> Any:
    """The store in which all processes have announced themselves."""
    wait = timedelta(seconds=seconds)
    where = os.environ.get(STORE)
    remedy = f"Start all of them within {seconds:g} seconds ({MEETING}), with one address for all."
    if where is None:
        address = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
        if None in address:
            raise ConfigError(
                "RANK and WORLD_SIZE are set in the environment, and MASTER_ADDR and MASTER_PORT are not: start by "
                "torchrun, or set all of them."
            )
        where = ":".join(map(str, address))
    try:
        if STORE in os.environ:
            store = _untyped.FileStore(where, size)
            store.set_timeout(wait)
        else:
            store, _, _ = next(rendezvous("env://", rank, size, timeout=wait))
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"process {rank} of {size} cannot reach the others at {where}. {remedy}"
        ) from error
    store.set(f"darec/here/{rank}", "1")
    try:
        store.wait([f"darec/here/{one}" for one in range(size)], wait)
    except RuntimeError as error:
        missing = [one for one in range(size) if not store.check([f"darec/here/{one}"])]
        which = ", ".join(map(str, missing[:5])) or "another"
        raise ConfigError(
            f"process {rank} of {size} waits for process {which} at {where}. {remedy}"
        ) from error
    return store
