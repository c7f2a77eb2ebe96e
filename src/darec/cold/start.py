"""A finished run for items that it has never met, and for users who are known by items or words alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from torch.nn import functional as F

from darec.cold.evaluate import cold_part, evaluate_cold
from darec.cold.items import NewItems, read_new_items
from darec.cold.maps import MAPS, TextMap
from darec.cold.text import RunText
from darec.errors import ConfigError, RunError, TextError, did_you_mean
from darec.evaluation.result import Evaluation
from darec.graph import Graph, SharedText, shared_text
from darec.ids.idmap import Id, IdMap, is_id
from darec.ids.names import ItemNames
from darec.listing.lists import Recommendation, RecommendationList
from darec.run import Run
from darec.scoring import TableScorer, check_k
from darec.types import FloatArray, IntArray, Interactions, Tables

LEAST: Final = 3  # warm items that a map can be fitted on
NAMES: Final = ("text", "title")


@dataclass(frozen=True, repr=False)
class ColdRecommendation(Recommendation):
    """One recommended item, new or not.

    Attributes:
        new: whether the run has never met it.
    """

    new: bool


class ColdStart:
    """Gives new items rows by their text.

    A map from text to the rows that are scored is fitted on the warm items of the run: those with text and with
    training interactions. It is made alike for every backbone and alignment, since all that a run scores is an inner
    product of two tables; see :mod:`darec.cold.maps`. Where all warm rows are equally long (a run that scores by
    cosine), so are the new ones. What is asked before :meth:`fit` is answered as after ``fit()``,
    without new items.

    Args:
        run: finished, on a dataset that is encoded; the text read is that of the run.
        how: ``ridge``, ``neighbours`` or ``shared``, see :mod:`darec.cold.maps`.
        device: where a neural encoder runs.

    Attributes:
        items_: the new items.
        rows_: [n, d] float32, their rows.
        map_: the fitted map; ``map_.explained_`` tells how much of the warm rows text explains.
        relative_length_: mean length of the new rows over that of the warm ones.
        notices_: what was assumed, one sentence each.
        names_: finds items, old and new, by id or title.
    """

    items_: NewItems
    rows_: FloatArray
    map_: TextMap
    relative_length_: float
    notices_: tuple[str, ...]
    names_: ItemNames

    def __init__(self, run: Run, *, how: str = "ridge", device: str = "cpu") -> None:
        if how not in MAPS:
            raise ConfigError(f"no map {how!r} from text to rows: {did_you_mean(how, MAPS)}")
        self.run, self.how, self.device = run, how, device

    def fit(
        self,
        items: Any = None,
        *,
        id_column: str | None = None,
    ) -> Self:
        """Fit the map on the warm items and give the new ones rows.

        Args:
            items: file or table of new items (see :func:`read_new_items`); None for none, to recommend the catalogue.
            id_column: name of the id's column, where it is not the import's.

        Raises:
            DataError: new items that cannot be used.
            TextError: no stored language vectors, or an encoder that cannot encode new texts.
            RunError: too few warm items with text.
        """
        data = self.run.dataset
        new = NewItems("", [], [], [])
        if items is not None:
            new = read_new_items(data, items, id_column=id_column)
        text = RunText(self.run, device=self.device)
        warm = np.flatnonzero(text.known & (data.train.item_degree > 0))
        if len(warm) < LEAST:
            raise RunError(
                f"{len(warm)} items of {data.path or 'the dataset'} have both text and training interactions: too few "
                "to learn what text says of an item's row."
            )
        rows = self.run.tables.items.float()
        lengths = torch.linalg.vector_norm(rows, dim=1)[warm]
        self._length = float(lengths.mean())
        self._equal = bool((lengths - self._length).abs().max() <= 1e-3 * self._length)
        self._text = text
        self.map_ = MAPS[self.how](self._shared_text).fit(text.items[warm], rows.numpy()[warm])
        self.items_, self.notices_ = new, new.notices
        self._ids = IdMap("item", [*data.items.texts, *new.ids], data.items.type)
        self.names_ = ItemNames(self._ids.texts, [*data.titles, *map(new.title, range(len(new)))])
        self.rows_ = self.transform(new.texts, new.titles)
        mean_length = np.linalg.norm(self.rows_, axis=1).mean() if len(new) else self._length
        self.relative_length_ = float(mean_length) / self._length
        return self

    def transform(
        self, texts: Sequence[str | None], titles: Sequence[str | None] | None = None
    ) -> FloatArray:
        """[n, d] float32 rows for texts of items, as the catalogue's own are written.

        Args:
            texts: n texts.
            titles: n titles, for runs that read titles; None: the texts.

        Raises:
            TextError: a text in which the encoder finds nothing.
        """
        self._fitted()
        if not len(texts):
            return np.zeros((0, self.run.tables.items.shape[1]), np.float32)
        vectors, found = self._text.encode(texts, texts if titles is None else titles)
        empty = np.flatnonzero(~found)
        if len(empty):
            raise TextError(
                f"the encoder finds nothing that it knows in {texts[empty[0]]!r} ({len(empty)} such texts): leave such "
                "items out, or write words that the catalogue's texts use."
            )
        return self._mapped(vectors)

    def evaluate(self, split: str = "test", ks: Sequence[int] | None = None) -> Evaluation:
        """Rank the cold items that the split ``cold-items`` held out, for every user who has one.

        A held-out item without text is given the mean of the catalogue's.

        Args:
            split: ``test``, or ``valid`` to choose settings by.
            ks: cut-offs; None: the run's, as far as there are so many cold items.

        Raises:
            ConfigError: a cut-off above the number of cold items.
            DataError: a dataset that holds no items out.
        """
        self._fitted()
        part = cold_part(self.run.dataset, split)
        most = len(part.catalogue)
        if ks is None:
            ks = [k for k in self.run.config.evaluation.ks if k <= most] or [max(most, 1)]
        vectors, _ = self._text.encode(*(part.catalogue[name].to_list() for name in NAMES))
        rows = torch.from_numpy(self._mapped(vectors))
        ids = IdMap("item", part.catalogue["item_id"].to_list())
        scorer = TableScorer(Tables(self.run.tables.users.float(), rows), ids.tie_order)
        return evaluate_cold(scorer, part, ks)

    def _fitted(self) -> None:
        """Fit without new items, unless that or another fit was made."""
        if not hasattr(self, "map_"):
            self.fit()

    def _shared_text(self) -> SharedText:
        """What the run's text shares with its training interactions."""
        items, known = (torch.from_numpy(rows) for rows in (self._text.items, self._text.known))
        return shared_text(items, known, Graph(self.run.dataset.train))

    def _mapped(self, vectors: FloatArray) -> FloatArray:
        """Text vectors to rows, as long as the warm ones where these are equally long."""
        rows = self.map_.predict(vectors)
        if self._equal:
            lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            rows = rows * (self._length / lengths)
        return np.asarray(rows, np.float32)

    def recommend(
        self, user: Id, k: int = 10, *, with_warm: bool = False, exclude_seen: bool = True
    ) -> RecommendationList[ColdRecommendation]:
        """The ``k`` best new items for a known user.

        Args:
            user: the user's id.
            k: how many at most.
            with_warm: rank the new items among the catalogue. Both kinds are scored by the same user's row, but a
                map's rows lie closer to the mean than learned ones: see ``relative_length_``.
            exclude_seen: leave out what the user has in any split.

        Raises:
            DataError: an unknown user.
            ConfigError: ``k`` below 1, or above the number of items where the catalogue is ranked.
        """
        self._fitted()
        row = self.run.dataset.users.row(user)
        seen = np.concatenate(
            [self.run.dataset.split(name).of_user(row) for name in ("train", "valid", "test")]
        )
        vector = self.run.tables.users[row].float()
        return self._ranked(vector, seen if exclude_seen else seen[:0], k, with_warm)

    def recommend_for(
        self,
        liked: Iterable[Id],
        k: int = 10,
        *,
        with_warm: bool = False,
        exclude_seen: bool = True,
    ) -> RecommendationList[ColdRecommendation]:
        """The ``k`` best new items for a user known only by items they like, of the catalogue or new.

        The user's vector is the mean of the items' unit rows, as in :meth:`darec.run.Run.recommend_for`.

        Args:
            liked: ids or titles of items, at least one.
            k: how many at most.
            with_warm: see :meth:`recommend`.
            exclude_seen: leave out the liked items themselves.
        """
        self._fitted()
        rows = np.array(self.names_.rows([liked] if is_id(liked) else liked), np.int64)
        if not len(rows):
            raise ConfigError("no liked items: name at least one.")
        table = torch.cat([self.run.tables.items.float(), torch.from_numpy(self.rows_)])
        vector = F.normalize(table[rows], dim=1).mean(0)
        return self._ranked(vector, rows if exclude_seen else rows[:0], k, with_warm)

    def recommend_about(
        self, text: str, k: int = 10, *, with_warm: bool = False
    ) -> RecommendationList[ColdRecommendation]:
        """The ``k`` best new items for a user known only by words: as if they liked one item with that text.

        Args:
            text: what the user likes, in the words of the catalogue's texts.
            k: how many at most.
            with_warm: see :meth:`recommend`.
        """
        vector = F.normalize(torch.from_numpy(self.transform([text])), dim=1)[0]
        return self._ranked(vector, np.zeros(0, np.int64), k, with_warm)

    def _ranked(
        self, user: torch.Tensor, exclude: IntArray, k: int, with_warm: bool
    ) -> RecommendationList[ColdRecommendation]:
        """New items, or all; the catalogue where there are no new ones."""
        warm, new = self.run.tables.items.float(), torch.from_numpy(self.rows_)
        n_warm = len(warm)
        alone = bool(len(new)) and not with_warm
        check_k(k, max(k, 1))
        candidates = np.arange(n_warm if alone else 0, n_warm + len(new))
        pairs = Interactions.from_pairs(np.zeros_like(exclude), exclude, 1, n_warm + len(new))
        scorer = TableScorer(Tables(user[None], torch.cat([warm, new])), self._ids.tie_order)
        rows, scores = scorer.top_k(
            k=min(k, len(candidates)) if alone else k, candidates=candidates, exclude=pairs
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
