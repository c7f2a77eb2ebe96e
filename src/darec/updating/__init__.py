"""Update a run with new interactions, users and items: training continues from the old weights for a few epochs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from darec.config import RunConfig
from darec.data.dataset import Dataset, check_target, is_dataset
from darec.data.growth import Growth, grow
from darec.data.ingest import Columns
from darec.errors import ConfigError, DarecWarning, RunError
from darec.fitting import Job, train
from darec.model import Model
from darec.refitting import check_text, chosen_settings, same_place
from darec.registry import BACKBONES
from darec.run import Run
from darec.run_folder import RunFolder, run_folder
from darec.run_record import describe
from darec.runtime import resolve_runtime
from darec.scoring import Scorer
from darec.text import load_text
from darec.text.extended import extended_vectors
from darec.text.load import stored_encoders
from darec.types import TextTable
from darec.updating.moved import moved
from darec.updating.start import Start

EPOCHS: Final = 3
"""Default number of passes over all interactions; see docs/studies/update.md."""


def update(
    run: Run | str | Path,
    interactions: Any = None,
    items: Any = None,
    *,
    data: Dataset | str | Path | None = None,
    out: str | Path | None = None,
    data_out: str | Path | None = None,
    epochs: int | None = None,
    columns: Columns | Mapping[str, str] | None = None,
    item_id: str | None = None,
    unknown_items: str = "drop",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> Run:
    """Continue the training of a run from its weights, on its dataset and new data.

    Old users and items keep their rows; new ones are appended. Only the texts of new items are encoded. New rows are
    initialised from text and histories (:mod:`darec.updating.start`), and all rows are trained on all interactions.
    Closed-form parts are solved again. Splits do not change, and new interactions are added to training. If the run was
    evaluated, the new run is evaluated on the same pairs; a run that was refitted on all splits is not evaluated.

    Args:
        run: a finished run, or its folder.
        interactions: new interactions, in any form that :func:`darec.load_dataset` reads; columns are found as in the
            import.
        items: new items, and known items with new fields; see :func:`darec.data.growth.grow`.
        data: the run's dataset or its folder, if it has moved since training.
        out: folder of the new run; None keeps it in memory.
        data_out: folder of the enlarged dataset; None is a folder in the new run's folder.
        epochs: number of passes over all interactions; None is :data:`EPOCHS`, or no training if nothing is new.
        columns: names of the interactions' columns, if they are not those of the import.
        item_id: name of the items' id column, if it is not that of the import.
        unknown_items: ``drop``, ``keep`` or ``error``: what to do with new items without text.
        resume: continue an interrupted update in ``out``; the other arguments must be the same.
        overwrite: replace a run in ``out``, and a dataset in ``data_out``.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events into ``out``.
        seed: seed; None is that of the run.
        device: device; None is that of the run.
        threads: number of threads; None is that of the run.

    Returns:
        The new run; or the given one, with a warning and nothing written, if nothing is new and no epochs are given.

    Raises:
        DataError: files cannot be used; the error names file, line and remedy.
        TextError: the run's encoder cannot encode the new items.
        RunError: language vectors or parts have changed since the run was trained, or ``out`` is in use.
        FolderError: another process writes ``out``, or it cannot be written.
    """
    source = run if isinstance(run, Run) else Run.load(run, dataset=data)
    for place in (out, data_out):
        if place is not None and source.path is not None and same_place(place, source.path):
            raise RunError(f"{place} holds the run that is being updated: choose another folder.")
    if out is not None and data_out is not None:
        inside = Path(data_out).resolve().is_relative_to(Path(out).resolve())
        if inside or Path(out).resolve().is_relative_to(Path(data_out).resolve()):
            raise RunError(
                f"one of {data_out} and {out} is inside the other: leave out --data-out, and the dataset is "
                "written into the run."
            )
    if epochs is not None and epochs < 1:
        raise ConfigError(f"epochs {epochs}: must be at least 1.")
    check_text(source)
    base = _with_splits(source)
    asked = Columns(**columns) if isinstance(columns, Mapping) else columns
    growth = grow(
        base, interactions, items, columns=asked, item_id=item_id, unknown_items=unknown_items
    )
    if growth.empty and epochs is None and not resume:
        _warn_of_nothing_new(source, growth)
        return source
    given = {"seed": seed, "device": device, "threads": threads}
    config = chosen_settings(source, {name: one for name, one in given.items() if one is not None})
    if not BACKBONES.get(config.backbone.name).closed_form:
        length = config.train.model_copy(update={"epochs": epochs or EPOCHS})
        config = config.model_copy(update={"train": length})
    about = {"update": _origin(source, base, growth)}
    if source.refit is not None:
        about["refit"] = dict(source.refit)
    with run_folder(out) as folder:
        resumes = folder is not None and folder.admit(resume=resume, overwrite=overwrite)
        grown = growth.dataset
        if not resumes:
            device_of = config.options.device
            vectors = _vectors(config, base, grown, device_of)
            grown = replace(grown, vectors=vectors)
        if data_out is not None:
            grown = _placed(grown, Path(data_out), base, resumes=resumes, overwrite=overwrite)
        dataset = grown if source.refit is None else grown.merged()
        text: TextTable | None = None
        if folder is not None and resumes:
            _check_origin(folder, about["update"])
            config, dataset, text = folder.resume(config, dataset, None)
            if folder.finished:
                return Run.load(folder.path, dataset=dataset)
        else:
            config, text = resolve_runtime(config, dataset)
        seen = dataset.train.union(dataset.valid).union(dataset.test)

        def figures(scorer: Scorer) -> dict[str, float]:
            found = moved(source.scorer, scorer, seen, base.n_users, growth.users)
            return {f"update/{name}": value for name, value in (growth.counts | found).items()}

        start = None
        if not BACKBONES.get(config.backbone.name).closed_form:
            texts = text or _any_text(dataset)
            start = Start(_weights(source), base.n_users, base.n_items, dataset.train, texts)
        whole = grown if source.refit is not None and grown.path is None else None
        job = Job(
            config,
            dataset,
            text,
            folder,
            resumes,
            describe(config, text) | about,
            whole=whole,
            start=start,
            figures=figures,
        )
        made = train(job, progress=progress, tensorboard=tensorboard)
    return made


def _warn_of_nothing_new(source: Run, growth: Growth) -> None:
    found = " ".join(growth.notices)
    warnings.warn(
        f"nothing is new{f' ({found.rstrip(chr(46))})' if found else ''}: {source.path or 'the run'} stays as it is, "
        "and nothing is written. Give a number of epochs to train on nevertheless.",
        DarecWarning,
        stacklevel=3,
    )


def _with_splits(source: Run) -> Dataset:
    """Read the run's dataset from disk; a refitted run has merged its splits in memory."""
    data = source.dataset
    if source.refit is None or data.path is None:
        return data
    return Dataset.load(data.path)


def _weights(source: Run) -> Mapping[str, Tensor]:
    """The weights of the run's model."""
    if source.path is None:
        return source.weights or {}
    file = source.path / "model.safetensors"
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{file} cannot be read ({error}): train the run again.") from error


def _vectors(config: RunConfig, base: Dataset, grown: Dataset, device: str) -> dict[str, Any]:
    """The encoders for the enlarged dataset: those of the run, or else the most recent one to initialise new items."""
    if Model.needs_text(config):
        wanted = [(config.text.encoder, source) for source in config.text.sources]
    else:
        wanted = [(name, "text") for name in stored_encoders(base)[:1]]
    return dict(
        extended_vectors(base, grown, encoder or "", source, device=device)
        for encoder, source in wanted
    )


def _any_text(dataset: Dataset) -> TextTable | None:
    """The most recent language vectors of a dataset, for a run that reads none."""
    return load_text(dataset) if stored_encoders(dataset) else None


def _placed(
    grown: Dataset, place: Path, base: Dataset, *, resumes: bool, overwrite: bool
) -> Dataset:
    """Write the enlarged dataset into its own folder."""
    if base.path is not None and same_place(place, base.path):
        raise RunError(
            f"{place} holds the dataset that the run was trained on, which it still needs: choose another --data-out."
        )
    there = is_dataset(place) and Dataset.load(place).fingerprint() == grown.fingerprint()
    if resumes and there:
        return Dataset.load(place)
    check_target(place, overwrite=overwrite or there)
    return grown.save(place, overwrite=overwrite or there)


def _origin(source: Run, base: Dataset, growth: Growth) -> dict[str, Any]:
    """The record, in the new run, of the run from which it was made."""
    files = growth.dataset.manifest["sources"][len(base.manifest.get("sources", [])) :]
    return {
        "run": str(source.path.resolve()) if source.path else None,
        "updates": 1 + (source.update or {"updates": 0})["updates"],
        "dataset": base.fingerprint(),
        "files": files,
        "counts": growth.counts,
        "notices": growth.notices,
    }


def _check_origin(folder: RunFolder, origin: Mapping[str, Any]) -> None:
    """Raise ``RunError`` unless the folder holds an update of the same run by the same files."""
    there = folder.about().get("update") or {}
    for name, what in (("run", "another run"), ("files", "other files")):
        if there.get(name) != origin[name]:
            raise RunError(
                f"{folder.path} holds an update of {what}, not of this run by these files: choose another --out, "
                "or pass --overwrite to replace it."
            )
