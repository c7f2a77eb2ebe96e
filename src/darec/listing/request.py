"""A request for lists: the number of items, the items that may be listed, and the diversity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict

import numpy as np
import polars as pl

from darec.errors import ConfigError, DataError, did_you_mean
from darec.ids.idmap import Id, IdMap
from darec.listing.diversity import NONE, Cap, choose, pool_size
from darec.listing.named import Named
from darec.listing.search import EXACT, Search
from darec.scoring import Scorer, check_k
from darec.types import FloatArray, IntArray, Interactions

_USERS: Final = 1024  # number of users whose pools are in memory at once


class ListOptions(TypedDict, total=False):
    """Conditions on the items of a list.

    Attributes:
        candidates: ids of the items that may be listed; None for all.
        exclude: ids of items that must not be listed.
        exclude_pairs: (user id, item id) of items that must not be listed for one user: a list of tuples, or a frame
            with those two columns.
        where: a condition over the items' fields in SQL, ``"in_stock = true and price < 50"``; see
            :meth:`darec.listing.fields.ItemFields.where`.
        exclude_seen: leave out every item that a user has in any split; on by default.
        diversity: weight of dissimilar items, from 0 (the default) to 1; see :mod:`darec.listing.diversity`.
        at_most: largest number of items in a list that share one value of the field ``per``.
        per: a field of the items, of single values or lists of them.
    """

    candidates: Iterable[Id] | None
    exclude: Iterable[Id]
    exclude_pairs: Any
    where: str | None
    exclude_seen: bool
    diversity: float
    at_most: int | None
    per: str | None


@dataclass(frozen=True)
class Request:
    """A request in rows.

    Attributes:
        scorer: the scorer.
        k: length of the lists, unless fewer items are left.
        allowed: rows of the items that may be listed; None for all.
        exclude: pairs that must not be listed.
        diversity: see :func:`darec.listing.diversity.choose`.
        vectors: vectors for the similarity of items.
        cap: limit on items that share a value.
        search: the search for the best items.
    """

    scorer: Scorer
    k: int
    allowed: IntArray | None = None
    exclude: Interactions | None = None
    diversity: float = 0.0
    vectors: FloatArray | None = None
    cap: Cap | None = None
    search: Search = EXACT

    def top(self, users: IntArray | None = None) -> tuple[IntArray, FloatArray]:
        """The lists of [n] users; None is all users.

        Returns:
            [n, k] rows of items and [n, k] scores of the scorer; -1 and minus infinity after the end of a shorter list.
        """
        if not self.diversity and self.cap is None:
            return self._ranked(users, self.k)
        users = np.arange(self.scorer.n_users) if users is None else users
        k = min(self.k, self._size)
        items, scores = (
            np.full((len(users), k), NONE),
            np.full((len(users), k), -np.inf, np.float32),
        )
        for start in range(0, len(users), _USERS):
            some = slice(start, start + _USERS)
            items[some], scores[some] = self._chosen(users[some], pool_size(k, self._size))
        return items, scores

    @property
    def _size(self) -> int:
        """Number of items that may be listed."""
        return self.scorer.n_items if self.allowed is None else len(self.allowed)

    def _ranked(self, users: IntArray | None, k: int) -> tuple[IntArray, FloatArray]:
        k = min(k, self._size)
        return self.search.top_k(self.scorer, users, k, self.allowed, self.exclude)

    def _chosen(self, users: IntArray, pool: int) -> tuple[IntArray, FloatArray]:
        """Choose lists from pools. If the limit leaves a list too short, a pool four times as large is used."""
        k = min(self.k, self._size)
        pools, values = self._ranked(users, pool)
        places = choose(
            pools, values, k, diversity=self.diversity, vectors=self.vectors, cap=self.cap
        )
        rows = np.arange(len(users))[:, None]
        items = np.where(places == NONE, NONE, pools[rows, places])
        scores = np.where(places == NONE, np.float32(-np.inf), values[rows, places])
        short = np.flatnonzero((places[:, -1] == NONE) & (pools[:, -1] != NONE))
        if self.cap is not None and len(short) and pool < self._size:
            items[short], scores[short] = self._chosen(users[short], min(4 * pool, self._size))
        return items, scores


def make_request(
    named: Named,
    scorer: Scorer,
    k: int,
    options: Mapping[str, Any],
    *,
    seen: Callable[[], Interactions],
    vectors: Callable[[], FloatArray],
    search: Search = EXACT,
) -> Request:
    """Resolve a request.

    Args:
        named: ids, titles and fields.
        scorer: the scorer of the wanted users.
        k: length of the lists.
        options: options of :class:`ListOptions`.
        seen: gives the pairs that are left out with ``exclude_seen``.
        vectors: gives [I, d] vectors for the similarity of items.
        search: the search for the best items.

    Raises:
        ConfigError: ``k`` is out of range, an option does not exist or does not fit, or no item is left to list.
        DataError: a user or item is unknown.
    """
    for name in options:
        if name not in ListOptions.__annotations__:
            raise ConfigError(
                f"unknown argument {name!r}: {did_you_mean(name, ListOptions.__annotations__)}"
            )
    check_k(k, scorer.n_items)
    diversity, at_most, per = (options.get(name) for name in ("diversity", "at_most", "per"))
    diversity = diversity or 0.0
    if not 0 <= diversity <= 1:
        raise ConfigError(f"--diversity={diversity}: must be from 0 to 1.")
    if (at_most is None) != (per is None):
        raise ConfigError("--at-most N and --per FIELD need each other: give both.")
    cap = None
    if at_most is not None and per is not None:
        cap = Cap.of(at_most, per, named.fields.columns([per])[per])
    exclude = seen() if options.get("exclude_seen", True) else None
    pairs = options.get("exclude_pairs")
    if pairs is not None:
        given = _pairs(named, pairs)
        exclude = given if exclude is None else exclude.union(given)
    return Request(
        scorer,
        k,
        _allowed(named, options),
        exclude,
        diversity,
        vectors() if diversity else None,
        cap,
        search,
    )


def _allowed(named: Named, options: Mapping[str, Any]) -> IntArray | None:
    """Rows of the items that may be listed; None for all."""
    items = named.items
    candidates, where = options.get("candidates"), options.get("where")
    left_out = items.rows(options.get("exclude") or ())
    if candidates is None and where is None and not len(left_out):
        return None
    may = np.ones(len(items), np.bool_)
    if candidates is not None:
        may[:] = False
        may[items.rows(candidates)] = True
    if where is not None:
        may &= named.fields.where(where)
        if not may.any():
            raise ConfigError(f"no item meets --where {where!r}: use a weaker condition.")
    may[left_out] = False
    allowed = np.flatnonzero(may)
    if not len(allowed):
        raise ConfigError(
            "no item is left to recommend: name more candidates, or exclude fewer items."
        )
    return allowed


def _pairs(named: Named, pairs: Any) -> Interactions:
    """Pairs of ids in rows."""
    if isinstance(pairs, Interactions):
        return pairs
    users, items = _columns(pairs)
    return Interactions.from_pairs(
        _found(named.users, users),
        _found(named.items, items),
        len(named.users),
        len(named.items),
    )


def _columns(pairs: Any) -> tuple[pl.Series, pl.Series]:
    if isinstance(pairs, list | tuple | set | frozenset):
        pairs = [tuple(pair) for pair in pairs]
        if any(len(pair) != 2 for pair in pairs):
            raise ConfigError("exclude_pairs: give pairs, (user id, item id) each.")
        return _texts(user for user, _ in pairs), _texts(item for _, item in pairs)
    try:
        frame = pl.DataFrame(pairs)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise ConfigError(
            "exclude_pairs: give a list of (user id, item id), or a frame with those two columns."
        ) from error
    if frame.width != 2:
        raise ConfigError(
            f"exclude_pairs has {frame.width} columns: give the user's id and the item's, in this order."
        )
    return frame.to_series(0).cast(pl.String), frame.to_series(1).cast(pl.String)


def _texts(ids: Iterable[object]) -> pl.Series:
    return pl.Series([str(one) for one in ids], dtype=pl.String)


def _found(ids: IdMap, texts: pl.Series) -> IntArray:
    rows = ids.find(texts)
    missing = np.flatnonzero(rows == NONE)
    if len(missing):
        ids.row(texts[int(missing[0])] or "")
        raise DataError(f"no {ids.kind} {texts[int(missing[0])]!r} in this dataset.")
    return rows
