"""What the API takes and gives, with examples; OpenAPI is made of it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MOST_ITEMS: Final = 1000
"""Of a list."""
MOST_EXPLAINED: Final = 100
"""Of a list with reasons, each of which takes a millisecond or so."""
MOST_EVENTS: Final = 1000
"""Of a request."""
_LONGEST_ID: Final = 1000


def _without_nul(name: str) -> str:
    if "\0" in name:
        raise ValueError("it holds a NUL character, which no database can keep")
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
    """Why a request was refused."""

    error: str = Field(examples=["no user 'u999' in this bundle."])


class Part(BaseModel):
    """One summand of a score."""

    of: str = Field(
        description="`item`: an item of the history, by the item-item matrix. `tables`: the inner product of the "
        "user's row and the item's. `popularity`: that of the item, 0 for users with a niche taste. `text`: "
        "likeness of the texts. `rest`: all smaller summands together."
    )
    item_id: int | str | None
    title: str | None
    adds: float
    share: float | None = Field(description="Of the score; null where that is 0.")


class Near(BaseModel):
    """An item of the history near the recommended one; no part of the sum."""

    item_id: int | str
    title: str
    cosine: float


class Word(BaseModel):
    """A word in the text of the item and in that of an item of the history."""

    word: str
    item_id: int | str
    title: str
    cosine: float


class Why(BaseModel):
    """Why an item is recommended: parts that add up to its score, what is near, and words that connect."""

    parts: list[Part]
    nearest: list[Near]
    words: list[Word]


class Item(BaseModel):
    """One item of a list."""

    rank: int
    item_id: int | str
    title: str
    score: float = Field(description="Comparable within one list only.")
    fields: dict[str, Any] | None = Field(
        None, description="Those that `fields` asked for; left out otherwise."
    )
    why: Why | None = Field(None, description="Where `explain` asked for it; left out otherwise.")


class ItemList(BaseModel):
    """Items, best first."""

    items: list[Item]
    bundle: str = Field(description="The first 12 digits of the hash of the bundle that answered.")


class Suggestion(BaseModel):
    """An item that a query finds."""

    item_id: int | str
    title: str


class Suggestions(BaseModel):
    """Items that a query finds: those that begin with it first, then the most popular."""

    items: list[Suggestion]


class Users(BaseModel):
    """Users whose ids a query finds."""

    users: list[int | str]


class Asking(_Body):
    """What to recommend, to somebody who is only a list of items, or words."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"history": ["i3", "i40"], "k": 5, "explain": True}]},
    )

    history: list[ItemId] = Field([], max_length=1000, description="Ids of items that they like.")
    words: str | None = Field(
        None, max_length=2000, description="What they like, in the words of the catalogue's texts."
    )
    where: str | None = Field(
        None,
        max_length=2000,
        description="A condition over the items' fields, as `in_stock = true and price < 50`.",
    )
    exclude: list[ItemId] = Field(
        [], max_length=10_000, description="Ids of items that may not be listed."
    )
    k: int = Field(10, ge=1, le=MOST_ITEMS, description="How many items.")
    diversity: Share = Field(0.0, description="How much unlike items are preferred.")
    text_weight: Share | None = Field(
        None,
        description="How much likeness of the texts weighs against what the model has learned: both scores are brought "
        "to one spread and averaged so. By default 0; beside words 0.5, and 0.7 for words alone.",
    )
    include_seen: bool = Field(False, description="List items of the history as well.")
    fields: list[str] = Field([], max_length=100, description="Fields of the items to give along.")
    explain: bool = Field(False, description=f"Say why; for lists of {MOST_EXPLAINED} at most.")


class NewItem(_Body):
    """An item that the bundle does not have."""

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
        min_length=1, max_length=20_000, description="As the catalogue's texts are written."
    )
    fields: dict[str, Any] = Field(
        {}, description="Further fields, of the types that the bundle's have."
    )


class Added(BaseModel):
    """A new item that may be recommended from now on."""

    item_id: int | str
    title: str
    items: int = Field(description="New items that are held now.")


class Event(_Body):
    """Something that a user did with an item."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user_id": "u7", "item_id": "i3", "timestamp": 1764180000}]
        },
    )

    user_id: ItemId
    item_id: ItemId
    timestamp: int | None = Field(
        None, ge=0, lt=2**53, description="In seconds since 1970; by default now."
    )


class Accepted(BaseModel):
    """Events that are on disk."""

    accepted: int


class State(BaseModel):
    """Whether the server answers, and with what."""

    status: str
    bundle: str | None = None
    users: int | None = None
    items: int | None = None
