"""Lists and reasons in the form of the API's answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from darec.listing.lists import Recommendation
from darec.listing.reasons import Reasons
from darec.serving.opened import Opened, text_of
from darec.serving.schemas import Item, ItemList, Near, Part, Why, Word

PARTS: Final = 5
"""Number of summands that are listed one by one."""


def item_list(
    opened: Opened,
    found: Sequence[Recommendation],
    whys: Sequence[Reasons] | None = None,
    *,
    fields: list[str],
) -> ItemList:
    """Return a list with some fields of its items, and with reasons if there are any."""
    items = opened.shown.named.items
    extra = opened.fields_of([items.row(one.item_id) for one in found], fields)
    reasons = [None] * len(found) if whys is None else [why(one) for one in whys]
    listed = []
    for one, more, reason in zip(found, extra, reasons, strict=True):
        item = Item(rank=one.rank, item_id=text_of(one.item_id), title=one.title, score=one.score)
        # A field that is not set is left out of the answer; None would be written as null.
        if more:
            item.fields = more
        if reason is not None:
            item.why = reason
        listed.append(item)
    return ItemList(items=listed, bundle=opened.digits)


def why(reasons: Reasons) -> Why:
    """Return reasons: the largest summands one by one, and the rest as one, so that they add up."""
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
    if len(reasons.parts) > PARTS:
        rest = sum(part.adds for part in reasons.parts[PARTS:])
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
