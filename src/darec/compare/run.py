"""The whole of a comparison: settle the variants, train what is not finished, sum up, write the files."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack

import torch

from darec.compare.grid import (
    MANY,
    Names,
    VariantSettings,
    floors_of,
    has_chance,
    make_jobs,
    make_pairs,
    parse_seeds,
    resolve_pairs,
)
from darec.compare.jobs import check_folder, train
from darec.compare.kinds import KINDS, KindName
from darec.compare.monitor import GridMonitor
from darec.compare.output import render
from darec.compare.page import write_page
from darec.compare.result import BASELINE, Comparison
from darec.compare.summary import summarise
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.files import write_atomic
from darec.lock import locked
from darec.terminal import Console


class RunnerOptions(TypedDict, total=False):
    """How variants are trained, whatever they are: what :func:`run_variants` takes, with its defaults."""

    out: Required[str | Path]
    seeds: str | int
    jobs: int
    threads: int | None
    many: bool
    command: str
    progress: bool


def compare(
    data: str | Path,
    *,
    backbones: str = "lightgcn",
    alignments: str = "all",
    options: dict[str, Any] | None = None,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    settings: Path | None = None,
    baseline: str = BASELINE,
    floors: bool = True,
    **runner: Unpack[RunnerOptions],
) -> Comparison:
    """Train every pair with every seed and compare the pairs; what is finished in ``out`` is not trained again.

    Args:
        data: dataset folder, written by ``darec import``.
        backbones: names between commas, or ``all``.
        alignments: likewise.
        options: settings for all pairs, by dotted key.
        config: YAML file of common settings.
        overrides: ``["train.epochs=5"]``, on top of either.
        settings: folder with a ``BACKBONE+ALIGNMENT.yaml`` for every pair, from ``darec tune``.
        baseline: the alignment that gains are over; ``none`` may be missing, and then there are no gains.
        floors: also show popularity, ItemKNN, EASE and, where any pair reads text, L3AE.
        **runner: ``out``, ``seeds``, ``jobs`` and the others that :func:`run_variants` takes.

    Raises:
        ConfigError: names or settings that do not exist or fit, or too many runs.
        DataError: no dataset, or one without validation or test interactions.
        TextError: pairs that need language vectors where there are none.
        RunError: ``out`` holds what is not a comparison's.
        FolderError: another process writes ``out``.
        KeyboardInterrupt: passed on; finished runs and checkpoints are kept.
    """
    names, left_out = make_pairs(backbones, alignments)
    if baseline != BASELINE and (among := sorted({name for _, name in names})).count(baseline) == 0:
        raise ConfigError(
            f"--baseline {baseline!r} is not compared: choose one of {', '.join(among)}."
        )
    below: list[Names] = []
    dataset = Dataset.load(data) if floors else None
    if dataset is not None:
        below, remarks = floors_of(names, dataset.n_items)
        left_out += remarks
    pairs = resolve_pairs(
        [*names, *below],
        options=options,
        config=config,
        overrides=overrides,
        folder=settings,
        optional=below,
    )
    return run_variants(data, pairs, dataset=dataset, baseline=baseline, remarks=left_out, **runner)


def run_variants(
    data: str | Path,
    variants: Sequence[VariantSettings],
    *,
    dataset: Dataset | None = None,
    out: str | Path,
    kind: KindName = "pairs",
    baseline: str = BASELINE,
    remarks: Sequence[str] = (),
    seeds: str | int = 3,
    jobs: int = 1,
    threads: int | None = None,
    many: bool = False,
    command: str = "",
    progress: bool = True,
) -> Comparison:
    """Train every variant with every seed and compare them; what is finished in ``out`` is not trained again.

    Args:
        data: dataset folder.
        variants: each with its settings.
        dataset: what is in that folder, where it is loaded already.
        out: the comparison's folder.
        kind: what they are.
        baseline: the row that gains are over, in each section.
        remarks: notes, shown at once too.
        seeds: how many, or a list such as ``"0,3,7"``.
        jobs: runs trained at once, each in a process of its own.
        threads: CPU threads of a run; None: torch's own choice, which heeds OMP_NUM_THREADS, but no more than the
            processors shared out among the jobs.
        many: train more than a thousand runs.
        command: how this was asked for, for the record.
        progress: show progress on standard error.

    Raises:
        As :func:`compare`.
    """
    data, out = Path(data), Path(out)
    numbers = parse_seeds(str(seeds))
    if (
        runs := sum(len(numbers) if has_chance(v.config) else 1 for v in variants)
    ) > MANY and not many:
        raise ConfigError(
            f"{len(variants)} {KINDS[kind].many} with {len(numbers)} seeds are {runs} runs: pass --yes to train more "
            f"than {MANY}."
        )
    if jobs < 1:
        raise ConfigError(f"--jobs {jobs}: give at least 1.")
    dataset = dataset or Dataset.load(data)
    grid = make_jobs(variants, numbers, dataset)
    rounds = itertools.zip_longest(*grid.values())
    by_seed = [job for round_ in rounds for job in round_ if job is not None]
    console = Console(stderr=True, quiet=not progress)
    for remark in remarks:
        console.print(remark, soft_wrap=True)
    check_folder(out)
    with locked(out) as lock:
        monitor = variants[0].config.train.monitor
        watch = GridMonitor(grid, out, at_once=jobs, monitor=monitor, shown=progress)
        with watch:
            errors = train(
                by_seed,
                out,
                data,
                dataset.fingerprint(),
                at_once=jobs,
                threads=threads or default_threads(jobs),
                progress=watch,
            )
        with console.status("") as status:
            comparison = summarise(
                variants,
                grid,
                errors,
                out,
                dataset,
                kind=kind,
                baseline=baseline,
                command=command,
                at_once=jobs,
                remarks=remarks,
                on_stage=lambda name: status.update(f"tests of {name}"),
            )
        lock.check()
        problem = _write(comparison, out)
    if problem:
        console.print(problem, soft_wrap=True)
    return comparison


def _write(comparison: Comparison, out: Path) -> str | None:
    """Write the files; where there can be no page, return why, in one line."""
    comparison.save(out / "comparison.json")
    for ending, form in {"md": "markdown", "tex": "latex", "csv": "csv"}.items():
        write_atomic(out / f"comparison.{ending}", render(comparison, form))
    try:
        write_page(comparison, out / "comparison.html")
    except ConfigError as error:
        return str(error)
    return None


def default_threads(jobs: int) -> int:
    """CPU threads of each of several runs that are trained at once, whose settings name none.

    As many as torch takes by itself, which heeds OMP_NUM_THREADS, but no more than a run's share of the processors.
    """
    return max(1, min(torch.get_num_threads(), _cores() // jobs))


def _cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
