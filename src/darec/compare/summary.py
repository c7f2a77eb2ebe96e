"""From finished runs to a :class:`~darec.compare.result.Comparison`: spreads, gains, curves, costs, notes."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

from darec.compare.figures import Curve, Gain, RunRecord, Spread
from darec.compare.gains import correct, gains_over
from darec.compare.grid import Job, VariantSettings
from darec.compare.kinds import KindName, Title
from darec.compare.notes import notes_on
from darec.compare.result import BASELINE, Comparison, Variant
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import DarecError, RunError
from darec.evaluation.groups import Group
from darec.evaluation.result import GROUP_METRICS, Evaluation
from darec.files import json_value
from darec.overrides import flatten
from darec.progress import OnStage

COSTS: Final = (
    "seconds_per_epoch",
    "seconds_to_best",
    "seconds",
    "best_epoch",
    "epochs",
    "peak_rss_mb",
    "parameters",
    "table_dim",
)


@dataclass(frozen=True)
class _Finished:
    """One finished run, read from its folder."""

    job: Job
    folder: Path
    metrics: dict[str, Any]
    curve: Curve
    threads: int | None
    groups: tuple[Group, ...]

    def evaluation(self) -> Evaluation:
        """The values of the test split by user. They are not stored, because there is one table for each run."""
        return Evaluation.load(self.folder / "users-test.parquet")


def summarise(
    variants: Sequence[VariantSettings],
    jobs: Mapping[Title, Sequence[Job]],
    errors: Mapping[str, str],
    out: Path,
    dataset: Dataset,
    *,
    kind: KindName = "pairs",
    baseline: str = BASELINE,
    command: str = "",
    at_once: int = 1,
    remarks: Sequence[str] = (),
    on_stage: OnStage = lambda name: None,
) -> Comparison:
    """Read every run and compare the variants.

    Args:
        variants: the variants with their settings.
        jobs: the runs of each variant.
        errors: the errors of failed runs, by folder.
        out: the comparison's folder.
        dataset: the training data.
        kind: the kind of the variants.
        baseline: the baseline row of each section.
        command: the command, for the record.
        at_once: number of runs trained at the same time.
        remarks: further notes.
        on_stage: called before the tests of each variant, which take a second or two.
    """
    first = variants[0].config
    ks = tuple(sorted(set(first.evaluation.ks)))
    headline = tuple(f"{metric}@{ks[-1]}" for metric in GROUP_METRICS)
    runs: dict[Title, list[_Finished]] = {}
    records: dict[Title, list[RunRecord]] = {}
    for title, wanted in jobs.items():
        runs[title], records[title] = _read_all(wanted, errors, out, first.train.monitor)
    groups = next((run.groups for found in runs.values() for run in found), ())
    made = [
        _variant(variant, jobs[variant.title][0], runs[variant.title], records[variant.title])
        for variant in variants
    ]
    tested = [f"{metric}@{k}" for metric in GROUP_METRICS for k in ks]
    tested += [f"{group.name}/{metric}" for group in groups for metric in headline]
    gains: dict[Title, dict[str, Gain]] = {}
    for base in (variant for variant in made if variant.row == baseline):
        values = {run.job.seed: run.evaluation() for run in runs[base.title]}
        for other in made:
            if other.section == base.section and other is not base:
                on_stage(f"tests of {other.name}")
                mine = {run.job.seed: run.evaluation() for run in runs[other.title]}
                gains[other.title] = gains_over(values, mine, tested)
    correct(gains)
    made = [replace(variant, gains=gains.get(variant.title, {})) for variant in made]
    device = first.options.device
    comparison = Comparison(
        dataset=dataset.path.resolve().name if dataset.path else "",
        fingerprint=dataset.fingerprint(),
        counts={
            "users": dataset.n_users,
            "items": dataset.n_items,
            **{split: len(dataset.split(split)) for split in ("train", "valid", "test")},
        },
        seeds=tuple(job.seed for job in max(jobs.values(), key=len)),
        ks=ks,
        mask=first.evaluation.mask,
        monitor=first.train.monitor,
        headline=headline,
        groups=groups,
        variants=tuple(made),
        command=command,
        made=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        machine=_processor() if device == "cpu" else torch.cuda.get_device_name(device),
        jobs=at_once,
        versions={
            "darec": version("darec"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        notes=(),
        kind=kind,
        baseline=baseline,
    )
    return replace(comparison, notes=(*notes_on(comparison), *remarks))


def _read_all(
    jobs: Sequence[Job], errors: Mapping[str, str], out: Path, monitor: str
) -> tuple[list[_Finished], list[RunRecord]]:
    found, records = [], []
    for job in jobs:
        place, error, threads = f"runs/{job.folder}", errors.get(job.folder), None
        if error is None:
            try:
                run = _read(job, out / place, monitor)
                threads = run.threads
                found.append(run)
            except (DarecError, OSError, ValueError, KeyError, TypeError) as problem:
                error = f"the run is damaged ({problem}): delete {out / place} and run again"
        records.append(RunRecord(job.seed, place, error, threads))
    return found, records


def _read(job: Job, folder: Path, monitor: str) -> _Finished:
    if not (folder / "metrics.json").is_file():
        raise RunError("it has no metrics.json")
    metrics = json_value((folder / "metrics.json").read_text())
    lines = [json_value(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    curve = Curve(
        job.seed,
        tuple(int(line["epoch"]) for line in lines),
        tuple(float(line["seconds"]) for line in lines),
        tuple(float(line[f"valid/{monitor}"]) for line in lines),
        int(metrics["best_epoch"]),
    )
    threads = resolve_config(file=folder / "config.yaml").options.threads
    run = _Finished(job, folder, metrics, curve, threads, ())
    return replace(run, groups=run.evaluation().groups)


def _variant(
    variant: VariantSettings, job: Job, runs: Sequence[_Finished], records: Sequence[RunRecord]
) -> Variant:
    everything = [run.metrics for run in runs]
    shared = [
        name for name in (everything[0] if everything else {}) if all(name in m for m in everything)
    ]

    def spreads(prefix: str) -> dict[str, Spread]:
        return {
            name.removeprefix(prefix): Spread.of(metrics[name] for metrics in everything)
            for name in shared
            if name.startswith(prefix)
        }

    return Variant(
        backbone=job.config.backbone.name,
        alignment=job.config.alignment.name,
        runs=tuple(records),
        settings=flatten(job.config.model_dump(mode="json", exclude={"options"})),
        settings_file=str(variant.file) if variant.file else None,
        test=spreads("test/"),
        valid=spreads("valid/"),
        costs={name: Spread.of(m[name] for m in everything) for name in COSTS if name in shared},
        diagnostics=spreads("diagnostics/"),
        gains={},
        curves=tuple(run.curve for run in runs),
        label=variant.label,
        changes=variant.changes,
    )


def _processor() -> str:
    """Name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
