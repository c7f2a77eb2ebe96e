"""From a request to its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from darec.errors import DataError
from darec.ids.idmap import Id
from darec.listing.lists import Recommendation, listed
from darec.listing.reasons import Reasons, reasons
from darec.listing.request import make_request
from darec.scoring import Scorer, one_history
from darec.scoring.mixing import WORDS, mixed
from darec.scoring.tables import TableScorer
from darec.serving.mixing import for_words
from darec.serving.opened import Opened
from darec.serving.refusals import RefusalError
from darec.serving.schemas import MOST_EXPLAINED, Asking
from darec.types import IntArray, Interactions, Tables

WORDS_BESIDE = 0.5
"""Default weight of the text for a history together with words."""


@dataclass(frozen=True)
class Asked:
    """The person who asks.

    Attributes:
        scorer: has their scores in one of its rows.
        row: that row.
        has: rows of the items that they have or like.
        learned: rows of the items that count for the score.
    """

    scorer: Scorer
    row: int
    has: IntArray
    learned: IntArray


def check_known(opened: Opened, kind: str, identifier: Id) -> Id:
    """Return an id if it is known. Raises ``RefusalError`` with 404 otherwise."""
    named = opened.shown.named
    ids = named.users if kind == "user" else named.items
    try:
        known: Id = ids.ids[ids.row(identifier)]
    except DataError as error:
        raise RefusalError(404, str(error).replace("this dataset", "this bundle")) from None
    return known


def recommend(
    opened: Opened, asking: Asking, user: Id | None = None, also: Id | None = None
) -> tuple[list[Recommendation], list[Reasons] | None]:
    """Return a list for a known user or for a history or words, with reasons if ``asking`` wants them.

    Args:
        opened: the bundle.
        asking: the request.
        user: a user of the bundle; None: the history and the words of ``asking`` count.
        also: one more item that the user of the bundle likes.
    """
    if asking.explain and asking.k > MOST_EXPLAINED:
        raise RefusalError(422, f"k: at most {MOST_EXPLAINED} items with explain, not {asking.k}.")
    shown, named = opened.shown, opened.shown.named
    words = (asking.words or "").strip()
    if user is None and not asking.history and not words:
        raise RefusalError(422, "history: name at least one item, or write words.")
    options: dict[str, Any] = {
        "where": asking.where,
        "exclude": asking.exclude,
        "diversity": asking.diversity,
        "exclude_seen": not asking.include_seen,
    }
    k = min(asking.k, len(named.items))
    plain = not words and not asking.text_weight and also is None
    asked = None if plain and not asking.explain else _asked(opened, asking, user, words, also)
    if plain and user is not None:
        found = shown.recommend(user, k, **options)
    elif plain:
        found = shown.recommend_for(asking.history, k, **options)
    else:
        assert asked is not None
        has = _pairs(asked, len(named.items))
        request = make_request(
            named, asked.scorer, k, options, seen=lambda: has, vectors=shown.item_vectors
        )
        items, scores = request.top(np.array([asked.row]))
        found = listed(named, items[0], scores[0])
    if not asking.explain or asked is None:
        return found, None
    rows = (named.items.row(one.item_id) for one in found)
    return found, [
        reasons(named, asked.scorer, asked.row, row, asked.learned, shown.words) for row in rows
    ]


def similar(opened: Opened, item: Id, k: int) -> list[Recommendation]:
    """Return the items that are most similar to one."""
    found = opened.shown.similar(item, min(k, len(opened.shown.named.items)))
    return [one for one in found if one.item_id != item]


def _asked(opened: Opened, asking: Asking, user: Id | None, words: str, also: Id | None) -> Asked:
    """Return the person who asks; the text is part of their scores if it has a weight."""
    shown = opened.shown
    vector = opened.reader.encode([words]) if words else None
    if user is not None and also is not None:
        asked = _with_one_more(opened, shown.named.users.row(user), shown.named.items.row(also))
    elif user is not None:
        row = shown.named.users.row(user)
        asked = Asked(shown.scorer, row, shown.seen.of_user(row), shown.learned.of_user(row))
    else:
        liked = np.array(shown.named.names.rows(asking.history), np.int64)
        if vector is None:
            scorer = shown.scorer.for_histories(one_history(liked, len(shown.named.items)))
            scorer.trusted = shown.scorer.trusted
        else:
            scorer = for_words(shown.scorer, opened.reader, liked, vector)
        asked = Asked(scorer, 0, liked, np.unique(liked))
    weight = asking.text_weight
    if weight is None and vector is not None:
        weight = WORDS_BESIDE if len(asked.learned) else WORDS
    if not weight:
        return asked
    scorer = mixed(asked.scorer, asked.row, opened.unit_vectors, asked.learned, vector, weight)
    return Asked(scorer, asked.row, asked.has, asked.learned)


def _with_one_more(opened: Opened, row: int, item: int) -> Asked:
    """Return a user of the bundle who likes one more item.

    The learned row of a user cannot take an item. So the item adds to the learned scores what it adds to those of a
    new user with the same items.
    """
    shown = opened.shown
    learned = shown.learned.of_user(row)
    more = np.union1d(learned, [item])
    without, having = (
        shown.scorer.score_histories(one_history(items, shown.scorer.n_items))[0]
        for items in (learned, more)
    )
    scores = shown.scorer.score(np.array([row]))[0] + (having - without)
    one = Tables(torch.ones(1, 1), torch.from_numpy(scores)[:, None])
    has = np.union1d(shown.seen.of_user(row), [item])
    return Asked(TableScorer(one, shown.scorer.ties), 0, has, more)


def _pairs(asked: Asked, n_items: int) -> Interactions:
    """Return the items that somebody has, as pairs with the users of the scorer."""
    rows = np.full_like(asked.has, asked.row)
    return Interactions.from_pairs(rows, asked.has, asked.scorer.n_users, n_items)
