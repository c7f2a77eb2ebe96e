"""The server process: it binds the port, starts worker processes and passes signals on to them."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from darec.errors import ConfigError
from darec.serving.settings import ServingSettings

_APP: Final = "darec.serving.app:from_environment"


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet.

    Raises:
        ConfigError: no such address, or a port that is in use or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConfigError(f"--host {host}: {getattr(error, 'strerror', error)}.") from None
    # With the protocol named, asyncio turns Nagle's algorithm off; else small answers wait 40 ms for the client.
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(1024)  # a port that somebody listens to already is told now
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is in use: choose another --port, or 0 for a free one."
            ) from None
        raise ConfigError(f"--host {host} --port {port}: {error.strerror}.") from None
    bound.set_inheritable(True)
    return bound


def url_of(bound: socket.socket) -> str:
    """Where a bound socket is found."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: ServingSettings, bound: socket.socket, workers: int, *, access: bool) -> None:
    """Serve until SIGINT or SIGTERM; requests that are being answered are finished.

    SIGHUP has the bundle opened again.
    """
    logging.basicConfig(format="darec: %(message)s", level=logging.WARNING)
    settings.to_environment()
    config = uvicorn.Config(
        _APP,
        factory=True,
        workers=workers,
        log_config=_logging(access=access),
        access_log=access,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=30,
        server_header=False,
        date_header=False,
        ws="none",
        h11_max_incomplete_event_size=64 << 10,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ended)  # uvicorn raises them again when it has stopped
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a worker listens
    if workers == 1:
        uvicorn.Server(config).run([bound])
        return
    with tempfile.TemporaryDirectory(prefix="darec-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # in which the processes count together
        _Workers(config, [bound]).run()


def _ended(*_: object) -> None:
    """That the process ends is known already."""


class _Workers(Multiprocess):
    """Worker processes, started again when they die."""

    def handle_hup(self) -> None:
        """Have each worker open the bundle again."""
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)

    def keep_subprocess_alive(self) -> None:
        """Start those again that have died, and count what those held no more."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _logging(*, access: bool) -> dict[str, object]:
    """One line an event on standard error, each with what says it."""
    line = {"format": "darec: %(message)s"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {
            "darec.serving": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn.error": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "uvicorn.access": {
                "handlers": ["stderr"],
                "level": "INFO" if access else "WARNING",
                "propagate": False,
            },
        },
    }


def log_folder(path: Path) -> Path:
    """Where what comes in is kept, unless it is told: beside the bundle."""
    return path.with_name(f"{path.name}.log")
