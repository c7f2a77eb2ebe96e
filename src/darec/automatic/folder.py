"""The folder of a search, which becomes the folder of the chosen run at the end.

During the search::

auto.json       the candidates, their values on the validation split and their seconds candidates/     their runs, none
of which is evaluated on the test split dataset/        the dataset, if it was in memory

At the end it is the folder of an ordinary run (:mod:`darec.run`) that also has ``auto.json``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from darec.automatic.record import Record, as_json
from darec.data.dataset import Dataset
from darec.errors import ConfigError, RunError
from darec.fitting import figures_of
from darec.model_card import model_card
from darec.run import Run
from darec.run_folder import CANDIDATES, DATASET, SEARCH, RunFolder

_TAKEN: Final = ("history.jsonl", "model.safetensors", "users-valid.parquet")
"""Files of a candidate's run that are kept unchanged in the chosen run."""


def admit(folder: RunFolder, *, resume: bool, overwrite: bool) -> Record | None:
    """The search to continue in a folder; None if a new one may begin.

    Raises:
        ConfigError: both ``resume`` and ``overwrite`` are given.
        RunError: the folder has content that must not be changed.
    """
    if not (folder.path / SEARCH).is_file():
        if folder.admit(resume=resume, overwrite=overwrite):
            raise RunError(
                f"{folder.path} holds a run that was not started by a search: continue it without --auto."
            )
        return None
    if resume and overwrite:
        raise ConfigError("--resume continues a search and --overwrite replaces it: choose one.")
    if not resume and not overwrite:
        raise RunError(
            f"{folder.path} holds another search: choose another --out, pass --resume to continue it, or "
            "--overwrite to replace it."
        )
    return Record.load(folder.path) if resume else None


def check_same(path: Path, record: Record, settings: Mapping[str, Any], dataset: Dataset) -> None:
    """Raise ``RunError`` if data or settings differ from those at the beginning of a search."""
    if record.fingerprint != dataset.fingerprint():
        raise RunError(
            f"the search in {path} was started on another dataset, whose ids or splits differ: choose another --out."
        )
    for key, value in as_json(settings).items():
        if key not in record.settings or record.settings[key] != value:
            then = f"{key}={record.settings[key]}" if key in record.settings else f"without {key}"
            raise RunError(
                f"the search in {path} was started {'with ' * (key in record.settings)}{then}, and now {key}={value} "
                "is set: choose another --out, or resume without settings."
            )


def on_disk(folder: RunFolder, record: Record, dataset: Dataset, *, fresh: bool) -> Dataset:
    """Prepare the folder of a search, and write a dataset in memory into it.

    Args:
        folder: folder of the search.
        record: record of the search.
        dataset: dataset of the search.
        fresh: whether the search is a new one.
    """
    home = folder.path / DATASET
    if fresh:
        folder.clear(keep=[dataset.path] if dataset.path else ())
        record.save(folder.path)
    if dataset.path is not None:
        return dataset
    return Dataset.load(home) if home.is_dir() else dataset.save(home)


def settle(
    run: Run, record: Record, folder: RunFolder | None, of: int, *, keep: bool
) -> tuple[Run, Record]:
    """Evaluate the chosen run on the test split, and make the folder that of the run.

    ``metrics.json`` is written last. Until it exists, a resumed search repeats this step.

    Args:
        run: the chosen candidate.
        record: the candidates that were tried.
        folder: folder of the search; None if everything is in memory.
        of: number of candidates.
        keep: keep the runs of the candidates.
    """
    evaluations = run.evaluations(("test",))
    metrics = run.metrics | figures_of(evaluations)
    chosen = {"candidate": record.chosen, "of": of}
    if folder is None or run.path is None:
        run.metrics, run.about = metrics, {**run.about, "auto": chosen}
        return run, record
    about = {**run.about, "auto": {**chosen, "file": SEARCH}}
    place = folder.path / CANDIDATES
    dataset = folder.begin(run.config, run.dataset, about, keep=(folder.path / SEARCH, place))
    for name in _TAKEN:
        if (run.path / name).is_file():
            shutil.copyfile(run.path / name, folder.path / name)
    record.save(folder.path)
    card = model_card(run.config, dataset, metrics, about)
    folder.finish(run.scorer, evaluations, metrics, card=card)
    if not keep:
        shutil.rmtree(place)
    return Run.load(folder.path, dataset=dataset), record
