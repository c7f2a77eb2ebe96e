"""The API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from darec.serving import asking
from darec.serving.opened import text_of
from darec.serving.refusals import documented
from darec.serving.schemas import (
    MOST_ITEMS,
    Asking,
    ItemId,
    ItemList,
    Share,
    State,
    Suggestion,
    Suggestions,
    Users,
)
from darec.serving.state import Shop

router = APIRouter()
K = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="How many items.")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many, at most.")]
Fields = Annotated[
    list[str], Query(max_length=100, description="Fields of the items to give along.")
]
Words = Annotated[str, Query(alias="query", max_length=1000, description="What was typed.")]


def shop_of(request: Request) -> Shop:
    """What the application serves."""
    shop: Shop = request.app.state.shop
    return shop


@router.get(
    "/v1/users/{user_id:path}/recommendations",
    responses=documented(404, 409),
    response_model_exclude_none=False,
)
def recommendations_of_user(
    request: Request,
    user_id: Annotated[str, Path(description="Id of a user of the bundle.", examples=["u7"])],
    k: K = 10,
    where: Annotated[str | None, Query(max_length=2000)] = None,
    exclude: Annotated[list[ItemId], Query(max_length=1000)] = [],  # noqa: B006
    diversity: Annotated[Share, Query()] = 0.0,
    text_weight: Annotated[Share | None, Query()] = None,
    include_seen: bool = False,
    fields: Fields = [],  # noqa: B006
    explain: bool = False,
) -> ItemList:
    """The best items for a user of the bundle."""
    opened = shop_of(request).now
    user = asking.check_known(opened, "user", user_id)
    asked = Asking(
        k=k,
        where=where,
        exclude=exclude,
        diversity=diversity,
        text_weight=text_weight,
        include_seen=include_seen,
        fields=fields,
        explain=explain,
    )
    return asking.recommend(opened, asked, user)


@router.post("/v1/recommendations", responses=documented(409))
def recommendations(request: Request, asked: Asking) -> ItemList:
    """The best items for somebody who is only a list of items, or words."""
    return asking.recommend(shop_of(request).now, asked)


@router.get("/v1/items/{item_id:path}/similar", responses=documented(404))
def similar_items(
    request: Request,
    item_id: Annotated[str, Path(description="Id of an item.", examples=["i3"])],
    k: K = 10,
    fields: Fields = [],  # noqa: B006
) -> ItemList:
    """The items most like one."""
    opened = shop_of(request).now
    return asking.similar(opened, asking.check_known(opened, "item", item_id), k, fields)


@router.get("/v1/items", responses=documented())
def find_items(request: Request, query: Words = "", limit: Limit = 10) -> Suggestions:
    """Items by what is typed of their titles or ids."""
    opened = shop_of(request).now
    named = opened.shown.named
    return Suggestions(
        items=[
            Suggestion(item_id=text_of(named.items.ids[row]), title=str(named.titles[row]))
            for row in opened.finder.items(query, limit)
        ]
    )


@router.get("/v1/users", responses=documented())
def find_users(request: Request, query: Words = "", limit: Limit = 10) -> Users:
    """Users by what is typed of their ids."""
    opened = shop_of(request).now
    ids = opened.shown.named.users.ids
    return Users(users=[text_of(ids[row]) for row in opened.finder.users(query, limit)])


@router.get("/healthz")
async def healthy() -> State:
    """Whether the process answers at all."""
    return State(status="ok")


@router.get("/readyz")
async def ready(request: Request, response: Response) -> State:
    """Whether it has something to answer with, and what."""
    opened = shop_of(request).now
    counts = opened.shown.named
    return State(
        status="ready", bundle=opened.digits, users=len(counts.users), items=len(counts.items)
    )
