"""A finished run: its settings, its metrics and its scorer, ready to be evaluated again or to recommend.

The folder of a run::

    config.yaml            every setting, resolved
    dataset/               the dataset, if it was in memory
    run.json               dataset (path, fingerprint), version of darec, origins of parts from outside the package, and
                           the run that darec.refit or darec.update made it of, or the candidate that it was
    auto.json              what was tried, where the run was chosen by darec.fit_auto
    history.jsonl          a line an evaluation
    checkpoints/           the last two, for --resume
    model.safetensors      weights of the best epoch
    scorer.safetensors     what scores: of a trained model [U, d] users and [I, d] items, whose inner product it is
    users-SPLIT.parquet    metrics of each user on valid and test
    README.md              the model card: data, settings, figures, limits, how to load it
    failed.txt             the error that a run ended in which a new one may replace
    metrics.json           flat figures; written last, so its presence says that the run is finished
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DarecWarning, RunError
from darec.evaluation.evaluate import Evaluator, exclusion
from darec.evaluation.result import Evaluation
from darec.files import read_json
from darec.ids.idmap import Id
from darec.listing.recommending import Recommending
from darec.model_card import model_card
from darec.registry.origins import change, remembered
from darec.run_folder import FAILED, check_dataset, describe, edited, read_about, run_folder
from darec.runtime import stored_text
from darec.scoring import Scorer, TableScorer
from darec.tabular import html_summary
from darec.text.load import stored_encoders
from darec.types import FloatArray, Interactions, Tables


class Run(Recommending):
    """A trained recommender over a dataset.

    Attributes:
        config: every setting.
        dataset: the data it was trained on.
        scorer: what it has learned.
        metrics: flat figures, such as ``test/recall@20`` and ``seconds_per_epoch``.
        path: its folder; None for a run kept in memory.
        about: what is in ``run.json``: versions, and hashes of what it was trained with.
        weights: of the model, for a run kept in memory; those of one on disk are there.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        scorer: Scorer,
        metrics: dict[str, Any],
        path: Path | None = None,
        *,
        about: Mapping[str, Any] | None = None,
        weights: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        self.config, self.dataset, self.scorer = config, dataset, scorer
        self.metrics, self.path = metrics, path
        self.about = dict(about) if about is not None else describe(config)
        self.weights = None if path else weights

    def __repr__(self) -> str:
        names = f"{self.config.backbone.name} + {self.config.alignment.name}"
        where = f" at {self.path}" if self.path else ""
        return f"<Run {names} on {self.dataset.n_users:,} users x {self.dataset.n_items:,} items{where}>"

    def _repr_html_(self) -> str:
        metrics = [
            name for name in self.metrics if name.startswith("test/") and name.count("/") == 1
        ]
        figures = {name: f"{self.metrics[name]:.4f}" for name in metrics}
        return html_summary(repr(self).strip("<>"), figures)

    @classmethod
    def load(cls, path: str | Path, *, dataset: Dataset | str | Path | None = None) -> Run:
        """Read a finished run.

        Args:
            path: its folder.
            dataset: the dataset, or where it is now, if it has moved since training.

        Raises:
            RunError: no run there, an unfinished or damaged one, or another dataset than it was trained on.
            ConfigError: a part from outside the package that cannot be found again.
        """
        path = Path(path)
        if not (path / "config.yaml").is_file():
            raise RunError(f"no run at {path}: make one with 'darec train DATA --out {path}'.")
        if not (path / "metrics.json").is_file():
            why = "is not finished"
            if (path / FAILED).is_file():
                why = f"failed ({(path / FAILED).read_text().strip()})"
            raise RunError(f"the run at {path} {why}: train it with --resume, or anew.")
        config = resolve_config(file=path / "config.yaml")
        try:
            about = read_about(path)
            metrics = read_json(path / "metrics.json")
            scorer = Scorer.load(path / "scorer.safetensors")
        except (OSError, ValueError, KeyError, RunError) as error:
            raise RunError(f"the run at {path} is damaged ({error}): train it again.") from error
        if not isinstance(dataset, Dataset):
            dataset = Dataset.load(dataset or _home(about, path))
        if about.get("refit"):
            dataset = dataset.merged()
        check_dataset(about, dataset, path)
        if edited(path, about):
            note = f"{path}/config.yaml has changed since the run was begun."
            warnings.warn(note, DarecWarning, stacklevel=2)
        if (changed := change(remembered(path))) is not None:
            note = f"{changed}: the run at {path} holds what the earlier code computed."
            warnings.warn(note, DarecWarning, stacklevel=2)
        return cls(config, dataset, scorer, metrics, path, about=about)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Run:
        """Write the run as a folder, and its dataset into it if that is in memory.

        Args:
            path: the folder.
            overwrite: replace a run that is there.

        Returns:
            The run, on disk.

        Raises:
            RunError: ``path`` holds something else.
            FolderError: another process writes it, or it cannot be written.
        """
        with run_folder(path) as folder:
            assert folder is not None
            folder.admit(resume=False, overwrite=overwrite)
            if self.path is not None and self.path.resolve() == folder.path.resolve():
                raise RunError(f"this run is at {path} already.")
            dataset = folder.begin(self.config, self.dataset, self.about)
            for name in ("model.safetensors", "history.jsonl"):
                if self.path is not None and (self.path / name).is_file():
                    shutil.copyfile(self.path / name, folder.path / name)
            card = model_card(self.config, dataset, self.metrics, self.about)
            evaluations = self.evaluations()
            folder.finish(self.scorer, evaluations, self.metrics, self.weights, card=card)
        return Run(self.config, dataset, self.scorer, self.metrics, Path(path), about=self.about)

    def evaluate(
        self,
        split: str = "test",
        *,
        ks: tuple[int, ...] | None = None,
        mask: str | None = None,
        groups: int = 3,
    ) -> Evaluation:
        """Rank the whole catalogue for every user and compare with a held-out split.

        Args:
            split: ``"test"`` or ``"valid"``.
            ks: cut-offs; those of the configuration by default.
            mask: ``"train"`` or ``"train+valid"``; likewise.
            groups: number of user-activity and item-popularity groups.

        Raises:
            RunError: the run was refitted on every split.
        """
        if self.refit is not None:
            raise RunError(
                f"{self.path or 'this run'} was refitted on every split, so nothing is held out to evaluate it on: "
                f"evaluate {self.refit['run'] or 'the run that it was made from'}."
            )
        settings = self.config.evaluation
        evaluator = Evaluator(
            self.dataset.split(split),
            exclusion(self.dataset, split, settings.mask if mask is None else mask),
            self.dataset.train,
            settings.ks if ks is None else ks,
            user_groups=groups,
            item_groups=groups,
            batch_size=settings.batch_size,
        )
        return evaluator.evaluate(self.scorer)

    def evaluations(self, splits: Iterable[str] | None = None) -> dict[str, Evaluation]:
        """The evaluation on each held-out split that has interactions, or on those of ``splits``."""
        return {
            split: self.evaluate(split)
            for split in (splits or ("valid", "test"))
            if len(self.dataset.split(split))
        }

    def liked(self, user: Id, k: int | None = None) -> list[str]:
        """Titles of a user's training items, the first ``k``."""
        row = self.dataset.users.row(user)
        return [self.dataset.title(int(item)) for item in self.dataset.train.of_user(row)[:k]]

    @property
    def tables(self) -> Tables:
        """[U, d] and [I, d], whose inner product is the score. Raises ``RunError`` if the run scores otherwise."""
        if not isinstance(self.scorer, TableScorer):
            raise RunError(
                f"a run with backbone {self.config.backbone.name!r} scores by other than two tables: use its scorer."
            )
        return self.scorer.tables

    @property
    def refit(self) -> Mapping[str, Any] | None:
        """What a refitted run was made from (:func:`darec.refit`); None for one that was evaluated."""
        return self.about.get("refit")

    @property
    def update(self) -> Mapping[str, Any] | None:
        """What an updated run was made from (:func:`darec.update`); None for one that was trained from the start."""
        return self.about.get("update")

    @property
    def named(self) -> Dataset:
        """Ids, titles and fields: the dataset."""
        return self.dataset

    @cached_property
    def seen(self) -> Interactions:
        """What each user has, in any split."""
        data = self.dataset
        return data.train.union(data.valid).union(data.test)

    @property
    def learned(self) -> Interactions:
        """What each user had when the run was trained."""
        return self.dataset.train

    @property
    def has_language_vectors(self) -> bool:
        """Whether the run reads language vectors of its dataset, or the dataset has such."""
        return self.config.text.encoder is not None or bool(stored_encoders(self.dataset))

    def item_vectors(self) -> FloatArray:
        """[I, d] vectors by whose cosine items are alike: the dataset's language vectors, else the item table.

        Raises:
            ConfigError: neither is there.
            TextError: the language vectors that the run reads cannot be read.
        """
        if self.has_language_vectors:
            text = stored_text(self.dataset, self.config.text)
            return np.where(text.item_mask[:, None], text.items, np.float32(0))
        vectors = self.scorer.item_vectors()
        if vectors is None:
            raise ConfigError(
                "how alike items are is not known: the run has no item table and the dataset no language vectors. Run "
                "'darec encode' on it first."
            )
        return vectors


def _home(about: dict[str, Any], path: Path) -> Path:
    """Where the dataset of a run was; ``RunError`` if it is not there."""
    if about["dataset"] is None:
        raise RunError(
            f"the run at {path} was trained on a dataset in memory: save it, and name its folder with --data."
        )
    home: Path = path / about["dataset"]  # as it is, if absolute
    if not home.is_dir():
        raise RunError(
            f"the dataset of the run at {path} is not at {home} any more: name its folder with --data."
        )
    return home
