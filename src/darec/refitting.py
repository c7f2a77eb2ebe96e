"""Train a run again on all interactions, for use in production: validation and test interactions are used as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from darec.config import BesideConfig, RunConfig, RunOptions
from darec.data.dataset import Dataset
from darec.errors import RunError
from darec.fitting import Job
from darec.processes import current
from darec.processes.choice import Shards, known_shards
from darec.registry import BACKBONES
from darec.run import Run
from darec.run_folder import RunFolder
from darec.run_record import begun_shards, describe
from darec.runtime import resolve_runtime, stored_text
from darec.settings import validated
from darec.together import train_together
from darec.training.checks import check_divided
from darec.training.closed_form import with_chosen
from darec.training.fold_in import CHOSEN
from darec.types import TextTable


def refit(
    run: Run | str | Path,
    *,
    data: Dataset | str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    text: TextTable | None = None,
    progress: bool = True,
    tensorboard: bool = False,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    shards: Shards | None = None,
) -> Run:
    """Train a run again, on the interactions of all splits.

    The settings are those of the run. It is trained for the number of epochs that validation chose, and closed-form
    scores are added with the weights that validation chose. There is no held-out data, so the new run is not evaluated;
    the metrics of the original run apply to these settings.

    Args:
        run: a finished run, or its folder.
        data: its dataset or the dataset's folder, if it has moved since training.
        out: folder of the new run; None keeps it in memory.
        resume: continue an interrupted refit in ``out``.
        overwrite: replace a run in ``out``.
        text: language embeddings, if they were given to the run; None is those stored for the dataset.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events into ``out``.
        seed: seed; None is that of the run.
        device: device; None is that of the run.
        threads: number of threads; None is that of the run.
        shards: what each of several processes has of every table, ``columns`` or ``rows``; None is as the refit was
            begun, and a new one by columns.

    Raises:
        RunError: the run was already refitted, its language vectors have changed, or ``out`` is in use.
        DataError: the dataset has cold items, which are held out of training.
        FolderError: another process writes ``out``, or it cannot be written.
    """
    group = current()
    with group.agreeing():
        source = run if isinstance(run, Run) else Run.load(run, dataset=data)
        _check_source(source, out)
        options = {"seed": seed, "device": device, "threads": threads}
        config = chosen_settings(
            source, {name: given for name, given in options.items() if given is not None}
        )
        if text is None:
            check_text(source)

    def resolve(folder: RunFolder | None) -> Job:
        resumes = folder is not None and folder.admit(resume=resume, overwrite=overwrite)
        about: dict[str, Any] = {"refit": _origin(source)}
        settings, dataset, vectors = config, source.dataset.merged(), text
        begun = folder.about() if folder is not None and resumes else {}
        if folder is not None and resumes:
            if begun.get("refit") != about["refit"]:
                raise RunError(
                    f"{out} holds a run that is not a refit of {source.path or 'this one'}: choose another --out."
                )
            settings, dataset, vectors = folder.resume(settings, dataset, vectors)
        else:
            settings, vectors = resolve_runtime(settings, dataset, vectors)
        divided = known_shards(shards) if shards else begun_shards(begun)
        check_divided(settings, group.size, divided, dataset.train)
        about = describe(settings, vectors, group.size, divided) | about
        return Job(settings, dataset, vectors, folder, resumes, about, group=group, shards=divided)

    return train_together(
        out, resolve, source.dataset, text, progress=progress, tensorboard=tensorboard
    )


def _check_source(source: Run, out: str | Path | None) -> None:
    """Raise ``RunError`` unless a run can be refitted into a folder."""
    if source.refit is not None:
        raise RunError(
            f"{source.path or 'this run'} was already refitted on every split: use it without another refit."
        )
    if source.update is not None and not BACKBONES.get(source.config.backbone.name).closed_form:
        raise RunError(
            f"{source.path or 'this run'} was updated from another run, so the number of epochs of a training from "
            "the start is unknown: train a run on its dataset, and refit that."
        )
    if out is not None and source.path is not None and same_place(out, source.path):
        raise RunError(f"{out} holds the run that is being refitted: choose another --out.")


def same_place(one: str | Path, other: Path) -> bool:
    """Whether two paths name the same folder."""
    return Path(one).resolve() == other.resolve()


def chosen_settings(source: Run, options: dict[str, Any]) -> RunConfig:
    """The run's settings, with the values that validation chose."""
    config = source.config
    run_options = validated(
        RunOptions, {**config.options.model_dump(), **options}, prefix="options"
    )
    update: dict[str, Any] = {"options": run_options}
    if not BACKBONES.get(config.backbone.name).closed_form:
        epochs = source.metrics["best_epoch"]
        ridge = source.metrics.get(f"diagnostics/{CHOSEN}", config.train.fold_ridge)
        update["train"] = config.train.model_copy(update={"epochs": epochs, "fold_ridge": ridge})
    if config.beside is not None:
        update["beside"] = _beside(source, config.beside)
    return with_chosen(config.model_copy(update=update), source.metrics)


def _beside(source: Run, beside: BesideConfig) -> BesideConfig:
    """The settings of ``beside``, with the weights and the values that validation chose."""
    chosen = source.metrics.get("diagnostics/beside/popularity", 0.0)
    niche = source.metrics.get("diagnostics/beside/niche", 0.0)
    update: dict[str, Any] = {"popularity": chosen, "niche": niche}
    if beside.backbone is not None:
        parts = {"backbone": beside.backbone, "alignment": beside.alignment}
        matrix = with_chosen(source.config.model_copy(update=parts), source.metrics, "beside/")
        weight = source.metrics["diagnostics/beside/weight"]
        update |= {
            "weight": weight,
            "backbone": matrix.backbone,
            "alignment": matrix.alignment,
        }
    return beside.model_copy(update=update)


def check_text(source: Run) -> None:
    """Raise ``RunError`` if the stored language vectors are not those of the run."""
    then = source.about["text"]
    if then is None:
        return
    if stored_text(source.dataset, source.config.text).fingerprint() != then:
        raise RunError(
            f"the language vectors {source.config.text.encoder!r} have changed since {source.path or 'the run'} "
            "was trained: encode with the same inputs as then, or train again."
        )


def _origin(source: Run) -> dict[str, Any]:
    """The record, in the new run, of the run from which it was made."""
    data = source.dataset
    return {
        "run": str(source.path.resolve()) if source.path else None,
        "best_epoch": source.metrics["best_epoch"],
        "interactions": {name: len(data.split(name)) for name in ("train", "valid", "test")},
        "measured": {
            name: value
            for name, value in source.metrics.items()
            if name.startswith(("valid/", "test/")) and name.count("/") == 1
        },
    }
