"""Start and watch several processes on this machine.

This works like torchrun without its report: one line says why a run ended, and nothing is left behind. The processes
meet at a file, so no port is used. Each process waits for the end of a pipe, so it ends when this process ends for any
reason.
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

from darec.processes.group import LostError
from darec.processes.joining import STORE

PIPE: Final = "DAREC_PARENT"
"""Environment variable: a pipe that ends when the process that started this one has ended."""
LOST: Final = 75
"""Exit status of a process that ended because another did."""
GRACE: Final = 10.0
"""Seconds that processes have to end by themselves, once one has ended in an error."""


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
    with _started(count, words) as processes:
        failed: int | None = None
        ended = None
        while any(process.poll() is None for process in processes):
            time.sleep(0.05)
            bad = [rank for rank, one in enumerate(processes) if one.poll() not in (None, 0)]
            causes = [rank for rank in bad if processes[rank].poll() != LOST]
            if failed is None and causes:
                failed = causes[0]
            if bad and ended is None:
                ended = time.monotonic()
            if ended is not None and time.monotonic() - ended > GRACE:
                _end(processes)
        codes = [process.returncode for process in processes]
        if failed is None:
            failed = next((rank for rank, code in enumerate(codes) if code), None)
        if failed is None:
            return 0
        if codes[failed] < 0:
            name = signal.Signals(-codes[failed]).name
            memory = ", perhaps for want of memory" if name == "SIGKILL" else ""
            raise LostError(
                f"process {failed} of {count} was ended by {name}{memory}, and the run with it. What was done is kept: "
                "go on with --resume."
            )
        return codes[failed]


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
            _end(processes)
            os.close(writing)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask those that are left to end, and end them."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def launched() -> bool:
    """Whether :func:`launch` has started this process and reports why the run ended."""
    return PIPE in os.environ


def end_with_parent() -> None:
    """Make this process end when the process that started it ends, for any reason."""
    pipe = int(os.environ[PIPE])

    def watch() -> None:
        os.read(pipe, 1)  # returns at the end of the pipe, since nothing is ever written
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(LOST)

    threading.Thread(target=watch, daemon=True).start()
