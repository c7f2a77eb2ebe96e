"""How a list would change if its owner liked one more item."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from darec.ids.idmap import Id
from darec.serving import asking
from darec.serving.opened import Opened
from darec.serving.page.state import PageState

LENGTH: Final = 12
"""Length of the new list."""


@dataclass(frozen=True)
class Change:
    """An item of the new list, or one that has left it.

    Attributes:
        key: its id, as text.
        title: its name on screen.
        before: its place in the list that is shown; None if it is not in that list.
        after: its place in the new list; None if it has left it.
    """

    key: str
    title: str
    before: int | None
    after: int | None

    @property
    def rises(self) -> int:
        """Number of places that it rises; negative if it falls, 0 if it is not in both lists."""
        return self.before - self.after if self.before and self.after else 0


def changes(opened: Opened, state: PageState, item: Id) -> list[Change]:
    """Compare the list that is shown with the one for an additional item.

    Returns:
        The items of the new list, then those that have left it.
    """
    key = str(item)
    user = asking.check_known(opened, "user", state.user) if state.mode == "user" else None
    shown, _ = asking.recommend(opened, state.asking(), user)
    if user is not None:
        found, _ = asking.recommend(opened, state.asking(), user, also=item)
    else:
        more = replace(state, liked=tuple(dict.fromkeys([*state.liked, key])))
        found, _ = asking.recommend(opened, more.asking())
    new = found[:LENGTH]
    before = {str(one.item_id): one.rank for one in shown}
    kept = [
        Change(str(one.item_id), one.title, before.get(str(one.item_id)), one.rank) for one in new
    ]
    there = {key, *(one.key for one in kept)}
    left = [
        Change(str(one.item_id), one.title, one.rank, None)
        for one in shown[:LENGTH]
        if str(one.item_id) not in there
    ]
    return kept + left
