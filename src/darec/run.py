"""A finished run: its settings, its metrics and its scorer, ready to be evaluated again or to recommend.

The folder of a run::

    config.yaml            every setting, resolved
    dataset/               the dataset, if it was in memory
    run.json               dataset (path, fingerprint), version of darec, origins of parts from outside the package, and
                           the run that darec.refit made it of
    history.jsonl          a line an evaluation
    checkpoints/           the last two, for --resume
    model.safetensors      weights of the best epoch
    scorer.safetensors     what scores: of a trained model [U, d] users and [I, d] items, whose inner product it is
    users-SPLIT.parquet    metrics of each user on valid and test
    failed.txt             the error that a run ended in which a new one may replace
    metrics.json           flat figures; written last, so its presence says that the run is finished
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
import torch

from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DarecWarning, RunError
from darec.evaluation.evaluate import Evaluator, exclusion
from darec.evaluation.result import Evaluation
from darec.files import read_json
from darec.ids.idmap import Id, is_id
from darec.listing.lists import Recommendation, RecommendationList, Recommendations, listed
from darec.registry.origins import change, remembered
from darec.run_folder import FAILED, check_dataset, describe, edited, read_about, run_folder
from darec.scoring import Scorer, TableScorer, check_k, one_history, select
from darec.tabular import html_summary
from darec.types import IntArray, Interactions, Tables


class Run:
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
            folder.finish(self.scorer, self.evaluations(), self.metrics, self.weights)
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
            exclusion(self.dataset, split, mask or settings.mask),
            self.dataset.train,
            ks or settings.ks,
            user_groups=groups,
            item_groups=groups,
            batch_size=settings.batch_size,
        )
        return evaluator.evaluate(self.scorer)

    def evaluations(self) -> dict[str, Evaluation]:
        """The evaluation on each held-out split that has interactions."""
        return {
            split: self.evaluate(split)
            for split in ("valid", "test")
            if len(self.dataset.split(split))
        }

    @overload
    def recommend(  # type: ignore[overload-overlap]  # a text is one id, though iterable
        self,
        users: Id,
        k: int = ...,
        *,
        candidates: Iterable[Id] | None = ...,
        exclude: Iterable[Id] = ...,
        exclude_seen: bool = ...,
    ) -> RecommendationList[Recommendation]: ...

    @overload
    def recommend(
        self,
        users: Iterable[Id] | None = ...,
        k: int = ...,
        *,
        candidates: Iterable[Id] | None = ...,
        exclude: Iterable[Id] = ...,
        exclude_seen: bool = ...,
    ) -> Recommendations: ...

    def recommend(
        self,
        users: Id | Iterable[Id] | None = None,
        k: int = 10,
        *,
        candidates: Iterable[Id] | None = None,
        exclude: Iterable[Id] = (),
        exclude_seen: bool = True,
    ) -> RecommendationList[Recommendation] | Recommendations:
        """The ``k`` best items for known users.

        Args:
            users: one id, several, or None for all users.
            k: how many; a list is shorter where fewer items are left.
            candidates: ids of the items that may be listed; None for all.
            exclude: ids of items that may not.
            exclude_seen: leave out every item that a user has in any split.

        Returns:
            A list for one id; else a table, in the order of the ids.

        Raises:
            DataError: an unknown user or item.
            ConfigError: ``k`` larger than the catalogue, or no item left to list.
        """
        data = self.dataset
        one = users is not None and is_id(users)
        wanted = cast(Iterable[Id], [users] if one else users)
        rows = np.arange(data.n_users) if users is None else data.users.rows(wanted)
        allowed = self._allowed(candidates, exclude)
        check_k(k, data.n_items)
        items, scores = self.scorer.top_k(
            rows,
            k if allowed is None else min(k, len(allowed)),
            candidates=allowed,
            exclude=self._seen if exclude_seen else None,
        )
        if one:
            return listed(data, items[0], scores[0])
        return Recommendations(data, rows, items, scores)

    def recommend_for(
        self, liked: Iterable[Id], k: int = 10, *, exclude_seen: bool = True
    ) -> RecommendationList[Recommendation]:
        """The ``k`` best items for a user known only by items they like.

        How that is scored depends on the scorer (:meth:`darec.scoring.Scorer.for_histories`): for two tables the
        user's row is the mean of those items' unit rows, for an item-item matrix nothing is lost.

        Args:
            liked: ids or titles of items, at least one.
            k: how many.
            exclude_seen: leave out the liked items themselves.

        Raises:
            DataError: an unknown item, or a title that several items have.
            ConfigError: no item, or ``k`` larger than the catalogue.
        """
        rows = np.array(self.dataset.names.rows([liked] if is_id(liked) else liked), np.int64)
        if not len(rows):
            raise ConfigError("no liked items: name at least one.")
        scorer = self.scorer.for_histories(one_history(rows, self.dataset.n_items))
        exclude = _pairs(rows if exclude_seen else rows[:0], self.dataset.n_items)
        items, scores = scorer.top_k(k=k, exclude=exclude)
        return listed(self.dataset, items[0], scores[0])

    def similar(self, item: Id, k: int = 10) -> RecommendationList[Recommendation]:
        """The ``k`` items most similar to one: by the cosine of their rows, or by the entries of a matrix.

        Args:
            item: its id or title.
            k: how many.

        Raises:
            DataError: an unknown item, or a title that several items have.
            ConfigError: ``k`` larger than the catalogue.
        """
        row = np.array([self.dataset.names.row(item)])
        check_k(k, self.dataset.n_items)
        similarities = torch.from_numpy(self.scorer.similarities(row))
        similarities[0, row[0]] = -torch.inf
        ranked = select(similarities, k, self.scorer.ties)
        return listed(self.dataset, ranked.items[0], ranked.scores[0])

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

    @cached_property
    def _seen(self) -> Interactions:
        data = self.dataset
        return data.train.union(data.valid).union(data.test)

    def _allowed(self, candidates: Iterable[Id] | None, exclude: Iterable[Id]) -> IntArray | None:
        """Rows of the items that may be listed; None for all."""
        items = self.dataset.items
        left_out = items.rows(exclude)
        if candidates is None and not len(left_out):
            return None
        rows = np.arange(len(items)) if candidates is None else items.rows(candidates)
        allowed = np.setdiff1d(rows, left_out)
        if not len(allowed):
            raise ConfigError(
                "no item is left to recommend: give more candidates, or exclude fewer."
            )
        return allowed


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


def _pairs(items: IntArray, n_items: int) -> Interactions:
    """One user's items."""
    return Interactions.from_pairs(np.zeros_like(items), items, 1, n_items)
