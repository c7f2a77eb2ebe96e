"""Train the runs of a grid, several at the same time, each in its own process.

With one process for each run, peak memory is that of the run, and a crash does not affect other runs. Processes are
forked from a server that has only imported torch, so they start quickly. They write the run's folder and write their
output to ``logs/``. The parent receives the outcome through a pipe and reads progress from the run's history. A child
ends immediately if its parent has ended, so that no process is still writing when the folder is used again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from darec.compare.grid import Job
from darec.compare.monitor import GridMonitor
from darec.errors import RunError
from darec.files import is_free
from darec.registry.origins import Parcel

_TICK: Final = 0.25  # seconds between two reads of the runs' progress
_PATIENCE: Final = 10.0  # seconds for a process to end after it was asked to


@dataclass
class _Running:
    job: Job
    process: BaseProcess
    outcome: Connection


def check_folder(out: Path) -> None:
    """Raise ``RunError`` if a folder has files that do not belong to a comparison."""
    if is_free(out) or (out / "comparison.json").exists():
        return
    names = {entry.name for entry in out.iterdir() if not entry.name.startswith(".")}
    if not {"logs"} <= names <= {"logs", "runs"}:
        raise RunError(
            f"{out} holds files that do not belong to a comparison: choose another --out."
        )


def finished(out: Path, job: Job) -> bool:
    """Whether a run needs no training."""
    return (out / "runs" / job.folder / "metrics.json").is_file()


def train(
    jobs: Sequence[Job],
    out: Path,
    data: Path,
    fingerprint: str,
    *,
    at_once: int,
    threads: int,
    progress: GridMonitor,
) -> dict[str, str]:
    """Train every job that is not finished, or continue it.

    Args:
        jobs: in the order in which they are started.
        out: the comparison's folder, locked.
        data: the dataset's folder.
        fingerprint: fingerprint of the dataset, which must not change meanwhile.
        at_once: number of processes.
        threads: CPU threads of a run whose settings give none.
        progress: receives all events.

    Returns:
        The runs that failed, by folder, each with its error in one line.

    Raises:
        KeyboardInterrupt: passed on once the processes have ended.
    """
    waiting = [job for job in jobs if not finished(out, job)]
    if not waiting:
        return {}
    for name in ("logs", "runs"):
        (out / name).mkdir(exist_ok=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch"])
    _start_server()
    errors: dict[str, str] = {}
    running: list[_Running] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                receive, send = context.Pipe(duplex=False)
                settings = job.config.model_dump(mode="json")
                settings["options"]["threads"] = settings["options"]["threads"] or threads
                parts = [Parcel.of(origin) for origin in job.parts]
                process = context.Process(
                    target=_work,
                    args=(send, str(data), fingerprint, settings, parts, str(out), job.folder),
                    daemon=True,
                )
                process.start()
                send.close()
                running.append(_Running(job, process, receive))
                progress.started(job)
            wait([run.process.sentinel for run in running], timeout=_TICK)
            for run in [run for run in running if run.process.exitcode is not None]:
                running.remove(run)
                error = _error(run, out)
                if error is not None:
                    errors[run.job.folder] = error
                progress.ended(run.job, error)
            progress.refresh()
    finally:
        for run in running:
            run.process.terminate()  # what it has trained since its last checkpoint is trained again
        for run in running:
            run.process.join(_PATIENCE)
            if run.process.exitcode is None:
                run.process.kill()
    return errors


def _start_server() -> None:
    """Start the fork server with Ctrl-C ignored. Its children inherit this, because the parent ends them."""
    if threading.current_thread() is not threading.main_thread():
        forkserver.ensure_running()
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def _error(run: _Running, out: Path) -> str | None:
    """Return why an ended process did not finish its run; None if it did."""
    run.process.join()
    with run.outcome:
        try:
            if run.outcome.poll():
                error: str | None = run.outcome.recv()
                return error
        except EOFError:  # it was killed
            pass
    code = run.process.exitcode or 0
    log = out / "logs" / f"{run.job.folder}.log"
    more = f"; see {log}" if log.is_file() and log.stat().st_size else ""
    if code == -signal.SIGKILL:
        return f"killed, perhaps because of too little memory{more}; run the same command again to continue it"
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return f"{how}{more}; run the same command again to continue it"


def _work(
    outcome: Connection,
    data: str,
    fingerprint: str,
    settings: dict[str, Any],
    parts: Sequence[Parcel],
    out: str,
    name: str,
) -> None:
    """Train one run in its process, and send None or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = Path(out) / "logs" / f"{name}.log"
    _print_to(log)
    try:
        error = _fit(data, fingerprint, settings, parts, Path(out) / "runs" / name)
    except Exception as unexpected:  # reported for this run; the others continue
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        text = " ".join(str(unexpected).split())
        error = f"{type(unexpected).__name__}: {text} (see {log})"
    if log.stat().st_size == 0:
        log.unlink()
    outcome.send(error)
    outcome.close()


def _fit(
    data: str,
    fingerprint: str,
    settings: dict[str, Any],
    parts: Sequence[Parcel],
    folder: Path,
) -> str | None:
    import shutil

    from darec.api import fit
    from darec.config import resolve_config
    from darec.data.dataset import Dataset
    from darec.errors import DarecError
    from darec.lock import locked

    if folder.exists():
        with locked(folder, wait=_PATIENCE):  # a run whose parent was killed takes a moment to end
            pass
    begun = (folder / "config.yaml").is_file()
    if folder.exists() and not begun:  # killed before it had begun
        shutil.rmtree(folder)
    try:
        for part in parts:
            part.unpack()
        dataset = Dataset.load(data)
        if dataset.fingerprint() != fingerprint:
            return f"{data} has changed since the comparison was started: run the command again"
        # An interrupted run continues with its own settings. They have the same hash, but threads may differ.
        config = None if begun else resolve_config(settings)
        fit(dataset, config=config, out=folder, resume=True, progress=False)
    except DarecError as error:
        return error.command_line
    return None


def _print_to(log: Path) -> None:
    """Redirect all output of the process, including that of native code, to a file."""
    import faulthandler

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    faulthandler.enable()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
