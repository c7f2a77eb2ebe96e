"""Start and watch several processes on this machine.

This works like torchrun without its report: one line says why a run ended, and nothing is left behind. The processes
meet at a file, so no port is used. Each process watches a pipe and ends when the pipe ends: this process closes it to
end them, and it also ends with this process for any reason.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from darec.processes.group import WRITING, LostError
from darec.processes.joining import STORE

PIPE: Final = "DAREC_PARENT"
"""Environment variable: a pipe that ends when the process that started this one has ended."""
ON_RAY: Final = "DAREC_ON_RAY"
"""Environment variable: this process is a worker of ``darec train --ray``."""
LOST: Final = 75
"""Exit status of a process that ended because another did, which says why."""
GRACE: Final = 10.0
"""Seconds that a process has to finish the checkpoint that it is writing, once it is to end."""
_SOON: Final = 0.5  # seconds to end by itself, and as many to end after an interrupt
_INTERRUPTED: Final = 128 + signal.SIGINT  # exit status of a process that its watcher interrupted


def launch(count: int, words: Sequence[str]) -> int:
    """Run ``darec WORDS...`` in several processes and wait for them.

    Args:
        count: number of processes.
        words: the command line, without the name of the program.

    Returns:
        The exit status of all together: that of the first process which failed.

    Raises:
        LostError: a process was killed.
        KeyboardInterrupt: this process was interrupted; the others have ended.
    """
    failed: int | None = None
    ended: float | None = None
    with _started(count, words) as processes:
        while any(process.poll() is None for process in processes):
            time.sleep(0.05)
            codes = [process.poll() for process in processes]
            causes = [rank for rank, code in enumerate(codes) if is_cause(code)]
            failed = causes[0] if causes else None
            if any(codes) and ended is None:
                ended = time.monotonic()
            # The cause may come, or say its line, a little after the end of those that lost it.
            if causes or (ended is not None and time.monotonic() - ended > GRACE):
                break
    codes = [process.returncode for process in processes]
    if failed is None:
        failed = next((rank for rank, code in enumerate(codes) if is_cause(code)), None)
    if failed is None and not any(codes):
        return 0
    kept = "Finished work is kept: continue with --resume."
    if failed is None:
        raise LostError(f"the {count} processes lost each other, and the run ended. {kept}")
    code = processes[failed].returncode
    if 0 <= code < 128:
        return code
    name = signal.Signals(-code if code < 0 else code - 128).name
    memory = ", perhaps for want of memory" if name == "SIGKILL" else ""
    raise LostError(
        f"process {failed} of {count} was ended by {name}{memory}, and the run with it. {kept}"
    )


def is_cause(code: int | None) -> bool:
    """Whether a process with this exit status ended for a reason of its own, and not because another did."""
    return code not in (None, 0, LOST, _INTERRUPTED)


@contextmanager
def _started(count: int, words: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes, which have all ended after the block."""
    reading, writing = os.pipe()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(count):
                environment = {
                    "OMP_NUM_THREADS": str(max(1, (cores or 1) // count)),
                    **os.environ,
                    "RANK": str(rank),
                    "LOCAL_RANK": str(rank),
                    "WORLD_SIZE": str(count),
                    STORE: str(Path(folder) / "store"),
                    PIPE: str(reading),
                }
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "darec", *words],
                        env=environment,
                        pass_fds=[reading],
                        stdout=None if rank == 0 else subprocess.DEVNULL,
                        stdin=subprocess.DEVNULL,
                        start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
                    )
                )
            os.close(reading)
            yield processes
        finally:
            os.close(writing)
            _wait(processes)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait for processes that are to end, and kill those that do not."""
    until = time.monotonic() + 2 * GRACE  # their own patience, and time to start on a busy machine
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def launched() -> bool:
    """Whether darec itself has started this process, by :func:`launch` or on Ray, and reports why the run ended."""
    return PIPE in os.environ or ON_RAY in os.environ


def end_with_parent() -> None:
    """Make a process of :func:`launch` end when that closes the pipe, or its process ends for any reason."""
    if PIPE not in os.environ:
        return
    pipe = int(os.environ[PIPE])

    def watch() -> None:
        os.read(pipe, 1)  # returns at the end of the pipe, since nothing is ever written
        time.sleep(_SOON)
        WRITING.acquire(timeout=GRACE)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(_SOON)
        os._exit(LOST)  # it waits for another process, which no signal interrupts

    threading.Thread(target=watch, daemon=True).start()


def leave(status: int) -> None:
    """End a process that :func:`launch` has started, at once: its memory need not be freed piece by piece.

    Args:
        status: the exit status. Any other process goes on after the call.
    """
    if PIPE in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
