"""What a list would be if its owner liked one item more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from darec.ids.idmap import Id
from darec.listing.lists import Recommendation
from darec.serving import asking
from darec.serving.opened import Opened
from darec.serving.page.state import PageState

LENGTH: Final = 12
_LOOKED_AT: Final = 60
"""Items of the earlier list in which a place is looked for."""


@dataclass(frozen=True)
class Change:
    """An item of the new list, or one that has left it.

    Attributes:
        key: its id, as text.
        title: what to call it.
        before: its place in the earlier list; None where it was further down than is looked.
        after: its place in the new one; None where it has left it.
    """

    key: str
    title: str
    before: int | None
    after: int | None

    @property
    def rises(self) -> int:
        """Places that it rises; below 0 where it falls, 0 where that cannot be told."""
        return self.before - self.after if self.before and self.after else 0


def changes(opened: Opened, state: PageState, item: Id) -> list[Change]:
    """The new list of a dozen, then what has left it.

    A user of the bundle is scored by their items for both lists: the row that was learned of a user cannot have one
    more.
    """
    named = opened.shown.named
    liked = list(state.liked)
    if state.mode == "user":
        user = asking.check_known(opened, "user", state.user)
        rows = opened.shown.learned.of_user(named.users.row(user))
        liked = [named.items.texts[row] for row in rows]
    key = str(item)
    state = replace(
        state, mode="liked", k=_LOOKED_AT, words=state.words if state.mode == "liked" else ""
    )
    has = [*liked, key]
    lists: list[list[Recommendation]] = []
    for history in (liked, has):
        asked = state.asking(liked=history).model_copy(update={"exclude": has})
        if not history and not state.words:
            lists.append([])
            continue
        found, _ = asking.recommend(opened, asked)
        lists.append(found)
    old, new = ({str(one.item_id): one for one in found} for found in lists)
    top = [key for key, one in new.items() if one.rank <= LENGTH]
    kept = [
        Change(key, new[key].title, old[key].rank if key in old else None, new[key].rank)
        for key in top
    ]
    left = [
        Change(key, one.title, one.rank, None)
        for key, one in old.items()
        if one.rank <= LENGTH and key not in top
    ]
    return kept + left
