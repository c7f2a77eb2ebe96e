"""The connection to a Ray cluster (extra ``ray``), or to a Ray that is started on this machine."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from darec.errors import ConfigError

LOCAL: Final = "local"
"""The address that starts a Ray on this machine, for as long as the work takes."""
AUTO: Final = "auto"
"""The address of the cluster of which this machine is a part, or that RAY_ADDRESS names."""
_SECONDS: Final = 10.0  # that the head of a cluster has to accept a connection


def require_ray() -> None:
    """Raise ``ConfigError`` if Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--ray needs Ray, which is not installed: pip install 'darec[ray]'")


@contextmanager
def connected(address: str, cpus: int) -> Iterator[None]:
    """A connection to Ray within the block. A connection that the program already has is used, and remains.

    Args:
        address: ``local``, ``auto``, or the ``HOST:PORT`` of the head of a cluster.
        cpus: number of processors that the work needs. A Ray that is started here gets at least as many: otherwise
            workers without a processor would wait for ever.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers.
    """
    require_ray()
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # Ray's own reports, on standard output
    import ray

    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        options |= {"num_cpus": max(cpus, os.cpu_count() or 1), "include_dashboard": False}
    try:
        _knock(os.environ.get("RAY_ADDRESS", AUTO) if address == AUTO else address)
        with _same_signals():
            ray.init(address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no answer")
        raise ConfigError(
            f"--ray {address}: no Ray cluster answers there ({reason.strip().rstrip('.')}). Give HOST:PORT of its "
            f"head, or {LOCAL} to start a Ray on this machine."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _same_signals() -> Iterator[None]:
    """Put back the handlers of signals that end a program, which Ray replaces by its own."""
    in_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if in_main else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: the handler is not of Python
                signal.signal(number, handler)


def _knock(address: str) -> None:
    """Raise ``OSError`` or ``ValueError`` if nothing listens at an address: Ray itself would try for minutes."""
    if address in (LOCAL, AUTO):
        return
    place = urlsplit(address if "://" in address else f"//{address}")
    if not place.hostname or place.port is None:
        raise ValueError("this is no HOST:PORT")
    socket.create_connection((place.hostname, place.port), _SECONDS).close()
