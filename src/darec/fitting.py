"""From settings, data and text to a finished run: train, evaluate and write.

It serves first fits, refits and updates.
"""

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
from darec.processes.choice import Shards
from darec.run import Run
from darec.run_folder import RunFolder
from darec.runtime import using_threads
from darec.scoring import Scorer
from darec.training import AnyTrainer, make_trainer
from darec.training.progress import ConsoleReporter, Reporter
from darec.types import TextTable


@dataclass(frozen=True)
class Job:
    """A training job with all settings resolved, and its output folder.

    Attributes:
        config: every setting.
        dataset: the training data.
        text: language embeddings, if the run reads them.
        folder: folder of the run; None keeps it in memory.
        resumes: whether to continue the run in the folder.
        about: the content of ``run.json``; with ``refit``, there is no held-out data for evaluation.
        whole: the dataset with its splits, if ``dataset`` is merged and in memory; it is written into the folder.
        start: gives the model its initial weights; None is random weights.
        figures: function for further metrics of the learned model.
        splits: splits for the final evaluation; None is all held-out splits.
        deadline: time by ``time.monotonic()`` after which no further epoch begins.
        group: the processes that train it together; only the leader has a ``folder``.
        shards: how several processes divide tables.
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
    shards: Shards = "columns"


def train(job: Job, *, progress: bool, tensorboard: bool, reporter: Reporter | None = None) -> Run:
    """Train, evaluate on held-out data, and write the files of the run.

    Args:
        job: the job.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events into the folder.
        reporter: display of progress; None is the usual one.

    Returns:
        The run. The other processes of a group read it after the leader has written it.
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
            shards=job.shards,
        )
        if (
            folder is not None and not job.resumes
        ):  # created only now, so that an impossible job leaves no files
            dataset = folder.begin(config, job.dataset, job.about, whole=job.whole)
            job = replace(job, dataset=dataset)
    place = group.told(str(folder.path.resolve()) if folder else None)
    with group.agreeing():
        if not group.leads and not (Path(place) / "config.yaml").is_file():
            raise FolderError(
                f"{place}, to which process 0 writes the run, does not exist for process {group.rank}: choose an "
                "--out on a file system that all processes share."
            )
    trainer.fit(resume=job.resumes)
    run = _record(job, trainer) if group.leads else None
    group.told(None)  # waits until it is written
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
        run.metrics["processes"] = job.group.size
    if state.sent:
        run.metrics["bytes_sent_per_step"] = round(state.sent)
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
    """The metrics of each split, such as ``test/recall@20``."""
    return {
        f"{split}/{name}": value
        for split, evaluation in evaluations.items()
        for name, value in evaluation.summary().items()
    }
