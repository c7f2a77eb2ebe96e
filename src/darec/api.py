"""The public functions: load a dataset, fit a model. What the command line does, a program can do with these."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Unpack

from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset, is_dataset
from darec.errors import ConfigError, DataError, RunError
from darec.fitting import Job, train
from darec.keywords import Keywords, dotted
from darec.model import Model
from darec.processes import current
from darec.recommended import names_parts, recommended
from darec.run import Run
from darec.run_folder import RunFolder, describe, run_folder, stored_config
from darec.runtime import resolve_runtime
from darec.text import stored_encoders
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
    group = current()
    with group.agreeing():
        dataset = as_dataset(data)
        named = {"backbone": backbone, "alignment": alignment}
        given = {key: name for key, name in named.items() if name is not None}
        given |= dotted(keywords) | dict(settings or {})
        if config is not None and given:
            raise ConfigError("give either config or backbone, alignment and settings, not both.")
        if out is None and group.size > 1:
            raise ConfigError(
                "several processes train into a folder, from which all of them read the run: give --out."
            )
    with ExitStack() as stack:
        with group.agreeing():
            folder = stack.enter_context(run_folder(out)) if group.leads else None
        with group.agreeing():
            job, plan = None, None
            if group.leads:
                resumes = folder is not None and folder.admit(resume=resume, overwrite=overwrite)
                job = _resolve(
                    dataset, given, config, text, folder, resumes=resumes, progress=progress
                )
                plan = _plan(job)
        plan = group.told(plan)
        with group.agreeing():
            if job is None:
                job = _followed(plan, dataset, text)
        if plan["finished"]:
            return Run.load(folder.path if folder else plan["folder"], dataset=job.dataset)
        return train(job, progress=progress, tensorboard=tensorboard)


def _plan(job: Job) -> dict[str, Any]:
    """What the leader of several processes tells the others of a job."""
    folder = job.folder
    return {
        "config": job.config.model_dump(mode="json"),
        "about": job.about,
        "resumes": job.resumes,
        "finished": folder is not None and job.resumes and folder.finished,
        "folder": str(folder.path.resolve()) if folder else None,
        "refit": bool(job.about.get("refit")),
        "fingerprint": job.dataset.fingerprint() if job.group.size > 1 else None,
    }


def _followed(plan: Mapping[str, Any], dataset: Dataset, text: TextTable | str | None) -> Job:
    """The leader's job, with this process's own data.

    Raises:
        ConfigError: another version of darec or torch.
        DataError: another dataset, or other language vectors.
    """
    group, about = current(), plan["about"]
    where = f"process {group.rank} of {group.size}"
    config = resolve_config(plan["config"])
    if plan["refit"]:
        dataset = dataset.merged()
    given = text if isinstance(text, TextTable) else None
    config, text = resolve_runtime(config, dataset, given)
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
    return Job(config, dataset, text, None, plan["resumes"], about, group=group)


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
