"""The theorem in training: recommenders with a range of alignment strengths in a world of known factors.

Each run (:mod:`darec.theory.sweep_run`) trains LightGCN with one alignment at one strength (``rho``, or ``none`` for
zero) and measures accuracy, the gap between E_C and the text, and how much of the planted factors can be read from each
representation. A run is a JSON file, named by a hash of everything that decides it. Existing runs are not trained
again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Final

import numpy as np

from darec.errors import ConfigError, RunError
from darec.files import is_free, json_value, write_json
from darec.theory.sweep_run import ZERO, Dials, Outcome, Task, run

METHODS: Final = ("direct", "contrastive", "generative", "darec")


def tasks(
    dials: Dials, methods: Sequence[str], strengths: Sequence[float], seeds: Sequence[int]
) -> list[Task]:
    """The grid, seed by seed, each starting with ``none``.

    Raises ``ConfigError`` for an unknown name or a wrong strength.
    """
    for method in methods:
        if method not in METHODS:
            raise ConfigError(f"no method {method!r} in a sweep: choose from {', '.join(METHODS)}.")
    for strength in strengths:
        if not 0 < strength < np.inf:
            raise ConfigError(f"strength {strength:g}: must be above 0; zero is always included.")
    for what, values in (("method", methods), ("strength", strengths)):
        if not values or len({*values}) < len(values):
            raise ConfigError(f"name at least one {what}, and none twice.")
    return [
        task
        for seed in seeds
        for task in (
            Task(ZERO, 0.0, seed, dials),
            *(Task(m, strength, seed, dials) for m in methods for strength in strengths),
        )
    ]


def sweep(grid: Sequence[Task], out: Path, *, jobs: int = 1) -> Iterator[Outcome]:
    """Make every run of the grid that is missing in ``out``, and yield all outcomes when they are finished.

    Args:
        grid: from :func:`tasks`.
        out: folder; the runs are ``out/runs/*.json``.
        jobs: processes.

    Raises:
        RunError: ``out`` is a file, is not a folder of a sweep, or has a damaged run; or a process was killed.
    """
    if not is_free(out) and not (out / "runs").is_dir():
        raise RunError(f"{out} has other content than a sweep: choose another --out.")
    (out / "runs").mkdir(parents=True, exist_ok=True)
    waiting = []
    for task in grid:
        file = _file(out, task)
        if file.is_file():
            yield _read(file)
        else:
            waiting.append(task)
    if jobs == 1:
        for task in waiting:
            yield _kept(out, task, run(task))
        return
    others = active_children()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_quiet) as pool:
        futures = {pool.submit(run, task): task for task in waiting}
        try:
            for future in as_completed(futures):
                yield _kept(out, futures[future], future.result())
        except BrokenProcessPool:
            raise RunError(
                "a run's process was killed, perhaps because of too little memory: run the same command with "
                "fewer --jobs to continue."
            ) from None
        except BaseException:  # in particular Ctrl-C: runs that have begun are not awaited
            for process in active_children():
                if process not in others:
                    process.terminate()
            raise


def _file(out: Path, task: Task) -> Path:
    return out / "runs" / f"{task.name}.json"


def _kept(out: Path, task: Task, outcome: Outcome) -> Outcome:
    write_json(_file(out, task), asdict(outcome))
    return outcome


def _read(file: Path) -> Outcome:
    try:
        return Outcome(**json_value(file.read_text()))
    except (ValueError, TypeError) as error:
        raise RunError(f"{file} is damaged ({error}): delete it and run again.") from None


def _quiet() -> None:
    """Ignore Ctrl-C, because the parent ends its processes itself."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
