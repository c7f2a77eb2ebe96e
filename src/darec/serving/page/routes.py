"""The routes of the page."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from darec.errors import DarecError
from darec.serving import asking
from darec.serving.answers import item_list
from darec.serving.opened import Opened
from darec.serving.page.changes import changes
from darec.serving.page.state import MOST, K, PageState, failure, shortened_fields
from darec.serving.refusals import RefusalError
from darec.serving.state import Shop

HERE: Final = Path(__file__).parent
SHOWN: Final = 3
"""Fields of an item that a card shows."""
_WRONG: Final = (DarecError, RefusalError)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def page(request: Request) -> HTMLResponse:
    """Return the page; for htmx only the results."""
    opened = _opened(request)
    status, error, state, cards = 200, "", PageState(), []
    try:
        state = PageState.of(request.query_params, opened)
    except _WRONG as wrong:
        status, error = failure(wrong)
        without = [(n, v) for n, v in request.query_params.multi_items() if n != "add"]
        state = PageState.of(type(request.query_params)(without), opened)
    try:
        if state.asks:
            cards = _cards(opened, state)
    except _WRONG as wrong:
        status, error = failure(wrong)
    more = {
        "cards": cards,
        "error": error,
        "popular": [] if state.asks else _popular(opened, state),
        "most": MOST,
        "step": K,
    }
    template = "answer.html" if _by_htmx(request) else "page.html"
    return _html(request, opened, state, template, status, more)


@router.get("/similar")
def similar(request: Request) -> HTMLResponse:
    """Return items that are similar to one, for a dialog or as a page."""
    return _about(request, "similar.html", lambda opened, state, item: _similar(opened, item))


@router.get("/change")
def change(request: Request) -> HTMLResponse:
    """Return how the list would change with one more liked item, for a dialog or as a page."""
    return _about(
        request,
        "change.html",
        lambda opened, state, item: {"changes": changes(opened, state, item)},
    )


@router.get("/page/items")
def suggested_items(request: Request) -> HTMLResponse:
    """Return the options of the search box for items."""
    opened = _opened(request)
    query = request.query_params.get("add", "").strip()
    rows = opened.finder.items(query, 8) if query else []
    named = opened.shown.named
    found = [(named.items.texts[row], str(named.titles[row])) for row in rows]
    return _html(
        request, opened, PageState(), "options.html", 200, {"options": found, "asked": query}
    )


@router.get("/page/users")
def suggested_users(request: Request) -> HTMLResponse:
    """Return the options of the search box for users."""
    opened = _opened(request)
    query = request.query_params.get("user", "").strip()
    ids = opened.shown.named.users.texts
    found = [(ids[row], ids[row]) for row in opened.finder.users(query, 8)] if query else []
    return _html(
        request, opened, PageState(), "options.html", 200, {"options": found, "asked": query}
    )


def _about(request: Request, template: str, told: Any) -> HTMLResponse:
    opened = _opened(request)
    state, status, more = PageState(), 200, {}
    try:
        state = PageState.of(request.query_params, opened)
        item = asking.check_known(opened, "item", request.query_params.get("item", ""))
        row = opened.shown.named.items.row(item)
        more = {
            "title": str(opened.shown.named.titles[row]),
            "item": opened.shown.named.items.texts[row],
        }
        more |= told(opened, state, item)
    except _WRONG as wrong:
        status, error = failure(wrong)
        template, more = "wrong.html", {"error": error}
    inside = {"inside": template, **more}
    return _html(
        request, opened, state, template if _by_htmx(request) else "alone.html", status, inside
    )


def _cards(opened: Opened, state: PageState) -> list[dict[str, Any]]:
    """Return the list with its reasons, as values of the cards."""
    user = None
    if state.mode == "user":
        user = asking.check_known(opened, "user", state.user)
    found, whys = asking.recommend(opened, state.asking(explain=True), user)
    return _shown(
        opened, item_list(opened, found, whys, fields=_fields(opened)).model_dump()["items"]
    )


def _similar(opened: Opened, item: Any) -> dict[str, Any]:
    found = item_list(opened, asking.similar(opened, item, 8), fields=_fields(opened))
    return {"cards": _shown(opened, found.model_dump()["items"])}


def _shown(opened: Opened, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for one in items:
        one["shown"] = shortened_fields(one["fields"] or {})
        one["key"] = str(one["item_id"])
    return items


def _popular(opened: Opened, state: PageState) -> list[tuple[str, str]]:
    """Return popular items for the first pick."""
    named = opened.shown.named
    rows = [row for row in opened.finder.items("", 24) if named.items.texts[row] not in state.liked]
    return [(named.items.texts[row], str(named.titles[row])) for row in rows[:18]]


def _fields(opened: Opened) -> list[str]:
    return list(opened.bundle.manifest["fields"])[:SHOWN]


def _opened(request: Request) -> Opened:
    shop: Shop = request.app.state.shop
    return shop.now()


def _by_htmx(request: Request) -> bool:
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def _html(
    request: Request,
    opened: Opened,
    state: PageState,
    template: str,
    status: int,
    more: dict[str, Any],
) -> HTMLResponse:
    named = opened.shown.named
    liked = [
        (one, str(named.titles[named.items.row(one)])) for one in state.liked if one in named.items
    ]
    text = (
        _templates()
        .get_template(template)
        .render(
            state=replace(state, liked=tuple(one for one, _ in liked)),
            liked=liked,
            opened=opened,
            by_htmx=_by_htmx(request),
            **more,
        )
    )
    headers = {"cache-control": "no-store", "vary": "HX-Request"}
    if template == "answer.html":
        headers["HX-Push-Url"] = "/?" + state.query()
        if state.text_weight is None:
            headers["HX-Trigger"] = json.dumps({"usual": {"weight": state.usual}})
    return HTMLResponse(text, status, headers)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
