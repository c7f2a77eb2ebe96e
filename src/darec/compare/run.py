"""The whole of a comparison: settle the grid, train what is not finished, sum up, write the files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from darec.compare.grid import MANY, make_jobs, make_pairs, parse_seeds, resolve_pairs
from darec.compare.jobs import locked, train
from darec.compare.output import write_all
from darec.compare.progress import Progress
from darec.compare.result import Comparison
from darec.compare.summary import summarise
from darec.data.dataset import Dataset
from darec.errors import ConfigError


def compare(
    data: str | Path,
    *,
    out: str | Path,
    backbones: str = "lightgcn",
    alignments: str = "all",
    seeds: str | int = 3,
    jobs: int = 1,
    threads: int | None = None,
    options: dict[str, Any] | None = None,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    settings: Path | None = None,
    many: bool = False,
    command: str = "",
    progress: bool = True,
) -> Comparison:
    """Train every pair with every seed and compare the pairs; what is finished in ``out`` is not trained again.

    Args:
        data: dataset folder, written by ``darec import``.
        out: the comparison's folder.
        backbones: names between commas, or ``all``.
        alignments: likewise; gains are over ``none``, where it is among them.
        seeds: how many, or a list such as ``"0,3,7"``.
        jobs: runs trained at once, each in a process of its own.
        threads: CPU threads of a run; None: the processor's, shared out among the jobs.
        options: settings for all pairs, by dotted key.
        config: YAML file of common settings.
        overrides: ``["train.epochs=5"]``, on top of either.
        settings: folder with a ``BACKBONE+ALIGNMENT.yaml`` for every pair, from ``darec tune``.
        many: train a grid of more than a thousand runs.
        command: how this was asked for, for the record.
        progress: show progress on standard error.

    Raises:
        ConfigError: names or settings that do not exist or fit, or too many runs.
        DataError: no dataset, or one without validation or test interactions.
        TextError: pairs that need language vectors where there are none.
        RunError: ``out`` is another's.
        KeyboardInterrupt: passed on; finished runs and checkpoints are kept.
    """
    data, out = Path(data), Path(out)
    numbers = parse_seeds(str(seeds))
    names, left_out = make_pairs(backbones, alignments)
    if (runs := len(names) * len(numbers)) > MANY and not many:
        raise ConfigError(
            f"{len(names)} pairs with {len(numbers)} seeds are {runs} runs: pass --yes to train more than {MANY}."
        )
    if jobs < 1:
        raise ConfigError(f"--jobs {jobs}: give at least 1.")
    pairs = resolve_pairs(
        names, options=options, config=config, overrides=overrides, folder=settings
    )
    dataset = Dataset.load(data)
    grid = make_jobs(pairs, numbers, dataset)
    by_seed = [job for round_ in zip(*grid.values(), strict=True) for job in round_]
    console = Console(stderr=True, highlight=False, markup=False, quiet=not progress)
    for reason in left_out:
        console.print(reason, soft_wrap=True)
    with locked(out):
        watch = Progress(
            grid, out, at_once=jobs, monitor=pairs[0].config.train.monitor, shown=progress
        )
        with watch:
            errors = train(
                by_seed,
                out,
                data,
                dataset.fingerprint(),
                at_once=jobs,
                threads=threads or max(1, _cores() // jobs),
                progress=watch,
            )
        with console.status("") as status:
            comparison = summarise(
                pairs,
                grid,
                errors,
                out,
                dataset,
                command=command,
                at_once=jobs,
                remarks=left_out,
                told=lambda pair: status.update(f"tests of {pair}"),
            )
        problem = write_all(comparison, out)
    if problem:
        console.print(problem, soft_wrap=True)
    return comparison


def _cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
