"""From settings, data and text to a finished run: train, evaluate, write. Whether it is a first fit or a refit."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darec.config import RunConfig
from darec.data.dataset import Dataset
from darec.errors import FolderError
from darec.evaluation.result import Evaluation
from darec.memory import peak_rss_mb
from darec.model import Model
from darec.model_card import model_card
from darec.processes import ALONE, Group
from darec.run import Run
from darec.run_folder import RunFolder
from darec.runtime import using_threads
from darec.scoring import Scorer
from darec.training import AnyTrainer, make_trainer
from darec.training.progress import ConsoleReporter, Reporter
from darec.types import TextTable


@dataclass(frozen=True)
class Job:
    """What is trained, resolved to the last setting, and where it goes.

    Attributes:
        config: every setting.
        dataset: what is trained on.
        text: language embeddings, where the run reads them.
        folder: where the run is written; None keeps it in memory.
        resumes: whether to go on with what is in the folder.
        about: what the run remembers of itself; with ``refit``, nothing is held out to evaluate on.
        whole: the dataset with its splits, where ``dataset`` is merged and in memory: what is written into the folder.
        start: gives the model weights to start from; None: random ones.
        figures: further figures of what was learned.
        splits: what the run is evaluated on at the end; None: every split that is held out.
        deadline: by ``time.monotonic()``, after which no further epoch is begun.
        group: the processes that train it together; the leader alone has a ``folder``.
    """

    config: RunConfig
    dataset: Dataset
    text: TextTable | None
    folder: RunFolder | None
    resumes: bool
    about: dict[str, Any]
    whole: Dataset | None = None
    start: Callable[[Model], None] | None = None
    figures: Callable[[Scorer], dict[str, float]] | None = None
    splits: tuple[str, ...] | None = None
    deadline: float | None = None
    group: Group = ALONE


def train(job: Job, *, progress: bool, tensorboard: bool, reporter: Reporter | None = None) -> Run:
    """Train, evaluate on what is held out, and write what the run is read from.

    Args:
        job: what and where.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events into the folder.
        reporter: what shows it; None: the usual one.

    Returns:
        The run; on the other processes of a group, what it is once the leader has written it.
    """
    progress = progress and job.group.leads
    if reporter is None:
        label = f"{job.config.backbone.name} + {job.config.alignment.name}"
        reporter = ConsoleReporter(label, job.config.train.epochs) if progress else Reporter()
    with using_threads(job.config.options.threads):
        return _train(job, reporter=reporter, tensorboard=tensorboard)


def _train(job: Job, *, reporter: Reporter, tensorboard: bool) -> Run:
    config, folder, group = job.config, job.folder, job.group
    with group.agreeing():
        trainer = make_trainer(
            config,
            job.dataset,
            job.text,
            folder=folder.path if folder else None,
            lock=folder.lock if folder else None,
            reporter=reporter,
            tensorboard=tensorboard and group.leads,
            validate="refit" not in job.about,
            start=job.start,
            deadline=job.deadline,
            group=group,
        )
        if (
            folder is not None and not job.resumes
        ):  # only now: what cannot work leaves nothing behind
            dataset = folder.begin(config, job.dataset, job.about, whole=job.whole)
            job = replace(job, dataset=dataset)
    place = group.told(str(folder.path.resolve()) if folder else None)
    with group.agreeing():
        if not group.leads and not (Path(place) / "config.yaml").is_file():
            raise FolderError(
                f"{place}, where process 0 writes the run, is not there for process {group.rank}: choose an --out on a "
                "file system that all processes share."
            )
    trainer.fit(resume=job.resumes)
    run = _record(job, trainer) if group.leads else None
    group.told(None)  # that it is written
    return run or Run.load(place, dataset=job.dataset)


def _record(job: Job, trainer: AnyTrainer) -> Run:
    state, weights = trainer.state, trainer.weights()
    path = job.folder.path if job.folder else None
    run = Run(job.config, job.dataset, trainer.scorer(), {}, path, about=job.about, weights=weights)
    evaluations = run.evaluations(job.splits)
    run.metrics |= figures_of(evaluations) | {
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "seconds_per_epoch": statistics.median(state.seconds),
        "seconds_to_best": state.best_seconds,
        "seconds": state.total_seconds,
        "peak_rss_mb": peak_rss_mb(),
        "parameters": trainer.n_parameters,
        "table_dim": run.scorer.width,
        **{f"diagnostics/{name}": value for name, value in state.diagnostics.items()},
    }
    if job.group.size > 1:
        run.metrics |= {"processes": job.group.size, "bytes_sent_per_step": round(state.sent)}
    if run.refit is not None:
        run.metrics["refit"] = True
    if state.out_of_time:
        run.metrics["out_of_time"] = True
    if job.figures is not None:
        run.metrics |= job.figures(run.scorer)
    if job.folder is not None:
        card = model_card(job.config, job.dataset, run.metrics, run.about)
        job.folder.finish(run.scorer, evaluations, run.metrics, card=card)
    return run


def figures_of(evaluations: Mapping[str, Evaluation]) -> dict[str, float]:
    """What was measured on each split, ``test/recall@20`` and the like."""
    return {
        f"{split}/{name}": value
        for split, evaluation in evaluations.items()
        for name, value in evaluation.summary().items()
    }
