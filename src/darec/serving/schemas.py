"""Requests and answers of the API, with examples; OpenAPI is made from them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MOST_ITEMS: Final = 1000
"""The most items of a list."""
MOST_EXPLAINED: Final = 100
"""The most items of a list with reasons; each reason takes about a millisecond."""
MOST_EVENTS: Final = 1000
"""The most items of a request."""
_LONGEST_ID: Final = 1000


def _without_nul(name: str) -> str:
    if "\0" in name:
        raise ValueError("it holds a NUL character, which databases cannot store")
    return name


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_LONGEST_ID),
    AfterValidator(_without_nul),
]
ItemId = Annotated[int, Field(ge=-(2**63), lt=2**63)] | Name
"""An id as text or as a whole number; 7 and "7" name the same."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Failure(BaseModel):
    """The reason of a refusal."""

    error: str = Field(examples=["no user 'u999' in this bundle."])


class Part(BaseModel):
    """One summand of a score."""

    of: str = Field(
        description="`item`: an item of the history, by the item-item matrix. `tables`: the inner product of the "
        "user's row and the item's. `popularity`: that of the item, 0 for users with a niche taste. `text`: "
        "similarity of the texts. `rest`: all smaller summands together."
    )
    item_id: int | str | None
    title: str | None
    adds: float
    share: float | None = Field(description="Share of the score; null if the score is 0.")


class Near(BaseModel):
    """An item of the history that is close to the recommended one; it is not a part of the sum."""

    item_id: int | str
    title: str
    cosine: float


class Word(BaseModel):
    """A word that is in the text of the item and in the text of an item of the history."""

    word: str
    item_id: int | str
    title: str
    cosine: float


class Why(BaseModel):
    """Why an item is recommended: parts that add up to its score, close items of the history, and common words."""

    parts: list[Part]
    nearest: list[Near]
    words: list[Word]


class Item(BaseModel):
    """One item of a list."""

    rank: int
    item_id: int | str
    title: str
    score: float = Field(description="Comparable only within one list.")
    fields: dict[str, Any] | None = Field(
        None, description="The fields that the request asked for; left out otherwise."
    )
    why: Why | None = Field(
        None, description="The reasons, if `explain` asked for them; left out otherwise."
    )


class ItemList(BaseModel):
    """A list of items, the best first."""

    items: list[Item]
    bundle: str = Field(description="The first 12 digits of the hash of the bundle that answered.")


class Suggestion(BaseModel):
    """An item that matches a query."""

    item_id: int | str
    title: str


class Suggestions(BaseModel):
    """Items that match a query: first those that begin with it, then the most popular."""

    items: list[Suggestion]


class Users(BaseModel):
    """Users whose ids match a query."""

    users: list[int | str]


class Asking(_Body):
    """A request for recommendations from liked items or words."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"history": ["i3", "i40"], "k": 5, "explain": True}]},
    )

    history: list[ItemId] = Field([], max_length=1000, description="Ids of items that they like.")
    words: str | None = Field(
        None,
        max_length=2000,
        description="Their taste in words, preferably words of the catalogue's texts.",
    )
    where: str | None = Field(
        None,
        max_length=2000,
        description="A condition over the items' fields, such as `in_stock = true and price < 50`.",
    )
    exclude: list[ItemId] = Field(
        [], max_length=10_000, description="Ids of items that must not be listed."
    )
    k: int = Field(10, ge=1, le=MOST_ITEMS, description="Number of items.")
    diversity: Share = Field(
        0.0, description="How strongly the list prefers items that differ from each other."
    )
    text_weight: Share | None = Field(
        None,
        description="Weight of the similarity of texts against the learned scores: both are scaled to one spread, and "
        "their weighted mean is the score. Default: 0; with words 0.5, and 0.7 for words alone.",
    )
    include_seen: bool = Field(False, description="Also list items of the history.")
    fields: list[str] = Field([], max_length=100, description="Fields of the items to return.")
    explain: bool = Field(
        False, description=f"Return reasons; only for lists of at most {MOST_EXPLAINED} items."
    )


class NewItem(_Body):
    """A new item."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "item_id": "n1",
                    "title": "Titanium pot",
                    "text": "A light pot for camping, 900 ml.",
                    "fields": {},
                }
            ]
        },
    )

    item_id: ItemId
    title: str | None = Field(None, max_length=2000)
    text: str = Field(
        min_length=1, max_length=20_000, description="A text in the form of the catalogue's texts."
    )
    fields: dict[str, Any] = Field(
        {}, description="Further fields, of the same types as in the bundle."
    )


class Added(BaseModel):
    """A new item that can be recommended from now on."""

    item_id: int | str
    title: str
    items: int = Field(description="Number of new items that the server holds now.")


class Event(_Body):
    """An event: a user did something with an item."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user_id": "u7", "item_id": "i3", "timestamp": 1764180000}]
        },
    )

    user_id: ItemId
    item_id: ItemId
    timestamp: int | None = Field(
        None, ge=0, lt=2**53, description="Time in seconds since 1970. Default: now."
    )


class Accepted(BaseModel):
    """Number of events that are on disk."""

    accepted: int


class State(BaseModel):
    """Whether the server can answer, and with which bundle."""

    status: str
    bundle: str | None = None
    users: int | None = None
    items: int | None = None
