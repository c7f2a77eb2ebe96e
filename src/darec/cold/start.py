"""Recommendations of a finished run for new items, and for new users who are known by liked items or by words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from scipy import sparse

from darec.cold.evaluate import cold_part, evaluate_cold
from darec.cold.items import NewItems, read_new_items
from darec.cold.maps import MAPS, RidgeMap, TextMap
from darec.cold.text import RunText
from darec.errors import ConfigError, RunError, TextError, did_you_mean
from darec.evaluation.result import Evaluation
from darec.graph import Graph, SharedText, shared_text
from darec.ids.idmap import Id, IdMap, is_id
from darec.ids.names import ItemNames
from darec.listing.lists import Recommendation, RecommendationList
from darec.run import Run
from darec.scoring import Scorer, check_k, one_history
from darec.scoring.extending import extended, folded, new_items, tables_of, text_weights
from darec.scoring.mixing import WORDS, mixed, unit
from darec.types import FloatArray, IntArray, Interactions

LEAST: Final = 3  # least number of warm items to fit a map
NAMES: Final = ("text", "title")


@dataclass(frozen=True, repr=False)
class ColdRecommendation(Recommendation):
    """One recommended item, new or not.

    Attributes:
        new: whether the item is new to the run.
    """

    new: bool


class ColdStart:
    """Computes the vectors of new items from their text.

    If a run scores by tables, a map from text to the item vectors is fitted on the warm items, which have text and
    training interactions (:mod:`darec.cold.maps`). The map is fitted in the same way for every backbone and alignment.
    If all warm rows have the same length (a run that scores by cosine), the new rows get this length. If a run has an
    item-item matrix, a new item's entries are weighted means of those of its nearest warm items in text
    (:mod:`darec.scoring.extending`). If a method is called before :meth:`fit`, ``fit()`` without new items is called
    first.

    Args:
        run: a finished run on an encoded dataset. Its own text sources are read.
        how: ``ridge``, ``neighbours`` or ``shared``, see :mod:`darec.cold.maps`. For a matrix, ``shared`` finds
            neighbours by the shared part of the text, and the other two by the whole text.
        device: device of a neural encoder.

    Attributes:
        items_: the new items.
        rows_: [n, d] float32, their rows for the run's tables; [n, 0] if it has no tables.
        map_: the fitted map; ``map_.explained_`` is the share of the warm rows' variance that text explains. None
            without tables.
        relative_length_: mean length of the new rows divided by that of the warm rows; 1 without tables.
        notices_: sentences about assumptions.
        names_: finds items, warm and new, by id or title.
        text_: the text that the run reads.
        warm_: rows of the warm items.
        length_: length of every row if all warm rows have the same length; else None.
    """

    text_: RunText
    warm_: IntArray
    length_: float | None
    items_: NewItems
    rows_: FloatArray
    map_: TextMap | None
    relative_length_: float
    notices_: tuple[str, ...]
    names_: ItemNames

    def __init__(self, run: Run, *, how: str = "ridge", device: str = "cpu") -> None:
        if how not in MAPS:
            raise ConfigError(
                f"unknown map {how!r} from text to item vectors: {did_you_mean(how, MAPS)}"
            )
        self.run, self.how, self.device = run, how, device
        self._shared: SharedText | None = None

    def fit(
        self,
        items: Any = None,
        *,
        id_column: str | None = None,
    ) -> Self:
        """Fit the map on the warm items and compute the rows of new items.

        Args:
            items: file or table of new items (see :func:`read_new_items`). With None there are no new items, and the
                catalogue is recommended.
            id_column: name of the id's column, if it is not that of the import.

        Raises:
            DataError: new items cannot be used.
            TextError: there are no stored language vectors, or the encoder cannot encode new texts.
            RunError: there are too few warm items with text.
        """
        data = self.run.dataset
        new = NewItems("", [], [], [])
        if items is not None:
            new = read_new_items(data, items, id_column=id_column)
        text = RunText(self.run, device=self.device)
        warm = np.flatnonzero(text.known & (data.train.item_degree > 0))
        if len(warm) < LEAST:
            raise RunError(
                f"{len(warm)} items of {data.path or 'the dataset'} have both text and training interactions: too "
                "few to learn a map from text to item vectors."
            )
        self.text_, self.warm_, self._shared, self.map_ = text, warm, None, None
        self.length_ = None
        tables = tables_of(self.run.scorer)
        if tables is not None:
            rows = tables.tables.items.float()
            lengths = torch.linalg.vector_norm(rows, dim=1)[warm]
            self._length = float(lengths.mean())
            self._equal = bool((lengths - self._length).abs().max() <= 1e-3 * self._length)
            self.length_ = self._length if self._equal else None
            self.map_ = MAPS[self.how](self._shared_text).fit(text.items[warm], rows.numpy()[warm])
        self.items_, self.notices_ = new, new.notices
        self._ids = IdMap("item", [*data.items.texts, *new.ids], data.items.type)
        self.names_ = ItemNames(self._ids.texts, [*data.titles, *map(new.title, range(len(new)))])
        vectors = self._vectors(new.texts, new.titles)
        self.rows_ = self._mapped(vectors)
        self.relative_length_ = 1.0
        if self.map_ is not None and len(new):
            self.relative_length_ = float(np.linalg.norm(self.rows_, axis=1).mean()) / self._length
        old = np.where(text.known[:, None], text.items, np.float32(0))
        self._unit_texts = unit(np.concatenate([old, vectors]))
        self._scorer = extended(
            self.run.scorer, self.rows_, self._weights(vectors), self._ids.tie_order
        )
        return self

    @property
    def linear_(self) -> tuple[FloatArray, FloatArray]:
        """[d, d_L] coefficients and [d] intercept of the map, which is ``ridge``."""
        self._fitted()
        assert isinstance(self.map_, RidgeMap)
        return self.map_.coef_, self.map_.intercept_

    def transform(
        self, texts: Sequence[str | None], titles: Sequence[str | None] | None = None
    ) -> FloatArray:
        """[n, d] float32 rows for texts in the form of the catalogue's texts.

        Args:
            texts: n texts.
            titles: n titles, for runs that read titles; None uses the texts.

        Raises:
            TextError: the encoder finds nothing in a text.
        """
        self._fitted()
        return self._mapped(self._vectors(texts, titles))

    def _vectors(
        self, texts: Sequence[str | None], titles: Sequence[str | None] | None
    ) -> FloatArray:
        """[n, d_L] vectors of the texts. Raises ``TextError`` if the encoder finds nothing in one."""
        if not len(texts):
            return np.zeros((0, self.text_.items.shape[1]), np.float32)
        vectors, found = self.text_.encode(texts, texts if titles is None else titles)
        empty = np.flatnonzero(~found)
        if len(empty):
            raise TextError(
                f"the encoder finds no known word in {texts[empty[0]]!r} ({len(empty)} such texts): leave such "
                "items out, or write words that occur in the catalogue's texts."
            )
        return vectors

    def evaluate(self, split: str = "test", ks: Sequence[int] | None = None) -> Evaluation:
        """Rank the held-out items of a ``cold-items`` split for every user who has one of them.

        A held-out item without text gets the mean text vector of the catalogue.

        Args:
            split: ``test``, or ``valid`` to choose settings by.
            ks: cut-offs. With None, those of the run that are not above the number of cold items.

        Raises:
            ConfigError: a cut-off is above the number of cold items.
            DataError: the dataset has no held-out items.
        """
        self._fitted()
        part = cold_part(self.run.dataset, split)
        most = len(part.catalogue)
        if ks is None:
            ks = [k for k in self.run.config.evaluation.ks if k <= most] or [max(most, 1)]
        vectors, _ = self.text_.encode(*(part.catalogue[name].to_list() for name in NAMES))
        ids = IdMap("item", part.catalogue["item_id"].to_list())
        rows, weights = self._mapped(vectors), self._weights(vectors)
        return evaluate_cold(new_items(self.run.scorer, rows, weights, ids.tie_order), part, ks)

    def _fitted(self) -> None:
        """Fit without new items, if nothing was fitted yet."""
        if not hasattr(self, "map_"):
            self.fit()

    def _shared_text(self) -> SharedText:
        """The part of the run's text that is shared with its training interactions."""
        if self._shared is None:
            items, known = (torch.from_numpy(rows) for rows in (self.text_.items, self.text_.known))
            self._shared = shared_text(items, known, Graph(self.run.dataset.train))
        return self._shared

    def _mapped(self, vectors: FloatArray) -> FloatArray:
        """Map text vectors to rows, scaled to the length of the warm rows if these have the same length."""
        if self.map_ is None:
            return np.zeros((len(vectors), 0), np.float32)
        if not len(vectors):
            tables = tables_of(self.run.scorer)
            return np.zeros((0, tables.width if tables else 0), np.float32)
        rows = self.map_.predict(vectors)
        if self._equal:
            lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            rows = rows * (self._length / lengths)
        return np.asarray(rows, np.float32)

    def _weights(self, vectors: FloatArray) -> sparse.csr_array:
        """[n, I] weights of the warm items for texts, for a matrix."""
        warm, new = torch.from_numpy(self.text_.items[self.warm_]), torch.from_numpy(vectors)
        if self.how == "shared" and (shared := self._shared_text()).directions.shape[1]:
            warm, new = shared.part(warm).float(), shared.part(new).float()
        return text_weights(self.warm_, warm, new, self.run.dataset.n_items)

    def recommend(
        self, user: Id, k: int = 10, *, with_warm: bool = False, exclude_seen: bool = True
    ) -> RecommendationList[ColdRecommendation]:
        """The ``k`` best new items for a known user.

        Args:
            user: the user's id.
            k: largest number of items.
            with_warm: rank the new items together with the catalogue. Both are scored by the same user's row, but rows
                from a map are closer to the mean than learned rows: see ``relative_length_``.
            exclude_seen: leave out items that the user has in any split.

        Raises:
            DataError: the user is unknown.
            ConfigError: ``k`` is below 1, or above the number of items if the catalogue is ranked.
        """
        self._fitted()
        row = self.run.dataset.users.row(user)
        seen = np.concatenate(
            [self.run.dataset.split(name).of_user(row) for name in ("train", "valid", "test")]
        )
        return self._ranked(self._scorer, row, seen if exclude_seen else seen[:0], k, with_warm)

    def recommend_for(
        self,
        liked: Iterable[Id],
        k: int = 10,
        *,
        with_warm: bool = False,
        exclude_seen: bool = True,
    ) -> RecommendationList[ColdRecommendation]:
        """The ``k`` best new items for a new user who is known by liked items, from the catalogue or new.

        The scores depend on the scorer, as in :meth:`darec.run.Run.recommend_for`.

        Args:
            liked: ids or titles of items, at least one.
            k: largest number of items.
            with_warm: see :meth:`recommend`.
            exclude_seen: leave out the liked items themselves.
        """
        self._fitted()
        rows = np.array(self.names_.rows([liked] if is_id(liked) else liked), np.int64)
        if not len(rows):
            raise ConfigError("no liked items: name at least one.")
        history = one_history(rows, self._scorer.n_items)
        scorer = self._scorer.for_histories(history)
        return self._ranked(scorer, 0, rows if exclude_seen else rows[:0], k, with_warm)

    def recommend_about(
        self, text: str, k: int = 10, *, with_warm: bool = False, text_weight: float = WORDS
    ) -> RecommendationList[ColdRecommendation]:
        """The ``k`` best new items for a new user who is known by words.

        The words are treated as the text of one liked item. The learned scores of such a user are mixed with the cosine
        of each item's text with the words (:func:`darec.scoring.mixing.mixed`).

        Args:
            text: words that say what the user likes, as in the catalogue's texts.
            k: largest number of items.
            with_warm: see :meth:`recommend`.
            text_weight: weight of the cosines, 0 to 1; see docs/studies/about.md.

        Raises:
            TextError: the encoder finds nothing in the words.
            ConfigError: the weight is not in [0, 1], or as in :meth:`recommend`.
        """
        if not 0 <= text_weight <= 1:
            raise ConfigError(f"text_weight {text_weight:g}: must be from 0 to 1.")
        self._fitted()
        words = self._vectors([text], None)
        nobody, n = np.zeros(0, np.int64), self._scorer.n_items
        weights = self._weights(words)
        weights = sparse.csr_array((weights.data, weights.indices, weights.indptr), (1, n))
        history = one_history(np.array([n]), n + 1)
        learned = folded(self._scorer, self._mapped(words), weights, history)
        scorer = mixed(learned, 0, self._unit_texts, nobody, words, text_weight)
        return self._ranked(scorer, 0, nobody, k, with_warm)

    def _ranked(
        self, scorer: Scorer, user: int, exclude: IntArray, k: int, with_warm: bool
    ) -> RecommendationList[ColdRecommendation]:
        """The new items or all items; the catalogue if there are no new items."""
        n_warm, n_new = self.run.dataset.n_items, len(self.items_)
        alone = bool(n_new) and not with_warm
        check_k(k, max(k, 1))
        candidates = np.arange(n_warm if alone else 0, n_warm + n_new)
        pairs = Interactions.from_pairs(
            np.full_like(exclude, user), exclude, scorer.n_users, scorer.n_items
        )
        rows, scores = scorer.top_k(
            np.array([user]), min(k, len(candidates)) if alone else k, candidates, pairs
        )
        listed = (
            ColdRecommendation(
                rank,
                self._ids.ids[row],
                self.items_.title(row - n_warm) if row >= n_warm else self.run.dataset.title(row),
                float(score),
                new=bool(row >= n_warm),
            )
            for rank, (row, score) in enumerate(zip(rows[0].tolist(), scores[0], strict=True), 1)
            if row >= 0
        )
        return RecommendationList(listed, kind=ColdRecommendation)
