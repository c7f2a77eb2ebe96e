"""The folder of a search, which ends as the folder of the run that it chose.

While the search goes on::

    auto.json       what was tried, its value on the validation split and its seconds
    candidates/     their runs, none of which is evaluated on the test split
    dataset/        the dataset, if it was in memory

At the end it is the folder of an ordinary run (:mod:`darec.run`), with ``auto.json`` beside it.
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
"""Files of a candidate's run that the chosen one has as they are."""


def admit(folder: RunFolder, *, resume: bool, overwrite: bool) -> Record | None:
    """The search in a folder that is to be gone on with; None: a new one may be begun.

    Raises:
        ConfigError: asked both to go on with it and to replace it.
        RunError: what is here is not to be touched.
    """
    if not (folder.path / SEARCH).is_file():
        if folder.admit(resume=resume, overwrite=overwrite):
            raise RunError(
                f"{folder.path} holds a run that was not begun as a search: go on with it without --auto."
            )
        return None
    if resume and overwrite:
        raise ConfigError("--resume goes on with a search and --overwrite replaces it: choose one.")
    if not resume and not overwrite:
        raise RunError(
            f"{folder.path} holds another search: choose another --out, pass --resume to go on with it, or --overwrite "
            "to replace it."
        )
    return Record.load(folder.path) if resume else None


def check_same(path: Path, record: Record, settings: Mapping[str, Any], dataset: Dataset) -> None:
    """Raise ``RunError`` where other data or settings are given than a search was begun with."""
    if record.fingerprint != dataset.fingerprint():
        raise RunError(
            f"the search in {path} was begun on another dataset, whose ids or splits differ: choose another --out."
        )
    for key, value in as_json(settings).items():
        if key not in record.settings or record.settings[key] != value:
            then = f"{key}={record.settings[key]}" if key in record.settings else f"without {key}"
            raise RunError(
                f"the search in {path} was begun {'with ' * (key in record.settings)}{then}, and now {key}={value} is "
                "given: choose another --out, or resume without settings."
            )


def on_disk(folder: RunFolder, record: Record, dataset: Dataset, *, fresh: bool) -> Dataset:
    """Make place for a search, and write a dataset that is in memory into it.

    Args:
        folder: of the search.
        record: what it is begun with.
        dataset: what it is on.
        fresh: whether it is a new one.
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
    """Evaluate the chosen run on the test split, and have the folder be its.

    ``metrics.json`` is written when all else is there; until then a resumed search ends in this once more.

    Args:
        run: the chosen candidate.
        record: what was tried.
        folder: of the search; None: all is in memory.
        of: number of candidates.
        keep: leave the candidates where they are.
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
