"""The folder of a run during training: check whether it is free, resume it, and clean up after a failure.

:mod:`darec.run` lists the files of a finished run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from safetensors.torch import save
from torch import Tensor

from darec.backbones.blocks import BLOCKS
from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, FolderError, RunError
from darec.evaluation.result import Evaluation
from darec.files import is_free, write_atomic, write_json
from darec.lock import Lock, locked
from darec.model_card import CARD, is_card
from darec.overrides import flatten
from darec.processes import LostError
from darec.registry.origins import change, remembered
from darec.run_record import check_dataset, digest, edited, read_about, stored_config
from darec.runtime import resolve_runtime
from darec.scoring import Scorer
from darec.types import TextTable

DATASET: Final = "dataset"
"""Folder of a dataset that was in memory when the run began."""
FAILED: Final = "failed.txt"
SEARCH: Final = "auto.json"
"""Record of a search for the best of several runs (:mod:`darec.automatic`)."""
CANDIDATES: Final = "candidates"
"""Folders of the candidates during the search."""
_OWN: Final = (
    "run.json",
    "config.yaml",
    "history.jsonl",
    "metrics.json",
    FAILED,
    "*.safetensors",
    "users-*.parquet",
    "checkpoints",
    BLOCKS,
    "tensorboard",
    DATASET,
    SEARCH,
    CANDIDATES,
    ".*.partial",
)
"""Files that a run writes."""


class RunFolder:
    """A folder of a run that is locked against other processes.

    Args:
        path: the folder.
        lock: lock of the folder, which is held.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path, self.lock = path, lock
        self._written = False  # by this process

    @property
    def finished(self) -> bool:
        """Whether the folder has a finished run."""
        return (self.path / "metrics.json").is_file()

    def about(self) -> dict[str, Any]:
        """The content of ``run.json``; empty if there is none."""
        return read_about(self.path) if (self.path / "run.json").is_file() else {}

    def admit(self, *, resume: bool, overwrite: bool) -> bool:
        """Whether to continue a run in the folder. False means that a new run may begin.

        A run that ended with an error does not prevent a new one.

        Raises:
            ConfigError: both ``resume`` and ``overwrite`` are given.
            RunError: the folder has content that must not be changed.
        """
        if resume and overwrite:
            raise ConfigError("--resume continues a run and --overwrite replaces it: choose one.")
        if is_free(self.path):
            return False
        if (self.path / SEARCH).is_file() and not self.finished:
            if overwrite:
                return False
            raise RunError(
                f"{self.path} holds an interrupted search: continue it with --auto and --resume, or pass "
                "--overwrite to replace it."
            )
        if not (self.path / "run.json").is_file():
            raise RunError(
                f"{self.path} holds files that do not belong to a run: choose another --out."
            )
        if stored_config(self.path) is None:  # killed at its beginning
            return False
        if not (resume or overwrite or (self.path / FAILED).is_file()):
            raise RunError(
                f"{self.path} holds another run: choose another --out, pass --resume to continue it, or "
                "--overwrite to replace it."
            )
        return resume

    def begin(
        self,
        config: RunConfig,
        dataset: Dataset,
        about: Mapping[str, Any],
        *,
        whole: Dataset | None = None,
        keep: Sequence[Path] = (),
    ) -> Dataset:
        """Prepare the folder for a new run. config.yaml is written last, because it marks the folder as that of a run.

        Args:
            config: every setting.
            dataset: the training data; a dataset in memory is written into the folder.
            about: from :func:`~darec.run_record.describe`, for this run or for a run that is copied here.
            whole: the dataset with its splits, if ``dataset`` has them merged. It is written into the folder.
            keep: files of an earlier run or a search that are kept.

        Returns:
            The dataset, on disk.
        """
        home = dataset.path.resolve() if dataset.path else self.path.resolve() / DATASET
        self._written = True
        self.clear(keep=(home, *keep))
        inside = home.is_relative_to(self.path.resolve())
        place = home.relative_to(self.path.resolve()) if inside else home
        settings = config.to_yaml()
        known = {
            "dataset": str(place),
            "fingerprint": dataset.fingerprint(),
            "config": digest(settings.encode()),
        }
        write_json(self.path / "run.json", {**about, **known})
        if dataset.path is None:
            saved = (whole or dataset).save(self.path / DATASET, overwrite=True)
            dataset = saved if whole is None else saved.merged()
        write_atomic(self.path / "config.yaml", settings)
        return dataset

    def resume(
        self, config: RunConfig | None, dataset: Dataset, text: TextTable | None
    ) -> tuple[RunConfig, Dataset, TextTable | None]:
        """Settings, dataset and text of the run in the folder.

        Args:
            config: the settings given now; None accepts those of the run.
            dataset: the dataset given now; a dataset in memory is replaced by the copy in the run's folder.
            text: language embeddings; None is the stored ones.

        Raises:
            RunError: the run began with other inputs.
        """
        path = self.path
        stored = resolve_config(file=path / "config.yaml")
        about = self.about()
        if edited(path, about):
            raise RunError(
                f"{path}/config.yaml has changed since the run began: restore the earlier one, or choose another "
                "--out."
            )
        if about.get("refit"):
            dataset = dataset.merged()
        check_dataset(about, dataset, path)
        if dataset.path is None and (path / DATASET).is_dir():
            dataset = Dataset.load(path / DATASET)
            dataset = dataset.merged() if about.get("refit") else dataset
        if not self.finished and (changed := change(remembered(path))) is not None:
            raise RunError(
                f"{path} cannot be continued: {changed}. Restore the earlier one, or choose another --out."
            )
        if config is not None:
            asked = flatten(resolve_runtime(config, dataset, text)[0].model_dump(mode="json"))
            for key, value in flatten(stored.model_dump(mode="json")).items():
                if asked.get(key, value) != value or key not in asked:
                    raise RunError(
                        f"{path} began with {key}={value}, not {asked.get(key)}: choose another --out, or resume "
                        "without settings."
                    )
        config, text = resolve_runtime(stored, dataset, text)
        if about["text"] != (text.fingerprint() if text else None):
            raise RunError(
                f"the language vectors {config.text.encoder!r} have changed since the run at {path} began: encode "
                "with the same inputs as then, or train again."
            )
        if not self.finished:
            self._written = True
            (path / FAILED).unlink(missing_ok=True)
        return config, dataset, text

    def leave(self, error: Exception) -> None:
        """Make sure that a failed run does not prevent the next one.

        If no epoch was stored, all files of the run are deleted. Otherwise the error is recorded, and a new run may
        replace it.
        """
        if not self._written or (self.path / SEARCH).is_file():
            return
        self.lock.check()
        if any((self.path / "checkpoints").glob("epoch-*")):
            write_atomic(self.path / FAILED, f"{error}\n")
        else:
            self.clear()

    def finish(
        self,
        scorer: Scorer,
        evaluations: Mapping[str, Evaluation],
        metrics: Mapping[str, Any],
        weights: Mapping[str, Tensor] | None = None,
        *,
        card: str,
    ) -> None:
        """Write the files of a finished run. metrics.json is written last, because it marks the run as finished.

        Only after that, the finished blocks of a long computation are deleted.

        Args:
            scorer: the learned scorer.
            evaluations: evaluations by split.
            metrics: metrics by name.
            weights: weights of the model, if training has not already written them.
            card: from :func:`darec.model_card.model_card`; a README.md that darec did not write is kept.
        """
        self.lock.check()
        for split, evaluation in evaluations.items():
            evaluation.save(self.path / f"users-{split}.parquet")
        if weights is not None:
            whole = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
            write_atomic(self.path / "model.safetensors", save(whole))
        scorer.save(self.path / "scorer.safetensors")
        if is_card(self.path / CARD) or not (self.path / CARD).exists():
            write_atomic(self.path / CARD, card)
        write_json(self.path / "metrics.json", metrics)
        shutil.rmtree(self.path / BLOCKS, ignore_errors=True)

    def clear(self, keep: Sequence[Path] = ()) -> None:
        """Delete the files that a run or a search has written, except those in ``keep``. Other files stay."""
        cards = [self.path / CARD] if is_card(self.path / CARD) else []
        for entry in [*cards, *(found for pattern in _OWN for found in self.path.glob(pattern))]:
            if any(path.resolve().is_relative_to(entry.resolve()) for path in keep):
                continue
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


@contextmanager
def run_folder(path: str | Path | None) -> Iterator[RunFolder | None]:
    """The folder of a run during its training; None for a run in memory.

    A run that the machine interrupts (a full disk, too little memory, Ctrl-C, a kill of this or another process) is
    kept, so that it can be resumed. For other failures, see :meth:`RunFolder.leave`.

    Raises:
        FolderError: another process writes it, or it cannot be written.
    """
    if path is None:
        yield None
        return
    with locked(Path(path)) as lock:
        folder = RunFolder(Path(path), lock)
        try:
            yield folder
        except (OSError, MemoryError, FolderError, LostError):
            raise
        except Exception as error:
            folder.leave(error)
            raise
