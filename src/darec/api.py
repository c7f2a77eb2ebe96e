"""The public functions, which do in a program what the commands do: load a dataset and fit a model."""

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
from darec.processes.choice import Shards, known_shards
from darec.recommended import names_parts, recommended
from darec.run import Run
from darec.run_folder import RunFolder
from darec.run_record import begun_shards, describe, stored_config
from darec.runtime import resolve_runtime
from darec.text import stored_encoders
from darec.together import train_together
from darec.training.checks import check_divided
from darec.types import TextTable


def load_dataset(source: Any, items: Any = None, **options: Any) -> Dataset:
    """Load a dataset folder, or make a dataset from raw files or from tables in memory.

    Args:
        source: a folder written by ``darec import``; interactions as CSV, TSV, JSONL, Parquet, RecBole, MovieLens or
            RLMRec files; or interactions in memory: a frame of pandas or polars, a table of pyarrow, a
            ``scipy.sparse`` matrix of users by items, or a list of ``(user, item)``, ``(user, item, rating)`` or
            ``(user, item, rating, timestamp)``. Ids may be text, whole numbers or UUIDs, and are returned in the same
            type.
        items: the items, for raw interactions: a file, a table with an id and fields, or texts by item id.
        **options: options of :func:`darec.data.build.import_dataset`, including ``out`` and ``overwrite``.

    Raises:
        DataError: input is missing or cannot be used; the error names file, row and remedy.
        ConfigError: an option does not exist or does not fit.
    """
    if isinstance(source, Dataset):
        raise DataError("this is a dataset already: use it without loading.")
    if isinstance(source, str | Path) and is_dataset(Path(source)):
        if items is not None or options:
            raise DataError(
                f"{source} is already imported: its items and options cannot be changed."
            )
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
    shards: Shards | None = None,
    **keywords: Unpack[Keywords],
) -> Run:
    """Train a recommender and evaluate it on the validation and test splits.

    Args:
        data: a dataset, its folder, or interactions in memory in any form that :func:`load_dataset` reads.
        backbone: name of the collaborative model. If neither this nor ``alignment`` is given, the recommended settings
            are used (:func:`darec.recommended.recommended`), and all other arguments change them. If only one of the
            two is given, the other is ``lightgcn`` or ``none``, and all settings have the defaults that ``darec
            settings`` lists.
        alignment: name of the alignment.
        settings: further settings by dotted key, ``{"alignment.rho": 0.5}``; ``darec settings`` lists them.
        config: a complete configuration, in place of the three arguments above and the keywords.
        out: the run's folder; None keeps the run in memory. A dataset in memory is written into it too.
        resume: continue an interrupted run in ``out`` with its own settings. A finished run is returned unchanged.
        overwrite: replace a run in ``out``. A run that ended with an error is always replaced.
        text: language embeddings, or the name of an encoder, which encodes the dataset if necessary. With None, the
            most recent embeddings of the dataset.
        progress: show progress on standard error.
        tensorboard: write TensorBoard events into ``out``.
        shards: what each of several processes has of every table: ``columns`` or ``rows`` (docs/scale-out.md). With
            None, as the run was begun, and a new run by columns. A process that trains alone has all of them.
        **keywords: common settings by short names, such as ``dim=64, epochs=30, seed=1``: see
            :class:`darec.keywords.Keywords`.

    Raises:
        ConfigError: a name or setting does not exist or does not fit the data.
        RunError: ``out`` has another run, or training diverged.
        FolderError: another process writes ``out``, or it cannot be written.
    """
    with current().agreeing():
        dataset = as_dataset(data)
        named = {"backbone": backbone, "alignment": alignment}
        given = {key: name for key, name in named.items() if name is not None}
        given |= dotted(keywords) | dict(settings or {})
        shards = known_shards(shards) if shards is not None else None
        if config is not None and given:
            raise ConfigError(
                "give either config, or backbone, alignment and settings, but not both."
            )

    def resolve(folder: RunFolder | None) -> Job:
        resumes = folder is not None and folder.admit(resume=resume, overwrite=overwrite)
        return _resolve(
            dataset, given, config, text, folder, resumes=resumes, progress=progress, shards=shards
        )

    own_text = text if isinstance(text, TextTable) else None
    return train_together(
        out, resolve, dataset, own_text, progress=progress, tensorboard=tensorboard
    )


def as_dataset(data: Any) -> Dataset:
    """Make a dataset from a dataset, its folder, or anything that :func:`load_dataset` reads."""
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
    shards: Shards | None,
) -> Job:
    """Resolve every setting, the dataset and its text. Nothing is written, unless texts must be encoded."""
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
        assert config is not None  # only a resumed run may have no settings
        config, text = resolve_runtime(config, dataset, text)
    if folder is not None and resumes and not folder.finished and folder.about().get("update"):
        raise RunError(
            f"{folder.path} holds an interrupted update: continue it with the same 'darec update' and --resume."
        )
    group = current()
    begun = folder.about() if folder is not None and resumes else {}
    shards = shards or begun_shards(begun)
    check_divided(config, group.size, shards, dataset.train)
    about = describe(config, text, group.size, shards)
    if begun.get("refit") is not None:
        about["refit"] = begun["refit"]
    return Job(config, dataset, text, folder, resumes, about, group=group, shards=shards)


def has_text(dataset: Dataset, given: Mapping[str, Any], text: TextTable | str | None) -> bool:
    """Whether a run with these settings could read language vectors, or must, because some are named."""
    named = {"text.encoder", "text.sources"} & set(given)
    return text is not None or bool(named) or bool(stored_encoders(dataset))


def _encoded(
    dataset: Dataset, config: RunConfig | None, encoder: str, *, progress: bool
) -> RunConfig | None:
    """The settings with this encoder, which has encoded all sources that they read."""
    if config is None or not Model.needs_text(config):
        return config
    from darec.text import encode_dataset

    for source in config.text.sources:
        encode_dataset(dataset, encoder, source=source, progress=progress)
    return config.model_copy(update={"text": config.text.model_copy(update={"encoder": encoder})})
