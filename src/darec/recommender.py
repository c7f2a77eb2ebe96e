"""An estimator in the manner of scikit-learn, a thin layer over :func:`darec.fit`."""

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
    """A recommender that is fitted on a table of interactions.

    The parameters are those of :func:`darec.fit`, by the same names; a parameter that is None keeps its default there.

    Args:
        backbone: name of the collaborative model; without it and an alignment, the recommended settings hold.
        alignment: name of the alignment, which brings the items' texts in.
        dim: see :class:`darec.keywords.Keywords`, as for those to ``threads``.
        epochs: likewise.
        lr: likewise.
        batch_size: likewise.
        patience: likewise.
        loss: likewise.
        encoder: likewise.
        seed: likewise; it also draws the split.
        device: likewise.
        threads: likewise.
        settings: further settings by dotted key.
        ratios: shares of each user's interactions for training, for validation, which decides when training ends, and
            for test, unless the interactions have a column ``split``. What is tested on is not trained on, so the last
            is 0 by default.
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
        """Split the interactions and train on them.

        Args:
            X: interactions, as :func:`darec.load_dataset` takes them; or a dataset or the folder of one, whose split is
                kept.
            y: not used; scikit-learn's pipelines pass it.
            items: the items, for interactions that are no dataset yet: a file, a table or texts by id.
            text: language embeddings, or the name of an encoder, such as ``tfidf``, for alignments that read text.

        Raises:
            As :func:`darec.load_dataset` and :func:`darec.fit`.
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
        """The ``k`` best items for somebody who likes some: see :meth:`darec.run.Run.recommend_for`."""
        return self._fitted.recommend_for(liked, k, exclude_seen=exclude_seen)

    def similar(self, item: Id, k: int = 10) -> RecommendationList[Recommendation]:
        """The ``k`` items most similar to one: see :meth:`darec.run.Run.similar`."""
        return self._fitted.similar(item, k)

    @property
    def _fitted(self) -> Run:
        if not hasattr(self, "run_"):
            raise RunError("this Recommender is not fitted: call fit(interactions) first.")
        return self.run_
