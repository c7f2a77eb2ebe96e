"""The API."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field

from darec.ids.idmap import typed
from darec.serving import asking
from darec.serving.answers import item_list
from darec.serving.metrics import CONTENT_TYPE
from darec.serving.opened import LOG, text_of
from darec.serving.refusals import RefusalError, documented
from darec.serving.schemas import (
    MOST_EVENTS,
    MOST_ITEMS,
    Accepted,
    Added,
    Asking,
    Event,
    ItemId,
    ItemList,
    NewItem,
    Share,
    State,
    Suggestion,
    Suggestions,
    Users,
)
from darec.serving.state import Shop

router = APIRouter()
K = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Number of items.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Largest number of results.")]
Fields = Annotated[list[str], Query(max_length=100, description="Fields of the items to return.")]
Words = Annotated[
    str, Query(alias="query", max_length=1000, description="The text that was typed.")
]


def shop_of(request: Request) -> Shop:
    """Return the holder of the served bundle."""
    shop: Shop = request.app.state.shop
    return shop


@router.get(
    "/v1/users/{user_id:path}/recommendations",
    responses=documented(404, 409),
    response_model_exclude_unset=True,
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
    """Return the best items for a user of the bundle."""
    opened = shop_of(request).now()
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
    return item_list(opened, *asking.recommend(opened, asked, user), fields=fields)


@router.post("/v1/recommendations", responses=documented(409), response_model_exclude_unset=True)
def recommendations(request: Request, asked: Asking) -> ItemList:
    """Return the best items for a list of liked items, or for words."""
    opened = shop_of(request).now()
    return item_list(opened, *asking.recommend(opened, asked), fields=asked.fields)


@router.get(
    "/v1/items/{item_id:path}/similar", responses=documented(404), response_model_exclude_unset=True
)
def similar_items(
    request: Request,
    item_id: Annotated[str, Path(description="Id of an item.", examples=["i3"])],
    k: K = 10,
    fields: Fields = [],  # noqa: B006
) -> ItemList:
    """Return the items that are most similar to one."""
    opened = shop_of(request).now()
    item = asking.check_known(opened, "item", item_id)
    return item_list(opened, asking.similar(opened, item, k), fields=fields)


@router.get("/v1/items", responses=documented())
def find_items(request: Request, query: Words = "", limit: Limit = 10) -> Suggestions:
    """Find items by a part of their titles or ids."""
    opened = shop_of(request).now()
    named = opened.shown.named
    return Suggestions(
        items=[
            Suggestion(item_id=text_of(named.items.ids[row]), title=str(named.titles[row]))
            for row in opened.finder.items(query, limit)
        ]
    )


@router.get("/v1/users", responses=documented())
def find_users(request: Request, query: Words = "", limit: Limit = 10) -> Users:
    """Find users by a part of their ids."""
    opened = shop_of(request).now()
    ids = opened.shown.named.users.ids
    return Users(users=[text_of(ids[row]) for row in opened.finder.users(query, limit)])


@router.post("/v1/items", status_code=201, responses=documented(409, 507))
def add_item(request: Request, item: NewItem) -> Added:
    """Add a new item by its text. It can be recommended at once, and is kept in ``items.jsonl`` in the log folder."""
    shop = shop_of(request)
    try:
        opened = shop.add(str(item.item_id), item.title or None, item.text, item.fields)
    except OSError as error:
        raise _not_written(error) from None
    named = opened.shown.named
    row = named.items.row(item.item_id)
    return Added(
        item_id=text_of(named.items.ids[row]), title=str(named.titles[row]), items=len(opened.new)
    )


@router.post("/v1/feedback", status_code=202, responses=documented(507))
def feedback(
    request: Request,
    events: Event
    | Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS, title="Events")],
) -> Accepted:
    """Keep events of users in ``feedback.jsonl`` in the log folder. They are on disk before the answer is sent."""
    shop = shop_of(request)
    named = shop.now().shown.named
    rows = []
    for event in [events] if isinstance(events, Event) else events:
        if event.item_id not in named.items:
            raise RefusalError(
                422,
                f"item_id: no item {str(event.item_id)!r} here; add new items by POST /v1/items.",
            )
        seconds = int(time.time()) if event.timestamp is None else event.timestamp
        user, item = (
            typed([str(one)], ids.type)[0]
            for one, ids in ((event.user_id, named.users), (event.item_id, named.items))
        )
        rows.append({"user_id": text_of(user), "item_id": text_of(item), "timestamp": seconds})
    try:
        shop.feedback.append(rows)
    except OSError as error:
        raise _not_written(error) from None
    shop.metrics.events.inc(len(rows))
    return Accepted(accepted=len(rows))


@router.get("/metrics", responses=documented(), response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus."""
    return Response(shop_of(request).metrics.text(), media_type=CONTENT_TYPE)


@router.get("/healthz")
async def healthy() -> State:
    """Answer as long as the process runs."""
    return State(status="ok")


@router.get("/readyz")
async def ready(request: Request) -> State:
    """Say whether a bundle is served, and which."""
    opened = shop_of(request).now()
    counts = opened.shown.named
    return State(
        status="ready", bundle=opened.digits, users=len(counts.users), items=len(counts.items)
    )


def _not_written(error: OSError) -> RefusalError:
    LOG.error("the log cannot be written: %s", error)
    return RefusalError(507, f"not accepted: the log cannot be written ({error.strerror}).")
