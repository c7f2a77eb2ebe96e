"""A complete comparison: resolve the variants, train unfinished runs, summarise, write the files."""

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
from darec.compare.reporting import reporting
from darec.compare.result import BASELINE, Comparison
from darec.compare.summary import summarise
from darec.console import Console
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.files import write_atomic
from darec.lock import locked
from darec.progress import OnStage


class RunnerOptions(TypedDict, total=False):
    """The arguments of :func:`run_variants`, with its defaults."""

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
    """Train every pair with every seed and compare the pairs. Finished runs in ``out`` are not trained again.

    Args:
        data: dataset folder, written by ``darec import``.
        backbones: names with commas between, or ``all``.
        alignments: names with commas between, or ``all``.
        options: settings for all pairs, by dotted key.
        config: YAML file of common settings.
        overrides: settings such as ``["train.epochs=5"]``, which override both.
        settings: folder with a ``BACKBONE+ALIGNMENT.yaml`` for every pair, from ``darec tune``.
        baseline: the baseline alignment; ``none`` may be missing, and then there are no gains.
        floors: also train popularity, ItemKNN, EASE and, if a pair reads text, L3AE.
        **runner: ``out``, ``seeds``, ``jobs`` and the others that :func:`run_variants` takes.

    Raises:
        ConfigError: names or settings do not exist or do not fit, or there are too many runs.
        DataError: there is no dataset, or it has no validation or test interactions.
        TextError: pairs need language vectors, and there are none.
        RunError: ``out`` has files that do not belong to a comparison.
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
    """Train every variant with every seed and compare them. Finished runs in ``out`` are not trained again.

    Args:
        data: dataset folder.
        variants: the variants with their settings.
        dataset: the dataset in that folder, if it is already loaded.
        out: the comparison's folder.
        kind: the kind of the variants.
        baseline: the baseline row of each section.
        remarks: notes, which are also shown at the beginning.
        seeds: number of seeds, or a list such as ``"0,3,7"``.
        jobs: number of runs trained at the same time, each in its own process.
        threads: CPU threads of a run. None is torch's own choice, which uses OMP_NUM_THREADS, but at most an equal
            share of the processors.
        many: allow more than a thousand runs.
        command: the command, for the record.
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
        raise ConfigError(f"--jobs {jobs}: must be at least 1.")
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
        with reporting(console) as on_stage:
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
                on_stage=on_stage,
            )
            lock.check()
            problem = _write(comparison, out, on_stage)
    if problem:
        console.print(problem, soft_wrap=True)
    return comparison


def _write(comparison: Comparison, out: Path, on_stage: OnStage) -> str | None:
    """Write the files. If the page is not possible, return the reason in one line."""
    comparison.save(out / "comparison.json")
    for ending, form in {"md": "markdown", "tex": "latex", "csv": "csv"}.items():
        write_atomic(out / f"comparison.{ending}", render(comparison, form))
    try:
        write_page(comparison, out / "comparison.html", on_stage=on_stage)
    except ConfigError as error:
        return str(error)
    return None


def default_threads(jobs: int) -> int:
    """CPU threads of each of several simultaneous runs whose settings give none.

    It is torch's own number, which uses OMP_NUM_THREADS, but at most a run's share of the processors.
    """
    return max(1, min(torch.get_num_threads(), _cores() // jobs))


def _cores() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
