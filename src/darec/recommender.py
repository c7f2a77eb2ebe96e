"""An estimator with the interface of scikit-learn, a thin layer over :func:`darec.fit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from sklearn.base import BaseEstimator

from darec.api import fit, load_dataset
from darec.data.dataset import Dataset, is_dataset
from darec.errors import RunError
from darec.ids.idmap import Id
from darec.keywords import KEYS
from darec.listing.lists import Recommendation, RecommendationList, Recommendations
from darec.run import Run
from darec.types import TextTable


class Recommender(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A recommender with ``fit`` and ``recommend``, fitted on a table of interactions.

    The parameters have the names of those of :func:`darec.fit`. A parameter that is None keeps its default there.

    Args:
        backbone: name of the collaborative model. Without it and without an alignment, the recommended settings are
            used.
        alignment: name of the alignment, which uses the items' texts.
        dim: width of the embeddings. For this and the next parameters see :class:`darec.keywords.Keywords`.
        epochs: largest number of passes over the training interactions.
        lr: learning rate.
        batch_size: number of positives in a training step.
        patience: training stops after this number of evaluations without improvement.
        loss: ``bpr`` or ``softmax``.
        encoder: encoder of the language embeddings.
        seed: seed of training, and of the split.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: number of CPU threads.
        settings: further settings by dotted key.
        ratios: shares of each user's interactions for training, for validation, which decides when training ends, and
            for test. They are not used if the interactions have a column ``split``. Test interactions are not used in
            training, so their share is 0 by default.
        progress: show progress on standard error.

    Attributes:
        run_: the fitted run, with its dataset, metrics and ``save``.
    """

    run_: Run

    def __init__(
        self,
        backbone: str | None = None,
        alignment: str | None = None,
        *,
        dim: int | None = None,
        epochs: int | None = None,
        lr: float | None = None,
        batch_size: int | None = None,
        patience: int | None = None,
        loss: str | None = None,
        encoder: str | None = None,
        seed: int | None = None,
        device: str | None = None,
        threads: int | None = None,
        settings: Mapping[str, Any] | None = None,
        ratios: tuple[float, float, float] = (4, 1, 0),
        progress: bool = False,
    ) -> None:
        self.backbone, self.alignment = backbone, alignment
        self.dim, self.epochs, self.lr, self.batch_size = dim, epochs, lr, batch_size
        self.patience, self.loss, self.encoder, self.seed = patience, loss, encoder, seed
        self.device, self.threads = device, threads
        self.settings, self.ratios, self.progress = settings, ratios, progress

    def fit(
        self, X: Any, y: Any = None, *, items: Any = None, text: TextTable | str | None = None
    ) -> Self:
        """Split the interactions and train.

        Args:
            X: interactions in any form that :func:`darec.load_dataset` reads; or a dataset or its folder, whose split
                is kept.
            y: ignored; scikit-learn's pipelines pass it.
            items: the items, if X is not a dataset: a file, a table or texts by id.
            text: language embeddings, or the name of an encoder, such as ``tfidf``, for alignments that read text.

        Raises:
            The errors of :func:`darec.load_dataset` and :func:`darec.fit`.
        """
        data = X
        known = isinstance(X, Dataset) or (isinstance(X, str | Path) and is_dataset(Path(X)))
        if not known or items is not None:
            data = load_dataset(X, items, ratios=self.ratios, seed=self.seed or 0)
        keywords: dict[str, Any] = {name: getattr(self, name) for name in KEYS}
        self.run_ = fit(
            data,
            backbone=self.backbone,
            alignment=self.alignment,
            settings=self.settings,
            text=text,
            progress=self.progress,
            **keywords,
        )
        return self

    def recommend(
        self,
        users: Id | Iterable[Id] | None = None,
        k: int = 10,
        *,
        candidates: Iterable[Id] | None = None,
        exclude: Iterable[Id] = (),
        exclude_seen: bool = True,
    ) -> RecommendationList[Recommendation] | Recommendations:
        """The ``k`` best items for one user, several or all: see :meth:`darec.run.Run.recommend`."""
        return self._fitted.recommend(
            users, k, candidates=candidates, exclude=exclude, exclude_seen=exclude_seen
        )

    def recommend_for(
        self, liked: Iterable[Id], k: int = 10, *, exclude_seen: bool = True
    ) -> RecommendationList[Recommendation]:
        """The ``k`` best items for a new user who likes some items: see :meth:`darec.run.Run.recommend_for`."""
        return self._fitted.recommend_for(liked, k, exclude_seen=exclude_seen)

    def similar(self, item: Id, k: int = 10) -> RecommendationList[Recommendation]:
        """The ``k`` items most similar to one item: see :meth:`darec.run.Run.similar`."""
        return self._fitted.similar(item, k)

    @property
    def _fitted(self) -> Run:
        if not hasattr(self, "run_"):
            raise RunError("this Recommender is not fitted: call fit(interactions) first.")
        return self.run_
