"""The page without a browser: what it shows, what it escapes, and what it leaves out."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_shop import make_run
from starlette.testclient import TestClient

import darec
from darec.scoring.mixing import WORDS
from darec.serving.app import create_app
from darec.serving.settings import ServingSettings

PATHS = ("/", "/similar", "/change", "/page/items", "/page/users")
HTMX = {"HX-Request": "true"}


def titles(text: str) -> list[str]:
    return re.findall(r'<h2 id="title-\d+"><bdi>(.*?)</bdi>', text)


def test_a_list_is_that_of_the_api(client: TestClient) -> None:
    shown = client.get("/", params={"liked": ["i1", "i2"], "diversity": 0.4})
    asked = {"history": ["i1", "i2"], "diversity": 0.4, "k": 12}
    listed = client.post("/v1/recommendations", json=asked).json()["items"]
    assert shown.status_code == 200 and shown.text.count("<html") == 1
    found = [text.replace("&#39;", "'").replace("&amp;", "&") for text in titles(shown.text)]
    assert found == [one["title"] for one in listed if "<" not in one["title"]] or len(found) == 12
    part = client.get("/", params={"liked": ["i1", "i2"], "diversity": 0.4}, headers=HTMX)
    assert "<html" not in part.text and titles(part.text) == titles(shown.text)
    assert part.headers["HX-Push-Url"] == "/?liked=i1&liked=i2&diversity=0.4"
    assert 'hx-swap-oob="innerHTML"' in part.text


def test_items_are_added_by_name_and_removed(client: TestClient) -> None:
    got = client.get("/", params={"liked": "i1", "add": "tent no. 6"}, headers=HTMX)
    assert got.headers["HX-Push-Url"] == "/?liked=i1&liked=i6"
    got = client.get("/", params={"liked": ["i1", "i6"], "remove": "i1"}, headers=HTMX)
    assert got.headers["HX-Push-Url"] == "/?liked=i6"
    got = client.get("/", params={"liked": "i1", "add": "no such item"})
    assert got.status_code == 422 and "no item is called &#39;no such item&#39;" in got.text
    assert "Tent No. 1" in got.text, "what was picked before is still there"


def test_words_weigh_as_usual_until_the_slider_is_moved(client: TestClient) -> None:
    asked = {"words": "lamp", "text_weight": "0.0", "usual": "0.0"}
    got = client.get("/", params=asked, headers=HTMX)
    assert got.headers["HX-Push-Url"] == "/?words=lamp"
    assert got.headers["HX-Trigger"] == json.dumps({"usual": {"weight": WORDS}})
    got = client.get("/", params={**asked, "text_weight": "0.3", "usual": str(WORDS)}, headers=HTMX)
    assert got.headers["HX-Push-Url"] == "/?words=lamp&text_weight=0.3"
    assert "HX-Trigger" not in got.headers


def test_a_user_a_stranger_and_a_condition(client: TestClient) -> None:
    got = client.get("/", params={"user": "u3"})
    assert (
        got.status_code == 200 and "For <bdi>u3</bdi>" in got.text and len(titles(got.text)) == 12
    )
    got = client.get("/", params={"user": "nobody"})
    assert got.status_code == 404 and "no user &#39;nobody&#39;" in got.text
    got = client.get("/", params={"user": "u3", "where": "price < 10"})
    assert 0 < len(titles(got.text)) < 10
    got = client.get("/", params={"user": "u3", "where": "prize < 10"})
    assert got.status_code == 422 and "did you mean &#39;price&#39;" in got.text


def test_one_item_more_changes_the_list(client: TestClient) -> None:
    got = client.get("/change", params={"liked": ["i1", "i6"], "item": "i2"}, headers=HTMX)
    assert "If you liked <bdi>Lamp No. 2</bdi> too" in got.text and "<html" not in got.text
    places = [int(place) for place in re.findall(r'class="place">(\d+)', got.text)]
    assert places[:12] == [*range(1, 13)]
    assert re.search(r"up \d+|new here", got.text)
    rows = re.findall(r"<h2><bdi>(.*?)</bdi></h2>", got.text)
    assert "Lamp No. 2" not in rows and not {"Tent No. 1", "Tent No. 6"} & {*rows}
    got = client.get("/change", params={"user": "u3", "item": "i2"})
    assert "If they liked" in got.text and got.text.count("<html") == 1
    got = client.get("/change", params={"liked": "i1", "item": "none"})
    assert got.status_code == 404 and "no item &#39;none&#39;" in got.text


@pytest.mark.parametrize(
    "asked",
    [
        {"user": "u3"},
        {"user": "u3", "diversity": 0.5, "text_weight": 0.4, "where": "price > 3", "k": 24},
        {"liked": ["i1", "i6"], "k": 24},
        {"liked": "i1", "words": "lamp"},
    ],
)
def test_a_change_is_from_the_list_that_is_shown(client: TestClient, asked: dict[str, Any]) -> None:
    page = client.get("/", params=asked).text
    shown = titles(page)
    item = re.findall(r'href="/change\?item=(\w+)', page)[1]
    got = client.get("/change", params={**asked, "item": item}, headers=HTMX).text
    new, _, gone = got.partition("No longer among")
    rows = re.findall(
        r'place">(\d+)</span><h2><bdi>(.*?)</bdi></h2>\s*<span class="move[^>]*>([^<]+)<', new
    )
    names = [name for _, name, _ in rows]
    assert len(rows) == 12 and shown[1] not in names
    for place, name, move in rows:
        before = shown.index(name) + 1 if name in shown else None
        rises = before - int(place) if before else None
        told = {None: "new here", 0: "as before"}.get(rises, f"up {rises}")
        assert move == (told if rises is None or rises >= 0 else f"down {-rises}"), name
    left = re.findall(r'place">(\d+)</span><h3><bdi>(.*?)</bdi></h3>', gone)
    at = [(str(place), name) for place, name in enumerate(shown[:12], 1) if name not in names]
    assert left == [one for one in at if one[1] != shown[1]]


def test_a_user_with_one_item_more_is_scored_exactly_by_a_matrix(tmp_path: Path) -> None:
    bundle = darec.export_bundle(make_run(kind="matrix"), tmp_path / "b")
    with TestClient(create_app(ServingSettings(str(bundle.path), str(tmp_path / "log")))) as client:
        got = client.get("/change", params={"user": "u3", "item": "i2"}, headers=HTMX).text
        has = [bundle.items.ids[row] for row in bundle.learned.of_user(bundle.users.row("u3"))]
        seen = [bundle.items.ids[row] for row in bundle.seen.of_user(bundle.users.row("u3"))]
        wanted = bundle.recommend_for([*has, "i2"], 12, exclude=seen)
        found = [html.unescape(one) for one in re.findall(r"<h2><bdi>(.*?)</bdi></h2>", got)]
        assert found == [one.title for one in wanted]
        same = client.get("/change", params={"user": "u3", "item": has[0]}, headers=HTMX).text
        assert same.count("as before") == 12 and "No longer among" not in same


NAMES = (
    "user",
    "liked",
    "add",
    "remove",
    "words",
    "where",
    "item",
    "k",
    "diversity",
    "text_weight",
)


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "'\"><script>alert(1)</script>", "\0", "x" * 20_000, "\u202eabc", "{{ 7*7 }}"],
)  # fmt: skip
def test_markup_is_shown_as_text(client: TestClient, text: str) -> None:
    for path in PATHS:
        for name in (*NAMES, "mode"):
            got = client.get(path, params={name: text})
            assert got.status_code in (200, 404, 422), (path, name)
            assert got.headers["content-type"].startswith("text/html")
            assert "<img" not in got.text and "<script>" not in got.text, (path, name)
            assert len(got.text) < 60_000 and "'49'" not in got.text and ">49<" not in got.text


def test_titles_are_escaped(client: TestClient) -> None:
    for path, query in (
        ("/", {"liked": "i7"}),
        ("/similar", {"item": "i7"}),
        ("/page/items", {"add": "evil"}),
    ):
        got = client.get(path, params=query)
        assert (
            got.status_code == 200 and "<evil" not in got.text and "&lt;evil onclick=" in got.text
        )


def test_nothing_comes_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert (
        "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    )
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {path for path in wanted if path.startswith(("http", "//"))} == set()
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        assert client.get(path).status_code == 200
    assert "style=" not in page.text and 'onclick="' not in page.text


def test_what_a_bundle_cannot_do_is_left_out(tmp_path: Path) -> None:
    can = {"both": {"diversity": True, "text_weight": False, "words": False}}
    can["matrix"] = {"diversity": False, "text_weight": False, "words": False}
    for kind, names in can.items():
        path = darec.export_bundle(
            make_run(kind=kind), tmp_path / kind, vectors=False, fields=[]
        ).path
        with TestClient(create_app(ServingSettings(str(path), str(tmp_path / "log")))) as client:
            page = client.get("/?liked=i1&diversity=0.5&text_weight=0.5&words=lamp")
            assert page.status_code == 200
            for name, there in {**names, "where": False}.items():
                assert (f'name="{name}"' in page.text) == there, (kind, name)


def test_every_part_of_a_score_has_its_name(tmp_path: Path) -> None:
    """As darec's default scores: tables, popularity and a matrix."""
    path = darec.export_bundle(make_run(kind="popular"), tmp_path / "b").path
    with TestClient(create_app(ServingSettings(str(path), str(tmp_path / "log")))) as client:
        new = {"item_id": "n1", "title": "New", "text": "a pot for camping"}
        assert client.post("/v1/items", json=new).status_code == 201
        page = client.get("/?user=u1").text
    assert "popular with everybody" in page and "taste learned from users" in page
    assert page.count("everything else") <= page.count('<h2 id="title-'), "the rest alone"
    assert "and 1 new item " in page


def test_there_may_be_no_page(settings: ServingSettings) -> None:
    with TestClient(create_app(replace(settings, page=False))) as client:
        for path in (*PATHS, "/static/page.css"):
            assert client.get(path).status_code == 404
        assert client.get("/v1/items").status_code == 200
