"""``darec train --ray``: the workers of Ray Train run one command together; this process prints their output.

Each worker runs the command's own words, and :func:`darec.processes.joining.joined` finds it connected by Ray Train. An
actor carries what the workers print, and how each ended, to this process, and the wish to stop to the workers.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final

from darec.errors import ConfigError
from darec.processes.cluster import connected
from darec.processes.group import WRITING, LostError
from darec.processes.joining import MEETING, SILENCE, meeting_seconds
from darec.processes.launch import GRACE, LOST, ON_RAY, is_cause

_EVERY: Final = 0.2  # seconds between two looks at the workers' output
_KEPT: Final = "Finished work is kept: continue with --resume."
_ERRORS: Final = ("darec: error: ", "Traceback ")  # the beginnings of what is printed once
_SHOWN: Final = ("COLUMNS", "COLORTERM", "LINES", "NO_COLOR", "TERM")  # they describe the terminal


class Board:
    """The messages between the workers of a run and the process that started them; an actor of Ray."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.ends: dict[int, int] = {}
        self.stops = False
        self._said: list[tuple[str, str]] = []
        self._failed = False

    def arrive(self, rank: int) -> None:
        """A worker has begun."""
        self.arrived.append(rank)

    def say(self, stream: str, text: str) -> None:
        """A worker prints on ``stdout`` or ``stderr``. Of errors, only the first: mostly all workers have the same."""
        if text.startswith(_ERRORS):
            if self._failed:
                return
            self._failed = True
        self._said.append((stream, text))

    def leave(self, rank: int, status: int) -> None:
        """A worker has ended with an exit status."""
        self.ends[rank] = status

    def news(self) -> tuple[list[tuple[str, str]], int, dict[int, int]]:
        """The output since the last call, how many workers have begun, and the statuses of those that ended."""
        said, self._said = self._said, []
        return said, len(self.arrived), self.ends

    def stop(self) -> None:
        """The workers are to end."""
        self.stops = True

    def stopped(self) -> bool:
        """Whether the workers are to end."""
        return self.stops


class _Printer(io.TextIOBase):
    """A worker's standard output or error, which appears where the command was started."""

    def __init__(self, board: Any, stream: str, terminal: bool, name: str) -> None:
        self.board, self.stream, self.terminal, self.name = board, stream, terminal, name

    def isatty(self) -> bool:
        return self.terminal

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Send it. A message of a worker other than the leader names the worker, since its files may differ."""
        if not isinstance(text, str):  # callers tell a text stream by this error
            raise TypeError(f"{type(text).__name__} is no text")
        if self.name:
            text = text.replace("darec: error: ", f"darec: error: {self.name}: ", 1)
        self.board.say.remote(self.stream, text)
        return len(text)


def on_ray(
    address: str, workers: int, words: Sequence[str], *, device: str | None, threads: int | None
) -> int:
    """Run ``darec WORDS...`` in the workers of a Ray cluster and wait for them.

    Args:
        address: that of :func:`darec.processes.cluster.connected`.
        workers: number of workers.
        words: the command line, without the name of the program.
        device: of the run; unless it is ``cpu``, each worker has a GPU.
        threads: of the run, and as many processors of each worker; None is 1.

    Returns:
        The exit status of all together: that of the first worker which failed.

    Raises:
        ConfigError: Ray is not installed, no cluster answers, or it does not start the workers in time.
        LostError: a worker has died.
        KeyboardInterrupt: this process was interrupted; the workers have ended.
    """
    wait = meeting_seconds()
    with connected(address, workers * (threads or 1)), tempfile.TemporaryDirectory() as folder:
        import ray

        board = ray.remote(num_cpus=0)(Board).remote()
        training = _Training(_trainer(board, workers, words, folder, device or "cpu", threads or 1))
        try:
            ends = _followed(training, board, workers, wait)
        except ray.exceptions.RayError as error:
            raise LostError(
                f"the Ray cluster at {address} does not answer any more. {_KEPT}"
            ) from error
        except BaseException:
            with suppress(ray.exceptions.RayError):
                ray.get(board.stop.remote(), timeout=GRACE)
            training.join(2 * GRACE)
            raise
    return _status(training.error, ends, workers)


class _Training(threading.Thread):
    """Run Ray's own work outside the main thread: Ctrl-C reaches the main thread, and Ray would handle it there."""

    def __init__(self, trainer: Any) -> None:
        super().__init__(daemon=True)
        self.trainer = trainer
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.trainer.fit()
        except Exception as error:
            self.error = error


def _trainer(
    board: Any, workers: int, words: Sequence[str], folder: str, device: str, threads: int
) -> Any:
    """Ray's trainer of the workers; ``folder``: for the files that Ray itself writes, which nobody reads."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _SHOWN or (name.startswith("DAREC_") and name != ON_RAY)
    }
    environment.setdefault("COLUMNS", str(os.get_terminal_size().columns if _tty(2) else 80))
    about = {
        "board": board,
        "words": list(words),
        "environment": environment,
        "folder": str(Path.cwd()),
        "host": socket.gethostname(),
        "terminal": [_tty(1), _tty(2)],
    }
    gpu = device != "cpu"
    return TorchTrainer(
        _work,
        train_loop_config=about,
        torch_config=TorchConfig(
            "cpu:gloo,cuda:nccl" if gpu else "gloo", timeout_s=int(SILENCE.total_seconds())
        ),
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=gpu, resources_per_worker={"CPU": threads}
        ),
        run_config=RunConfig(name="darec", storage_path=folder),
    )


def _tty(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False


def _work(about: dict[str, Any]) -> None:
    """The work of each worker. It raises ``RuntimeError`` if it failed, so that Ray ends the others."""
    import ray
    from ray.train import get_context

    board, rank = about["board"], get_context().get_world_rank()
    os.environ.update(about["environment"])
    os.environ[ON_RAY] = "1"
    with suppress(OSError):  # in a shared folder, relative paths mean the same as for the user
        os.chdir(about["folder"])
    ray.get(board.arrive.remote(rank))
    ended = threading.Event()
    threading.Thread(target=_watch, args=(board, ended), daemon=True).start()
    host = socket.gethostname()
    name = f"worker {rank} on {host}" if rank or host != about["host"] else ""
    with (
        redirect_stdout(
            _Printer(board, "stdout", about["terminal"][0], "") if rank == 0 else io.StringIO()
        ),
        redirect_stderr(_Printer(board, "stderr", about["terminal"][1], name)),
    ):
        status = _run(about["words"])
    ended.set()
    ray.get(board.leave.remote(rank, status))
    if status:
        raise RuntimeError(f"exit status {status}")


def _run(words: Sequence[str]) -> int:
    """The exit status of ``darec WORDS...``; after an error that is a mistake in darec or a plugin, 1."""
    from darec.cli.main import main

    sys.argv = ["darec", *words]
    try:
        return main()
    except Exception:  # Ray itself would keep it in a log of the worker's machine
        sys.stderr.write(traceback.format_exc())
        return 1


def _watch(board: Any, ended: threading.Event) -> None:
    """End this worker if it is asked to, or if the process that could ask is gone. A checkpoint is finished first."""
    import ray

    while not ended.wait(1.0):
        try:
            stopped = ray.get(board.stopped.remote())
        except ray.exceptions.RayError:
            stopped = True
        if stopped:
            WRITING.acquire(timeout=GRACE)
            os._exit(LOST)  # the worker may wait for another one, and no exception interrupts that


def _followed(training: _Training, board: Any, workers: int, wait: float) -> dict[int, int]:
    """Print the workers' output until all have ended. Returns the statuses of those that came to their end.

    Raises:
        ConfigError: they have not begun after ``wait`` seconds.
    """
    import ray

    until = time.monotonic() + wait
    while training.is_alive():
        training.join(_EVERY)
        arrived, _ = _print_news(board)
        if arrived < workers and time.monotonic() > until:
            total, free = (
                int(found().get("CPU", 0))
                for found in (ray.cluster_resources, ray.available_resources)
            )
            raise ConfigError(
                f"Ray has started {arrived} of {workers} workers after {wait:g} seconds ({MEETING}): the cluster has "
                f"{total} processors, of which {free} are free. Ask for fewer --workers, or wait until it is free."
            )
    return _print_news(board)[1]


def _print_news(board: Any) -> tuple[int, dict[int, int]]:
    """Print the new output. Returns how many workers have begun, and the statuses of those that have ended."""
    import ray

    said, arrived, ends = ray.get(board.news.remote())
    for stream, text in said:
        to = sys.stdout if stream == "stdout" else sys.stderr
        to.write(text)
        to.flush()
    return arrived, ends


def _status(error: Exception | None, ends: dict[int, int], workers: int) -> int:
    """The exit status of a run, from Ray's error and from the statuses of the workers that came to their end."""
    failed = next((status for _, status in sorted(ends.items()) if is_cause(status)), None)
    if failed is not None:
        return failed
    if error is None:
        return 0
    failures = getattr(error, "worker_failures", {})
    died = [rank for rank in failures if rank not in ends]
    if died:
        which = ", ".join(map(str, sorted(died)[:5]))
        raise LostError(
            f"worker {which} of {workers} on Ray has died, and the run with it. {_KEPT}"
        )
    if ends:
        raise LostError(f"the {workers} workers lost each other, and the run ended. {_KEPT}")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raise ConfigError(f"Ray could not start the {workers} workers: {lines[-1]}")
