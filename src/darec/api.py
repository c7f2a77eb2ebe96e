"""The public functions: load a dataset, fit a model. What the command line does, a program can do with these."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset, is_dataset
from darec.errors import ConfigError, DataError, RunError
from darec.fitting import Job
from darec.keywords import Keywords, dotted
from darec.model import Model
from darec.processes import current
from darec.recommended import names_parts, recommended
from darec.run import Run
from darec.run_folder import RunFolder, describe, stored_config
from darec.runtime import resolve_runtime
from darec.text import stored_encoders
from darec.together import train_together
from darec.training.checks import check_divided
from darec.types import TextTable


def load_dataset(source: Any, items: Any = None, **options: Any) -> Dataset:
    """Load a dataset folder, or make a dataset of raw files or of tables in memory.

    Args:
        source: a folder written by ``darec import``; interactions as CSV, TSV, JSONL, Parquet, RecBole, MovieLens or
            RLMRec files; or interactions in memory: a frame of pandas or polars, a table of pyarrow, a
            ``scipy.sparse`` matrix of users by items, or a list of ``(user, item)``, ``(user, item, rating)`` or
            ``(user, item, rating, timestamp)``. Ids may be text, whole numbers or UUIDs, and are given back as such.
        items: the items, for raw interactions: a file, a table with an id and fields, or texts by item id.
        **options: those of :func:`darec.data.build.import_dataset`, ``out`` and ``overwrite`` among them.

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


def load_run(path: str | Path, *, dataset: Dataset | str | Path | None = None) -> Run:
    """A finished run; see :meth:`darec.run.Run.load`."""
    return Run.load(path, dataset=dataset)


def fit(
    data: Any,
    *,
    backbone: str | None = None,
    alignment: str | None = None,
    settings: Mapping[str, Any] | None = None,
    config: RunConfig | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    text: TextTable | str | None = None,
    progress: bool = True,
    tensorboard: bool = False,
    **keywords: Unpack[Keywords],
) -> Run:
    """Train a recommender and evaluate it on the validation and test splits.

    Args:
        data: a dataset, the folder of one, or interactions in memory as :func:`load_dataset` takes them.
        backbone: name of the collaborative model. Where neither this nor ``alignment`` is given, the recommended
            settings hold (:func:`darec.recommended.recommended`), and whatever else is given changes them. Where one
            is, the other is ``lightgcn`` or ``none``, and all settings have the defaults that ``darec settings`` lists.
        alignment: name of the alignment.
        settings: further settings by dotted key, ``{"alignment.rho": 0.5}``; ``darec settings`` lists them.
        config: a whole configuration, instead of the three above and the keywords.
        out: the run's folder; None keeps the run in memory. A dataset in memory is written into it too.
        resume: go on with a run in ``out`` that was cut short, by the settings it was begun with; a finished one
            is returned as it is.
        overwrite: replace a run in ``out``. One that ended in an error is replaced in any case.
        text: language embeddings; or the name of an encoder, which then encodes the dataset where it has not done so
            yet; None: what the dataset was encoded with last.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events into ``out``.
        **keywords: the usual settings by short names, ``dim=64, epochs=30, seed=1``: see
            :class:`darec.keywords.Keywords`.

    Raises:
        ConfigError: a name or setting that does not exist or does not fit the data.
        RunError: ``out`` holds another run, or training diverged.
        FolderError: another process writes ``out``, or it cannot be written.
    """
    with current().agreeing():
        dataset = as_dataset(data)
        named = {"backbone": backbone, "alignment": alignment}
        given = {key: name for key, name in named.items() if name is not None}
        given |= dotted(keywords) | dict(settings or {})
        if config is not None and given:
            raise ConfigError("give either config or backbone, alignment and settings, not both.")

    def resolve(folder: RunFolder | None) -> Job:
        resumes = folder is not None and folder.admit(resume=resume, overwrite=overwrite)
        return _resolve(dataset, given, config, text, folder, resumes=resumes, progress=progress)

    own_text = text if isinstance(text, TextTable) else None
    return train_together(
        out, resolve, dataset, own_text, progress=progress, tensorboard=tensorboard
    )


def as_dataset(data: Any) -> Dataset:
    """A dataset, the folder of one, or whatever :func:`load_dataset` takes, as a dataset."""
    if isinstance(data, Dataset):
        return data
    return Dataset.load(data) if isinstance(data, str | Path) else load_dataset(data)


def _resolve(
    dataset: Dataset,
    given: Mapping[str, Any],
    config: RunConfig | None,
    text: TextTable | str | None,
    folder: RunFolder | None,
    *,
    resumes: bool,
    progress: bool,
) -> Job:
    """Settle every setting, the dataset and its text; nothing is written, unless texts are to be encoded."""
    if config is None and (given or not resumes):
        file = stored_config(folder.path) if folder is not None and resumes else None
        base: dict[str, Any] = {}
        if file is None and not names_parts(given):
            base = recommended(dataset, text=has_text(dataset, given, text))
        config = resolve_config(given, file=file, base=base)
    if isinstance(text, str):
        config, text = _encoded(dataset, config, text, progress=progress), None
    if folder is not None and resumes:
        config, dataset, text = folder.resume(config, dataset, text)
    else:
        assert config is not None  # only a run that is gone on with may come without settings
        config, text = resolve_runtime(config, dataset, text)
    if folder is not None and resumes and not folder.finished and folder.about().get("update"):
        raise RunError(
            f"{folder.path} holds an update that was cut short: go on with it by the same 'darec update' and --resume."
        )
    group = current()
    check_divided(config, group.size)
    about = describe(config, text, group.size)
    refit = folder.about().get("refit") if folder is not None and resumes else None
    if refit is not None:
        about["refit"] = refit
    return Job(config, dataset, text, folder, resumes, about, group=group)


def has_text(dataset: Dataset, given: Mapping[str, Any], text: TextTable | str | None) -> bool:
    """Whether a run with these settings could read language vectors, or is to, since some are named."""
    named = {"text.encoder", "text.sources"} & set(given)
    return text is not None or bool(named) or bool(stored_encoders(dataset))


def _encoded(
    dataset: Dataset, config: RunConfig | None, encoder: str, *, progress: bool
) -> RunConfig | None:
    """The settings with this encoder, which has encoded whatever they read of the dataset."""
    if config is None or not Model.needs_text(config):
        return config
    from darec.text import encode_dataset

    for source in config.text.sources:
        encode_dataset(dataset, encoder, source=source, progress=progress)
    return config.model_copy(update={"text": config.text.model_copy(update={"encoder": encoder})})
