"""The methods that a run and a bundle share: lists for known and new users, similar items, and explanations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Unpack, cast, overload

import numpy as np
import polars as pl

from darec.errors import ConfigError
from darec.ids.idmap import Id, is_id
from darec.listing.lists import Recommendation, RecommendationList, Recommendations, listed
from darec.listing.named import Named
from darec.listing.output import ListFile
from darec.listing.reasons import Reasons, Words, reasons
from darec.listing.request import ListOptions, make_request
from darec.listing.search import EXACT, Search
from darec.listing.stream import Written, write_lists
from darec.scoring import Scorer, check_k, one_history
from darec.types import FloatArray, IntArray, Interactions


class Recommending(ABC):
    """Recommends with a scorer and the names of its users and items.

    Attributes:
        scorer: the learned scorer.
        search: the search for lists of one user or several. A file of all lists is always ranked exactly.
    """

    scorer: Scorer
    search: Search = EXACT

    @property
    @abstractmethod
    def named(self) -> Named:
        """Ids, titles and fields."""

    @property
    @abstractmethod
    def seen(self) -> Interactions:
        """The items of each user, in all splits."""

    @property
    @abstractmethod
    def learned(self) -> Interactions:
        """The items that each user had when the scorer was made."""

    @abstractmethod
    def item_vectors(self) -> FloatArray:
        """[I, d] vectors whose cosine is the similarity of items; zeros for an item without a vector.

        Raises:
            ConfigError: there are no vectors.
        """

    @overload
    def recommend(  # type: ignore[overload-overlap]  # a text is one id, though iterable
        self, users: Id, k: int = ..., **options: Unpack[ListOptions]
    ) -> RecommendationList[Recommendation]: ...

    @overload
    def recommend(
        self, users: Iterable[Id] | None = ..., k: int = ..., **options: Unpack[ListOptions]
    ) -> Recommendations: ...

    def recommend(
        self, users: Id | Iterable[Id] | None = None, k: int = 10, **options: Unpack[ListOptions]
    ) -> RecommendationList[Recommendation] | Recommendations:
        """The ``k`` best items for known users.

        Args:
            users: one id, several, or None for all users.
            k: length of the lists; a list is shorter if fewer items are left.
            **options: conditions on the lists, see :class:`darec.listing.request.ListOptions`.

        Returns:
            A list for one id, otherwise a table in the order of the ids.

        Raises:
            DataError: an unknown user or item.
            ConfigError: ``k`` larger than the catalogue, an option that does not fit, or no item left to list.
        """
        one = users is not None and is_id(users)
        rows = self._users(cast("Iterable[Id] | None", [users] if one else users))
        request = make_request(
            self.named,
            self.scorer,
            k,
            options,
            seen=lambda: self.seen,
            vectors=self.item_vectors,
            search=self.search,
        )
        items, scores = request.top(rows)
        if one:
            return listed(self.named, items[0], scores[0])
        return Recommendations(self.named, rows, items, scores)

    def recommend_all(
        self,
        out: str | Path,
        k: int = 10,
        *,
        users: Iterable[Id] | None = None,
        overwrite: bool = False,
        safe_csv: bool = False,
        progress: bool = True,
        **options: Unpack[ListOptions],
    ) -> Written:
        """Write the ``k`` best items of all users to a file, in constant memory.

        The file is written atomically. After an interruption, the same call continues.

        Args:
            out: ``.parquet``, ``.csv`` or ``.jsonl``; the columns are those of :class:`Recommendations`.
            k: as in :meth:`recommend`.
            users: ids; None for all.
            overwrite: replace an existing file.
            safe_csv: in CSV, mark cells as text that a spreadsheet would run as a formula.
            progress: show progress on standard error.
            **options: as in :meth:`recommend`.

        Raises:
            DataError: an unknown user or item.
            ConfigError: another ending, or as :meth:`recommend`.
            FolderError: ``out`` already exists, another process writes it, or it cannot be written.
        """
        file = ListFile(Path(out), safe=safe_csv)
        file.check(overwrite=overwrite)
        rows = self._users(users)
        request = make_request(
            self.named, self.scorer, k, options, seen=lambda: self.seen, vectors=self.item_vectors
        )
        return write_lists(request, self.named, rows, file, label=file.path.name, progress=progress)

    def recommend_for(
        self, liked: Iterable[Id], k: int = 10, **options: Unpack[ListOptions]
    ) -> RecommendationList[Recommendation]:
        """The ``k`` best items for a new user who is known by liked items.

        The scores depend on the scorer (:meth:`darec.scoring.Scorer.for_histories`). For two tables the user is folded
        in by one ridge step (:mod:`darec.training.fold_in`); for an item-item matrix the scores are exact.

        Args:
            liked: ids or titles of items, at least one.
            k: number of items.
            **options: as in :meth:`recommend`, without pairs; ``exclude_seen`` leaves out the liked items themselves.

        Raises:
            DataError: an unknown item, or a title that several items have.
            ConfigError: no item, ``k`` larger than the catalogue, or as :meth:`recommend`.
        """
        if options.get("exclude_pairs") is not None:
            raise ConfigError("exclude_pairs is for known users: use exclude.")
        rows = self._liked(liked)
        size = len(self.named.items)
        scorer = self._scorer_for(rows)
        request = make_request(
            self.named,
            scorer,
            k,
            options,
            seen=lambda: _pairs(rows, size),
            vectors=self.item_vectors,
            search=self.search,
        )
        items, scores = request.top()
        return listed(self.named, items[0], scores[0])

    def similar(self, item: Id, k: int = 10) -> RecommendationList[Recommendation]:
        """The ``k`` items most similar to one item, by the cosine of their rows, or by the entries of a matrix.

        Args:
            item: its id or title.
            k: number of items.

        Raises:
            DataError: an unknown item, or a title that several items have.
            ConfigError: ``k`` larger than the catalogue.
        """
        row = self.named.names.row(item)
        check_k(k, len(self.named.items))
        ranked = self.search.similar(self.scorer, row, k)
        return listed(self.named, ranked.items[0], ranked.scores[0])

    def filter(self, where: str) -> list[Id]:
        """Ids of the items that meet a condition over their fields (:meth:`darec.listing.fields.ItemFields.where`)."""
        ids = self.named.items.ids
        return [ids[row] for row in np.flatnonzero(self.named.fields.where(where))]

    def explain(self, user: Id, item: Id) -> Reasons:
        """Why an item is recommended to a user: an exact sum, and the nearest items.

        With an item-item matrix, the score is the sum of the shares of the user's items. With tables the score is one
        inner product without shares of items; the user's items nearest to the item are given in addition. If both are
        added, the sum has the parts of both.

        Args:
            user: the user's id.
            item: the item's id or title.

        Raises:
            DataError: an unknown user or item, or a title that several items have.
        """
        row, column = self.named.users.row(user), self.named.names.row(item)
        return reasons(self.named, self.scorer, row, column, self.learned.of_user(row), self.words)

    def explain_for(self, liked: Iterable[Id], item: Id) -> Reasons:
        """The same as :meth:`explain` for a new user who is known by liked items, as in :meth:`recommend_for`."""
        rows = self._liked(liked)
        scorer = self._scorer_for(rows)
        column = self.named.names.row(item)
        return reasons(self.named, scorer, 0, column, np.unique(rows), self.words)

    @cached_property
    def words(self) -> Words:
        """The weights of the words in the catalogue's texts."""
        texts = self.named.fields.columns(["text", "title"])
        return Words(
            texts.select(pl.coalesce(pl.col("text", "title").replace("", None)))
            .to_series()
            .to_list()
        )

    def _liked(self, liked: Iterable[Id]) -> IntArray:
        """Rows of the liked items."""
        rows = np.array(self.named.names.rows([liked] if is_id(liked) else liked), np.int64)
        if not len(rows):
            raise ConfigError("no liked items: name at least one.")
        return rows

    def _scorer_for(self, liked: IntArray) -> Scorer:
        """The history of one user, who likes some items."""
        scorer = self.scorer.for_histories(one_history(liked, len(self.named.items)))
        scorer.trusted = self.scorer.trusted
        return scorer

    def _users(self, users: Iterable[Id] | None) -> IntArray:
        ids = self.named.users
        return np.arange(len(ids)) if users is None else ids.rows(users)


def _pairs(items: IntArray, n_items: int) -> Interactions:
    """One user's items."""
    return Interactions.from_pairs(np.zeros_like(items), items, 1, n_items)
