"""One run made by several processes: the leader decides the configuration, the others receive it, and all train.

A single process is its own leader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError
from darec.fitting import Job, train
from darec.processes import current
from darec.processes.choice import known_shards
from darec.run import Run
from darec.run_folder import RunFolder, run_folder
from darec.run_record import describe
from darec.runtime import resolve_runtime
from darec.types import TextTable


def train_together(
    out: str | Path | None,
    resolve: Callable[[RunFolder | None], Job],
    dataset: Dataset,
    text: TextTable | None,
    *,
    progress: bool,
    tensorboard: bool,
) -> Run:
    """Train the leader's job in all processes of the group.

    Args:
        out: the run's folder, which only the leader opens; None keeps the run of one process in memory.
        resolve: decides the job in that folder; only the leader calls it.
        dataset: this process's own dataset, with its splits.
        text: language embeddings; None is the stored ones.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events.

    Raises:
        ConfigError: there are several processes but no folder, or they have different versions of darec or torch.
        DataError: the processes have different data.
        ElsewhereError: another process has raised an error.
    """
    group = current()
    with ExitStack() as stack:
        with group.agreeing():
            if out is None and group.size > 1:
                raise ConfigError(
                    "several processes need a folder from which all of them read the run: name it with --out."
                )
            folder = stack.enter_context(run_folder(out)) if group.leads else None
        with group.agreeing():
            job = resolve(folder) if group.leads else None
        plan = group.told(_plan(job) if job is not None else None)
        with group.agreeing():
            job = job or _followed(plan, dataset, text)
        if plan["finished"]:
            return Run.load(folder.path if folder else plan["folder"], dataset=job.dataset)
        return train(job, progress=progress, tensorboard=tensorboard)


def _plan(job: Job) -> dict[str, Any]:
    """The job as the leader sends it to the others."""
    folder, about = job.folder, job.about
    return {
        "config": job.config.model_dump(mode="json"),
        "about": about,
        "shards": job.shards,
        "resumes": job.resumes,
        "finished": folder is not None and job.resumes and folder.finished,
        "folder": str(folder.path.resolve()) if folder else None,
        "fingerprint": job.dataset.fingerprint() if job.group.size > 1 else None,
    }


def _followed(plan: Mapping[str, Any], dataset: Dataset, text: TextTable | None) -> Job:
    """The leader's job, with this process's own data."""
    group, about = current(), plan["about"]
    where = f"process {group.rank} of {group.size}"
    if about.get("refit"):
        dataset = dataset.merged()
    config, text = resolve_runtime(resolve_config(plan["config"]), dataset, text)
    own = describe(config, text)
    for name in ("darec", "torch"):
        if own[name] != about[name]:
            raise ConfigError(
                f"{where} has {name} {own[name]}, and process 0 has {about[name]}: install one version everywhere."
            )
    if dataset.fingerprint() != plan["fingerprint"]:
        raise DataError(
            f"{where} has another dataset at {dataset.path} than process 0: ids or splits differ. Copy one to all."
        )
    if own["text"] != about["text"]:
        raise DataError(
            f"{where} has other language vectors {config.text.encoder!r} than process 0: encode once and copy."
        )
    shards = known_shards(plan["shards"])
    return Job(config, dataset, text, None, plan["resumes"], about, group=group, shards=shards)
