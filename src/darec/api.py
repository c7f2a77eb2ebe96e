"""The public functions: load a dataset, fit a model. What the command line does, a program can do with these."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from darec.config import RunConfig, TextConfig, resolve_config
from darec.data.dataset import Dataset, is_dataset
from darec.errors import ConfigError, DataError, RunError
from darec.files import is_free, write_atomic, write_json
from darec.lock import Lock, locked
from darec.memory import peak_rss_mb
from darec.model import Model
from darec.origins import change, origins_of, remembered
from darec.overrides import flatten
from darec.run import Run, check_dataset
from darec.training.progress import ConsoleReporter, Reporter
from darec.training.trainer import Trainer
from darec.types import TextTable


def load_dataset(source: Any, items: Any = None, **options: Any) -> Dataset:
    """Load a dataset folder, or make a dataset of raw files or of tables in memory.

    Args:
        source: a folder written by ``darec import``; interactions as CSV, TSV, JSONL, Parquet, RecBole, MovieLens or
            RLMRec files; or interactions in memory: a frame of pandas or polars, a table of pyarrow, a
            ``scipy.sparse`` matrix of users by items, or a list of ``(user, item)``, ``(user, item, rating)`` or
            ``(user, item, rating, timestamp)``. Ids may be text, whole numbers or UUIDs, and are given back as such.
        items: the items, for raw interactions: a file, a table with an id and fields, or texts by item id.
        **options: those of :func:`darec.data.build.import_dataset`, ``out`` among them.

    Raises:
        DataError: input that is missing or cannot be used, naming file, row and remedy.
        ConfigError: an option that does not exist or does not fit.
    """
    if isinstance(source, Dataset):
        raise DataError("this is a dataset already: use it as it is.")
    if isinstance(source, str | Path) and is_dataset(Path(source)):
        if items is not None or options:
            raise DataError(f"{source} is imported already: its items and options are settled.")
        return Dataset.load(source)
    from darec.data.build import import_dataset

    return import_dataset(source, items=items, **options)


def fit(
    data: Any,
    *,
    backbone: str | None = None,
    alignment: str | None = None,
    settings: Mapping[str, Any] | None = None,
    config: RunConfig | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    text: TextTable | None = None,
    progress: bool = True,
    tensorboard: bool = False,
) -> Run:
    """Train a recommender and evaluate it on the validation and test splits.

    Args:
        data: a dataset, the folder of one, or interactions in memory as :func:`load_dataset` takes them.
        backbone: name of the collaborative model; ``lightgcn`` by default.
        alignment: name of the alignment; ``none`` by default.
        settings: further settings by dotted key, ``{"backbone.dim": 64, "options.seed": 1}``.
        config: a whole configuration, instead of the three above.
        out: the run's folder; None keeps the run in memory.
        resume: go on with a run in ``out`` that was cut short, by the settings it was begun with; a finished one
            is returned as it is.
        text: language embeddings, instead of those stored by ``darec encode``.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events into ``out``.

    Raises:
        ConfigError: a name or setting that does not exist or does not fit the data.
        RunError: ``out`` holds another run, or training diverged.
        FolderError: another process writes ``out``, or it cannot be written.
    """
    dataset = _dataset(data)
    folder = Path(out) if out is not None else None
    named = {"backbone": backbone, "alignment": alignment}
    given = {key: name for key, name in named.items() if name is not None} | dict(settings or {})
    if config is not None and given:
        raise ConfigError("give either config or backbone, alignment and settings, not both.")
    with nullcontext() if folder is None else locked(folder) as lock:
        return _fit(dataset, config, given, folder, lock, resume, text, progress, tensorboard)


def _fit(
    dataset: Dataset,
    config: RunConfig | None,
    given: Mapping[str, Any],
    folder: Path | None,
    lock: Lock | None,
    resume: bool,
    text: TextTable | None,
    progress: bool,
    tensorboard: bool,
) -> Run:
    """:func:`fit` in a folder that is this process's own."""
    begun = stored_config(folder)
    if config is None and (given or not resume):
        config = resolve_config(given, file=begun if resume else None)
    if folder is not None and not is_free(folder):
        if not resume:
            raise RunError(
                f"{folder} holds another run: choose another --out, or pass --resume to go on with it."
            )
        if not begun:
            raise RunError(f"{folder} holds files that are not a run's: choose another --out.")
    if begun and folder is not None:
        config, text = _resume(folder, config, dataset, text)
        if (folder / "metrics.json").is_file():
            return Run.load(folder, dataset=dataset)
    else:
        config, text = resolve_runtime(config or resolve_config(), dataset, text)
    label = f"{config.backbone.name} + {config.alignment.name}"
    reporter = ConsoleReporter(label, config.train.epochs) if progress else Reporter()
    trainer = Trainer(
        config, dataset, text, folder=folder, lock=lock, reporter=reporter, tensorboard=tensorboard
    )
    if folder is not None and not begun:  # only now, so that what cannot work leaves nothing behind
        _begin(folder, config, dataset, text)
    state = trainer.fit(resume=resume)
    if lock is not None:
        lock.check()
    run = Run(config, dataset, trainer.scorer(), {}, folder)
    for split in ("valid", "test"):
        if not len(dataset.split(split)):
            continue
        evaluation = run.evaluate(split)
        run.metrics |= {f"{split}/{name}": value for name, value in evaluation.summary().items()}
        if folder is not None:
            evaluation.save(folder / f"users-{split}.parquet")
    run.metrics |= {
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "seconds_per_epoch": statistics.median(state.seconds),
        "seconds_to_best": state.best_seconds,
        "seconds": state.total_seconds,
        "peak_rss_mb": peak_rss_mb(),
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "table_dim": run.tables.items.shape[1],
        **{f"diagnostics/{name}": value for name, value in state.diagnostics.items()},
    }
    if folder is not None:
        if lock is not None:
            lock.check()
        run.scorer.save(folder / "scorer.safetensors")
        write_json(folder / "metrics.json", run.metrics)
    return run


def _dataset(data: Any) -> Dataset:
    if isinstance(data, Dataset):
        return data
    return Dataset.load(data) if isinstance(data, str | Path) else load_dataset(data)


def stored_config(folder: str | Path | None) -> Path | None:
    """The settings that a run in ``folder`` was begun with: what a resumed run takes where nothing else is given."""
    file = Path(folder) / "config.yaml" if folder is not None else None
    return file if file is not None and file.is_file() else None


def load_run(path: str | Path, *, dataset: Dataset | str | Path | None = None) -> Run:
    """A finished run; see :meth:`darec.run.Run.load`."""
    return Run.load(path, dataset=dataset)


def stored_text(dataset: Dataset, settings: TextConfig) -> TextTable:
    """The language embeddings of a dataset that a run with these settings reads."""
    from darec.text import load_text

    return load_text(
        dataset,
        settings.encoder,
        sources=settings.sources,
        how=settings.combine,
        user_pooling=settings.pooling,
    )


def resolve_runtime(
    config: RunConfig, dataset: Dataset, text: TextTable | None = None
) -> tuple[RunConfig, TextTable | None]:
    """Fill in what the machine and the dataset decide: threads, and the text that is used.

    Args:
        config: the run's configuration.
        dataset: what it is to be trained on.
        text: language embeddings; None: those stored for the dataset, if the pair needs any.
    """
    threads = config.options.threads or torch.get_num_threads()
    options = config.options.model_copy(update={"threads": threads})
    settings = config.text
    if not Model.needs_text(config):
        text = None
    elif text is None:
        text = stored_text(dataset, settings)
    if text is not None:
        settings = settings.model_copy(update={"encoder": text.name})
    return config.model_copy(update={"options": options, "text": settings}), text


def _begin(folder: Path, config: RunConfig, dataset: Dataset, text: TextTable | None) -> None:
    """Make the run's folder; config.yaml last, since it marks the folder as a run's."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "dataset": str(dataset.path.resolve()) if dataset.path else None,
        "fingerprint": dataset.fingerprint(),
        "text": text.fingerprint() if text else None,
        "parts": [asdict(origin) for origin in origins_of(config)],
        "darec": version("darec"),
        "torch": torch.__version__,
        "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    write_json(folder / "run.json", about)
    write_atomic(folder / "config.yaml", config.to_yaml())


def _resume(
    folder: Path, config: RunConfig | None, dataset: Dataset, text: TextTable | None
) -> tuple[RunConfig, TextTable | None]:
    """Settings and text of a run begun earlier. Raises ``RunError`` if those of now are others."""
    stored = resolve_config(file=folder / "config.yaml")
    about = json.loads((folder / "run.json").read_text())
    check_dataset(about, dataset, folder)
    finished = (folder / "metrics.json").is_file()
    if not finished and (changed := change(remembered(folder))) is not None:
        raise RunError(
            f"{folder} cannot go on: {changed}. Bring the earlier one back, or choose another --out."
        )
    if config is not None:
        asked = flatten(resolve_runtime(config, dataset, text)[0].model_dump(mode="json"))
        for key, value in flatten(stored.model_dump(mode="json")).items():
            if asked.get(key, value) != value or key not in asked:
                raise RunError(
                    f"{folder} was begun with {key}={value}, not {asked.get(key)}: choose another --out, or "
                    "resume without settings."
                )
    config, text = resolve_runtime(stored, dataset, text)
    if about["text"] != (text.fingerprint() if text else None):
        raise RunError(
            f"the language vectors {config.text.encoder!r} are not those that the run at {folder} was begun with: "
            "encode as then, or train anew."
        )
    return config, text
