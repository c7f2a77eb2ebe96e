"""The state of the page: it is part of the address, so that a view can be kept and sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.datastructures import QueryParams

from darec.errors import DarecError
from darec.scoring.mixing import WORDS
from darec.serving.asking import WORDS_BESIDE
from darec.serving.opened import Opened
from darec.serving.refusals import RefusalError
from darec.serving.schemas import Asking

K: Final = 12
MOST: Final = 60
LIKED: Final = 50
_LONGEST: Final = 1000


@dataclass(frozen=True)
class PageState:
    """The person and the request of a view.

    Attributes:
        mode: ``user`` for a user of the bundle, ``liked`` for a person who picks items.
        user: id of the user.
        liked: ids of the picked items.
        words: that the person wrote.
        diversity: from 0 to 1.
        text_weight: from 0 to 1; None: the default.
        where: a condition over fields.
        k: number of items.
    """

    mode: str = "liked"
    user: str = ""
    liked: tuple[str, ...] = ()
    words: str = ""
    diversity: float = 0.0
    text_weight: float | None = None
    where: str = ""
    k: int = K

    @classmethod
    def of(cls, given: QueryParams, opened: Opened) -> PageState:
        """Read the state from an address. Values that are not numbers, and all that the bundle cannot do, are ignored.

        Raises:
            DataError: the item to add is unknown.
        """
        user = given.get("user", "").strip()[:_LONGEST]
        mode = given.get("mode") or ("user" if user else "liked")
        liked = dict.fromkeys(one[:_LONGEST] for one in given.getlist("liked") if one)
        added = given.get("add", "").strip()[:_LONGEST]
        liked.pop(given.get("remove", ""), None)
        state = cls(
            mode="user" if mode == "user" else "liked",
            user=user,
            liked=tuple(liked)[:LIKED],
            words=given.get("words", "").strip()[:_LONGEST] if opened.reads else "",
            diversity=_share(given.get("diversity")) or 0.0 if opened.alike else 0.0,
            text_weight=_share(given.get("text_weight")) if opened.has_vectors else None,
            where=given.get("where", "").strip()[:2000],
            k=_whole(given.get("k")),
        )
        if added:
            named = opened.shown.named
            row = named.names.row(added)
            state = replace(state, liked=tuple(dict.fromkeys([*liked, named.items.texts[row]])))
        if state.text_weight in (_share(given.get("usual")), state.usual):
            state = replace(state, text_weight=None)  # the user has not moved the slider
        return state

    @property
    def usual(self) -> float:
        """The default weight of the text."""
        if not self.words or self.mode == "user":
            return 0.0
        return WORDS_BESIDE if self.liked else WORDS

    @property
    def asks(self) -> bool:
        """Whether a list is asked for."""
        return bool(self.user) if self.mode == "user" else bool(self.liked or self.words)

    def query(self, **change: object) -> str:
        """Return the query of the address with some changes; default values are left out."""
        state = replace(self, **change)  # type: ignore[arg-type]
        pairs: list[tuple[str, object]] = []
        if state.mode == "user":
            pairs += [("mode", "user"), ("user", state.user)]
        else:
            pairs += [("liked", one) for one in state.liked]
            pairs += [("words", state.words)] if state.words else []
        pairs += [("diversity", f"{state.diversity:g}")] if state.diversity else []
        if state.text_weight is not None:
            pairs.append(("text_weight", f"{state.text_weight:g}"))
        pairs += [("where", state.where)] if state.where else []
        pairs += [("k", state.k)] if state.k != K else []
        return urlencode(pairs)

    def asking(self, *, explain: bool = False) -> Asking:
        """Return the request in the form of the API.

        Raises:
            RefusalError: the API would refuse a value.
        """
        try:
            return Asking(
                history=list(self.liked),
                words=self.words or None if self.mode == "liked" else None,
                where=self.where or None,
                k=self.k,
                diversity=self.diversity,
                text_weight=self.text_weight,
                explain=explain,
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise RefusalError(422, f"{first['loc'][0]}: {first['msg']}.") from None


def failure(error: Exception) -> tuple[int, str]:
    """Return the status and the message for a wrong request; any other error is raised again."""
    if isinstance(error, RefusalError):
        return error.status, str(error)
    if isinstance(error, DarecError):
        return 422, str(error)
    raise error


def shortened_fields(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return names and values of fields in the short form of a card; empty fields are left out."""
    found = []
    for name, value in fields.items():
        if isinstance(value, bool):
            text = "yes" if value else "no"
        elif isinstance(value, list):
            text = ", ".join(str(one) for one in value[:3]) + (
                f" +{len(value) - 3}" if len(value) > 3 else ""
            )
        elif isinstance(value, float):
            text = f"{value:g}"
        else:
            text = "" if value is None else str(value)
        if text.strip():
            found.append((name.replace("_", " "), text if len(text) <= 80 else text[:79] + "…"))
    return found


def _share(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return min(max(number, 0.0), 1.0) if number == number else None


def _whole(text: str | None) -> int:
    try:
        return min(max(int(text or K), 1), MOST)
    except ValueError:
        return K
