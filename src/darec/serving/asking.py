"""From a request to the bundle's answer."""

from __future__ import annotations

from typing import Any

from darec.errors import DataError
from darec.ids.idmap import Id
from darec.listing.lists import Recommendation
from darec.listing.reasons import Reasons
from darec.serving.opened import Opened, text_of
from darec.serving.refusals import RefusalError
from darec.serving.schemas import (
    MOST_EXPLAINED,
    Asking,
    Item,
    ItemList,
    Near,
    Part,
    Why,
    Word,
)

PARTS = 5
"""Of a sum that are told one by one."""


def check_known(opened: Opened, kind: str, identifier: Id) -> Id:
    """An id that the bundle has. Raises ``RefusalError`` with 404."""
    named = opened.shown.named
    ids = named.users if kind == "user" else named.items
    try:
        return ids.ids[ids.row(identifier)]  # type: ignore[no-any-return]
    except DataError as error:
        raise RefusalError(404, str(error).replace("this dataset", "this bundle")) from None


def recommend(opened: Opened, asking: Asking, user: Id | None = None) -> ItemList:
    """The list for a known user, or for somebody who is a list of items.

    Args:
        opened: what answers.
        asking: what is asked.
        user: a user of the bundle; None: what ``asking`` says of somebody.
    """
    if asking.explain and asking.k > MOST_EXPLAINED:
        raise RefusalError(422, f"k: at most {MOST_EXPLAINED} items with explain, not {asking.k}.")
    shown = opened.shown
    options: dict[str, Any] = {
        "where": asking.where,
        "exclude": asking.exclude,
        "diversity": asking.diversity,
        "exclude_seen": not asking.include_seen,
    }
    k = min(asking.k, len(shown.named.items))
    if user is not None:
        found = shown.recommend(user, k, **options)
        reasons = [shown.explain(user, one.item_id) for one in found] if asking.explain else None
    else:
        if not asking.history:
            raise RefusalError(422, "history: name at least one item.")
        found = shown.recommend_for(asking.history, k, **options)
        reasons = (
            [shown.explain_for(asking.history, one.item_id) for one in found]
            if asking.explain
            else None
        )
    return listed(opened, found, fields=asking.fields, reasons=reasons)


def similar(opened: Opened, item: Id, k: int, fields: list[str]) -> ItemList:
    """The items most like one."""
    size = len(opened.shown.named.items)
    found = opened.shown.similar(item, min(k, size))
    return listed(opened, [one for one in found if one.item_id != item], fields=fields)


def listed(
    opened: Opened,
    found: list[Recommendation],
    *,
    fields: list[str],
    reasons: list[Reasons] | None = None,
) -> ItemList:
    """A list as the API gives it."""
    items = opened.shown.named.items
    extra = opened.fields_of([items.row(one.item_id) for one in found], fields)
    whys = [None] * len(found) if reasons is None else [why(one) for one in reasons]
    return ItemList(
        items=[
            Item(
                rank=one.rank,
                item_id=text_of(one.item_id),
                title=one.title,
                score=one.score,
                fields=more or None,
                why=reason,
            )
            for one, more, reason in zip(found, extra, whys, strict=True)
        ],
        bundle=opened.digits,
    )


def why(reasons: Reasons) -> Why:
    """Reasons as the API gives them: the largest parts one by one, and the rest as one, so that they add up."""
    parts = [
        Part(
            of=part.of,
            item_id=None if part.item_id is None else text_of(part.item_id),
            title=part.title,
            adds=part.adds,
            share=part.share,
        )
        for part in reasons.parts[:PARTS]
    ]
    rest = sum(part.adds for part in reasons.parts[PARTS:])
    if len(reasons.parts) > PARTS:
        share = rest / reasons.score if reasons.score else None
        parts.append(Part(of="rest", item_id=None, title=None, adds=rest, share=share))
    return Why(
        parts=parts,
        nearest=[
            Near(item_id=text_of(one.item_id), title=one.title, cosine=one.cosine)
            for one in reasons.nearest
        ],
        words=[
            Word(word=one.word, item_id=text_of(one.item_id), title=one.title, cosine=one.cosine)
            for one in reasons.words
        ],
    )
