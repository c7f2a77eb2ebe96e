"""A finished run: its settings, its metrics and its scorer. It can be evaluated again and can recommend.

The folder of a run has these files::

    config.yaml            every setting, with its final value
    dataset/               the dataset, if it was in memory
    run.json               dataset (path, fingerprint), version of darec, origins of parts from outside the package, and
                           the run from which darec.refit or darec.update made it, or its name as a candidate
    auto.json              the candidates, if darec.fit_auto chose the run
    history.jsonl          one line for each evaluation
    checkpoints/           the last two checkpoints, for --resume
    model.safetensors      weights of the best epoch
    scorer.safetensors     the scorer; for a trained model [U, d] users and [I, d] items, scored by inner product
    users-SPLIT.parquet    metrics of each user on valid and test
    README.md              the model card: data, settings, figures, limits, how to load it
    failed.txt             the error of a failed run, which a new run may replace
    metrics.json           metrics by name; written last, so a folder with this file has a finished run
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
from darec.run_folder import FAILED, run_folder
from darec.run_record import check_dataset, describe, edited, read_about
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
        scorer: the learned scorer.
        metrics: metrics by name, such as ``test/recall@20`` and ``seconds_per_epoch``.
        path: its folder; None for a run in memory.
        about: the content of ``run.json``: versions, and hashes of the training inputs.
        weights: weights of the model, for a run in memory; those of a run on disk are in its folder.
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
            dataset: the dataset or its folder, if it has moved since training.

        Raises:
            RunError: there is no run, it is unfinished or damaged, or the dataset is not the one it was trained on.
            ConfigError: a part from outside the package cannot be found again.
        """
        path = Path(path)
        if not (path / "config.yaml").is_file():
            raise RunError(f"no run at {path}: make one with 'darec train DATA --out {path}'.")
        if not (path / "metrics.json").is_file():
            why = "is not finished"
            if (path / FAILED).is_file():
                why = f"failed ({(path / FAILED).read_text().strip()})"
            raise RunError(f"the run at {path} {why}: train it with --resume, or train it again.")
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
            note = f"{path}/config.yaml has changed since the run began."
            warnings.warn(note, DarecWarning, stacklevel=2)
        if (changed := change(remembered(path))) is not None:
            note = f"{changed}: the run at {path} was computed by the earlier code."
            warnings.warn(note, DarecWarning, stacklevel=2)
        return cls(config, dataset, scorer, metrics, path, about=about)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Run:
        """Write the run to a folder, together with its dataset if that is in memory.

        Args:
            path: the folder.
            overwrite: replace an existing run.

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
                raise RunError(f"this run is already at {path}.")
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
            ks: cut-offs; None is those of the configuration.
            mask: ``"train"`` or ``"train+valid"``; None is that of the configuration.
            groups: number of user-activity and item-popularity groups.

        Raises:
            RunError: the run was refitted on every split.
        """
        if self.refit is not None:
            raise RunError(
                f"{self.path or 'this run'} was refitted on every split, so there is no held-out data to evaluate "
                f"it: evaluate {self.refit['run'] or 'the run that it was made from'}."
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
        """Titles of a user's first ``k`` training items."""
        row = self.dataset.users.row(user)
        return [self.dataset.title(int(item)) for item in self.dataset.train.of_user(row)[:k]]

    @property
    def tables(self) -> Tables:
        """[U, d] and [I, d], whose inner product is the score. Raises ``RunError`` if the run scores in another way."""
        if not isinstance(self.scorer, TableScorer):
            raise RunError(
                f"a run with backbone {self.config.backbone.name!r} does not score by two tables: use its scorer."
            )
        return self.scorer.tables

    @property
    def refit(self) -> Mapping[str, Any] | None:
        """The origin of a refitted run (:func:`darec.refit`); None for a run that was evaluated."""
        return self.about.get("refit")

    @property
    def update(self) -> Mapping[str, Any] | None:
        """The origin of an updated run (:func:`darec.update`); None for a run that was trained from the start."""
        return self.about.get("update")

    @property
    def named(self) -> Dataset:
        """Ids, titles and fields, which the dataset has."""
        return self.dataset

    @cached_property
    def seen(self) -> Interactions:
        """The items of each user, in all splits."""
        data = self.dataset
        return data.train.union(data.valid).union(data.test)

    @property
    def learned(self) -> Interactions:
        """The items that each user had when the run was trained."""
        return self.dataset.train

    @property
    def has_language_vectors(self) -> bool:
        """Whether the run reads language vectors, or its dataset has any."""
        return self.config.text.encoder is not None or bool(stored_encoders(self.dataset))

    def item_vectors(self) -> FloatArray:
        """[I, d] vectors by whose cosine items are similar: the dataset's language vectors, or else the item table.

        Raises:
            ConfigError: there is neither of them.
            TextError: the language vectors that the run reads cannot be read.
        """
        if self.has_language_vectors:
            text = stored_text(self.dataset, self.config.text)
            return np.where(text.item_mask[:, None], text.items, np.float32(0))
        vectors = self.scorer.item_vectors()
        if vectors is None:
            raise ConfigError(
                "the similarity of items is unknown: the run has no item table and the dataset has no language "
                "vectors. Run 'darec encode' on it first."
            )
        return vectors


def _home(about: dict[str, Any], path: Path) -> Path:
    """The folder of a run's dataset. Raises ``RunError`` if it is not there."""
    if about["dataset"] is None:
        raise RunError(
            f"the run at {path} was trained on a dataset in memory: save it, and name its folder with --data."
        )
    home: Path = path / about["dataset"]  # unchanged, if absolute
    if not home.is_dir():
        raise RunError(
            f"the dataset of the run at {path} is no longer at {home}: name its folder with --data."
        )
    return home
