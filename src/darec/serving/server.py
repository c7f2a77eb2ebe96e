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
    """Bind a socket that does not listen yet.

    Raises:
        ConfigError: the address does not exist, or the port is in use or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConfigError(f"--host {host}: {getattr(error, 'strerror', error)}.") from None
    # If the protocol is named, asyncio turns Nagle's algorithm off; otherwise small answers wait 40 ms for the client.
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(1024)  # this reports a port in use now
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
    """Return the URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: ServingSettings, bound: socket.socket, workers: int, *, access: bool) -> None:
    """Serve until SIGINT or SIGTERM; running requests are finished.

    SIGHUP opens the bundle again.
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
        timeout_worker_healthcheck=30,  # a process that is slow to start must not be replaced without end
        server_header=False,
        date_header=False,
        ws="none",
        h11_max_incomplete_event_size=64 << 10,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ended)  # uvicorn raises these signals again when it has stopped
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a worker listens
    if workers == 1:
        uvicorn.Server(config).run([bound])
        return
    with tempfile.TemporaryDirectory(prefix="darec-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = (
            folder  # the folder of the processes' shared counts
        )
        _Workers(config, [bound]).run()


def _ended(*_: object) -> None:
    """Ignore a signal: the process is ending already."""


class _Workers(Multiprocess):
    """Worker processes, which are restarted when they die."""

    def handle_hup(self) -> None:
        """Let each worker open the bundle again."""
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)

    def keep_subprocess_alive(self) -> None:
        """Restart processes that died, and remove their counts of what they held."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _logging(*, access: bool) -> dict[str, object]:
    """Log one line an event on standard error, each with the name of its logger."""
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
    """Return the default folder of feedback and new items: beside the bundle."""
    return path.with_name(f"{path.name}.log")
