"""The API answers as the bundle does, and refuses in one line."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import torch
from starlette.testclient import TestClient

import darec
from command_line import refused
from darec.serving.app import create_app
from darec.serving.server import bind
from darec.serving.settings import ServingSettings


def test_lists_are_those_of_the_bundle(client: TestClient, bundle: Path) -> None:
    opened = darec.open_bundle(bundle)
    options = {"where": "price < 30 and 'outdoor' = any(tags)", "exclude": ["i9"], "diversity": 0.3}
    given = client.get("/v1/users/u3/recommendations", params={"k": 7, **options}).json()
    ours = [(one["rank"], one["item_id"], one["title"], one["score"]) for one in given["items"]]
    theirs = [
        (one.rank, one.item_id, one.title, one.score)
        for one in opened.recommend("u3", 7, **options)
    ]
    assert ours == theirs and len(ours) == 7
    asked = {"history": ["i3", "i4"], "k": 5, **options}
    given = client.post("/v1/recommendations", json=asked).json()
    theirs = opened.recommend_for(["i3", "i4"], 5, **options)
    assert [(one["item_id"], one["score"]) for one in given["items"]] == [
        (one.item_id, one.score) for one in theirs
    ]
    given = client.get("/v1/items/i3/similar", params={"k": 4, "fields": "price"}).json()
    assert [one["item_id"] for one in given["items"]] == [
        one.item_id for one in opened.similar("i3", 4)
    ]
    assert all(one["fields"] == {"price": float(one["item_id"][1:])} for one in given["items"])
    assert given["bundle"] == opened.manifest["sha256"][:12]
    all_ = client.get(
        "/v1/users/u3/recommendations", params={"k": 1000, "include_seen": True}
    ).json()
    assert len(all_["items"]) == len(opened.items), "no more than there are"


def test_what_was_not_asked_for_is_left_out(client: TestClient) -> None:
    keys = {"rank", "item_id", "title", "score"}
    for given in (
        client.get("/v1/users/u3/recommendations"),
        client.post("/v1/recommendations", json={"history": ["i3"]}),
        client.get("/v1/items/i3/similar"),
    ):
        assert {frozenset(one) for one in given.json()["items"]} == {frozenset(keys)}
    asked = {"history": ["i3"], "explain": True, "fields": ["price"]}
    (one, *_) = client.post("/v1/recommendations", json=asked).json()["items"]
    assert set(one) == {*keys, "fields", "why"}


def test_reasons_add_up_to_the_score(client: TestClient, bundle: Path) -> None:
    user = client.get("/v1/users/u3/recommendations", params={"k": 5, "explain": True}).json()
    asked = {"history": ["i3", "i4", "i8", "i9", "i13", "i14", "i0"], "k": 5, "explain": True}
    somebody = client.post("/v1/recommendations", json=asked).json()
    for one in (*user["items"], *somebody["items"]):
        parts = one["why"]["parts"]
        assert sum(part["adds"] for part in parts) == pytest.approx(one["score"], abs=1e-4)
        assert sum(part["share"] for part in parts) == pytest.approx(1, abs=1e-4)
        assert one["why"]["nearest"] and one["why"]["words"]
    assert any(part["of"] == "rest" for part in somebody["items"][0]["why"]["parts"])


def test_typing_ahead_finds(client: TestClient) -> None:
    def found(query: str) -> list[str]:
        given = client.get("/v1/items", params={"query": query, "limit": 3}).json()["items"]
        return [one["item_id"] for one in given]

    assert set(found("TENT no. 1")) == {"i1", "i11", "i16"}
    assert found("i12")[0] == "i12" and found("<evil") == ["i7"]
    assert found("no such thing") == []
    assert len(found("")) == 3
    users = client.get("/v1/users", params={"query": "U1"}).json()["users"]
    assert users == ["u1", "u10", "u11", "u12", "u13", "u14"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/v1/users/nobody/recommendations", None, 404, "no user 'nobody' in this bundle"),
        ("GET", "/v1/users//recommendations", None, 404, "no user ''"),
        ("GET", "/v1/items/i999/similar", None, 404, "no item 'i999'"),
        ("GET", "/v1/users/u1/recommendations?k=0", None, 422, "k: "),
        ("GET", "/v1/users/u1/recommendations?k=1001", None, 422, "k: "),
        ("GET", "/v1/users/u1/recommendations?k=101&explain=true", None, 422, "at most 100 items with explain"),
        ("GET", "/v1/users/u1/recommendations?where=prize<3", None, 422, "did you mean 'price'"),
        ("GET", "/v1/users/u1/recommendations?where=price<-1", None, 422, "no item meets"),
        ("GET", "/v1/users/u1/recommendations?diversity=nan", None, 422, "diversity: "),
        ("GET", "/v1/users/u1/recommendations?fields=prize", None, 422, "did you mean 'price'"),
        ("POST", "/v1/recommendations", {}, 422, "history: name at least one item"),
        ("POST", "/v1/recommendations", {"history": ["zz"]}, 422, "no item is called 'zz'"),
        ("POST", "/v1/recommendations", {"histroy": ["i1"]}, 422, "histroy: Extra inputs"),
        ("POST", "/v1/recommendations", {"history": [""]}, 422, "history.0: String should have at least 1 character."),
        ("POST", "/v1/feedback", {"user_id": "", "item_id": "i1"}, 422, "user_id: String should have at least 1"),
        ("POST", "/v1/feedback", {"user_id": "x" * 2000, "item_id": "i1"}, 422, "user_id: String should have at most"),
        ("POST", "/v1/feedback", {"user_id": 2**70, "item_id": "i1"}, 422, "user_id: Input should be less than"),
        ("POST", "/v1/feedback", {"user_id": "a\0b", "item_id": "i1"}, 422, "user_id: it holds a NUL character"),
        ("POST", "/v1/feedback", [], 422, "body: List should have at least 1 item"),
        ("POST", "/v1/feedback", [{"item_id": "i1"}], 422, "user_id: Field required."),
        ("POST", "/v1/items", {"item_id": "\0", "text": "pot"}, 422, "item_id: it holds a NUL character"),
        ("GET", "/v1/nothing", None, 404, "Not Found"),
        ("DELETE", "/v1/items", None, 405, "Method Not Allowed"),
    ],
)  # fmt: skip
def test_wrong_requests_are_refused_in_one_line(
    client: TestClient, method: str, path: str, body: object, status: int, says: str
) -> None:
    got = client.request(method, path, json=body)
    assert got.status_code == status
    assert set(got.json()) == {"error"} and says in got.json()["error"]
    assert "\n" not in got.json()["error"] and len(got.text) < 3000


@pytest.mark.parametrize(
    "identifier",
    ["'\"`;--", "\0", "<script>alert(1)</script>", "x" * 50_000, "../../etc/passwd", "%s%n", "ü\u202e", "a/b?c#d"],
)  # fmt: skip
def test_odd_ids_are_refused(client: TestClient, identifier: str) -> None:
    from urllib.parse import quote

    for path in ("/v1/users/{}/recommendations", "/v1/items/{}/similar"):
        got = client.get(path.format(quote(identifier, safe="")))
        assert got.status_code == 404 and len(got.text) < 3000
    got = client.post("/v1/recommendations", json={"history": [identifier]})
    assert got.status_code == 422 and len(got.text) < 3000
    for kind in ("items", "users"):
        assert client.get(f"/v1/{kind}", params={"query": identifier[:1000]}).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b'{"history": ["\\ud800"]}', b"\xff\xfe", b'{"k": NaN}']
)
def test_bodies_that_are_no_request(client: TestClient, body: bytes) -> None:
    got = client.post(
        "/v1/recommendations", content=body, headers={"content-type": "application/json"}
    )
    assert got.status_code == 422 and set(got.json()) == {"error"}


def test_what_cannot_be_served_is_told_in_one_line(
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = bind("127.0.0.1", 0)
    assert taken.proto == socket.IPPROTO_TCP, "answers do not wait for more to send"
    port = taken.getsockname()[1]
    assert f"port {port} of 127.0.0.1 is in use" in refused(capsys, "serve", bundle, "--port", port)
    taken.close()
    assert "no bundle at" in refused(capsys, "serve", tmp_path / "none", "--port", 0)
    assert "not a complete bundle" in refused(capsys, "serve", tmp_path, "--port", 0)
    assert "--host no.such.host.invalid" in refused(
        capsys, "serve", bundle, "--host", "no.such.host.invalid"
    )
    assert "the variable is empty or not set" in refused(
        capsys, "serve", bundle, "--token-env", "NOT_THERE"
    )
    (tmp_path / "file").touch()
    assert "Name another folder with --log" in refused(
        capsys, "serve", bundle, "--port", 0, "--log", tmp_path / "file"
    )
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "items.jsonl").write_text("{}\nno JSON\n")
    assert "line 2 is not JSON" in refused(
        capsys, "serve", bundle, "--port", 0, "--log", tmp_path / "log"
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    said = refused(capsys, "serve", bundle)
    assert "needs fastapi, uvicorn, jinja2, prometheus-client: pip install 'darec[serve]'" in said


@pytest.mark.parametrize("made", [int, lambda n: UUID(int=n)], ids=["int", "uuid"])
def test_ids_are_given_as_they_came(made: Any, tmp_path: Path) -> None:
    from darec.config import resolve_config
    from darec.run import Run
    from darec.scoring import TableScorer
    from darec.types import Tables

    pairs = [(made(u), made(100 + i)) for u in range(6) for i in range(12) if (u + i) % 3]
    data = darec.load_dataset(pairs)
    generator = torch.Generator().manual_seed(0)
    users, items = (torch.randn(n, 4, generator=generator) for n in (data.n_users, data.n_items))
    scorer = TableScorer(Tables(users, items), data.items.tie_order)
    bundle = darec.export_bundle(Run(resolve_config(), data, scorer, {}), tmp_path / "b")
    user, item = data.users.ids[0], data.items.ids[0]
    kind = int if made is int else str
    with TestClient(create_app(ServingSettings(str(bundle.path), str(tmp_path / "log")))) as client:
        got = client.get(f"/v1/users/{user}/recommendations", params={"k": 3}).json()["items"]
        theirs = [one.item_id for one in bundle.recommend(user, 3)]
        assert [one["item_id"] for one in got] == [kind(one) for one in theirs]
        for name in (str(item), kind(item)):
            asked = {"history": [name], "exclude": [str(theirs[0])], "k": 20}
            found = client.post("/v1/recommendations", json=asked).json()["items"]
            assert len(found) == data.n_items - 2
            assert (
                client.post(
                    "/v1/feedback", json={"user_id": str(user), "item_id": name}
                ).status_code
                == 202
            )
        assert kind(item) not in [
            one["item_id"] for one in client.get(f"/v1/items/{item}/similar").json()["items"]
        ]
        for path in (f"/?user={user}", f"/?liked={item}", f"/change?liked={item}&item={theirs[0]}"):
            assert client.get(path).status_code == 200
        assert kind(user) in client.get("/v1/users", params={"query": str(user)}).json()["users"]
    events = [
        json.loads(line) for line in (tmp_path / "log" / "feedback.jsonl").read_text().splitlines()
    ]
    assert {event["item_id"] for event in events} == {kind(item)}
