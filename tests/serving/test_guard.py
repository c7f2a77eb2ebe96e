"""The token, the limits, what is counted, and the log that loses nothing."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from darec.errors import DataError, FolderError
from darec.serving.app import create_app
from darec.serving.log import Log
from darec.serving.settings import ServingSettings

EVENT = {"user_id": "u1", "item_id": "i3", "timestamp": 1_700_000_000}


def test_without_the_token_nothing_is_told(settings: ServingSettings) -> None:
    with TestClient(create_app(replace(settings, token="s3cret-ü"))) as client:
        for path in ("/v1/items", "/v1/nothing", "/metrics", "/openapi.json", "/"):
            for header in (
                None,
                "Bearer wrong",
                "Bearer",
                "s3cret-ü".encode(),
                "Basic !!!",
                b"Bearer \xff",
            ):
                headers = {} if header is None else {"authorization": header}
                got = client.get(path, headers=headers)  # type: ignore[arg-type]
                assert got.status_code == 401 and got.json() == {
                    "error": "send the token as 'Authorization: Bearer TOKEN'."
                }
                assert ("Basic" in got.headers["www-authenticate"]) == (not path.startswith("/v1/"))
        basic = base64.b64encode("anyone:s3cret-ü".encode())
        for header in ("Bearer s3cret-ü".encode(), b"bearer s3cret-\xc3\xbc", b"Basic " + basic):
            assert client.get("/v1/items", headers={"authorization": header}).status_code == 200  # type: ignore[dict-item]
        for path in ("/healthz", "/readyz"):
            assert client.get(path).status_code == 200


def test_a_large_body_is_refused(settings: ServingSettings) -> None:
    with TestClient(create_app(replace(settings, max_body=1000))) as client:
        assert client.post("/v1/recommendations", content=b"x" * 1000).status_code == 422
        assert client.post("/v1/recommendations", content=b"x" * 1001).status_code == 413
        parts = (b"x" * 100 for _ in range(20))  # of unknown length
        got = client.post("/v1/recommendations", content=parts)
        assert got.status_code == 413 and got.json() == {
            "error": "the body is larger than 1,000 bytes."
        }


def test_what_takes_too_long_is_given_up(
    settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("darec.serving.asking.recommend", lambda *_: go_on.wait(10))
    with TestClient(create_app(replace(settings, timeout=0.3, connections=2))) as client:
        started = time.monotonic()
        got = client.get("/v1/users/u1/recommendations")
        assert got.status_code == 503 and "took more than 0.3 s" in got.json()["error"]
        assert time.monotonic() - started < 3 and got.headers["retry-after"] == "1"
        assert client.get("/v1/items").status_code == 200
        go_on.set()


def test_too_many_at_once_are_told_to_wait(
    settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> Any:
        inside.set()
        go_on.wait(10)
        return [], None

    monkeypatch.setattr("darec.serving.asking.recommend", slow)
    with TestClient(create_app(replace(settings, connections=1))) as client:
        first = threading.Thread(target=client.get, args=("/v1/users/u1/recommendations",))
        first.start()
        assert inside.wait(5)
        got = client.get("/v1/items")
        assert got.status_code == 503 and "too many requests at once" in got.json()["error"]
        assert client.get("/healthz").status_code == 200
        go_on.set()
        first.join()
        assert client.get("/v1/items").status_code == 200


def test_requests_are_counted(client: TestClient) -> None:
    client.get("/v1/users/u1/recommendations")
    client.get("/v1/users/none/recommendations")
    client.get("/x" * 50)
    told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    route = 'route="/v1/users/{user_id:path}/recommendations"'
    for line in (
        f'darec_requests_total{{{route},status="200"}} 1.0',
        f'darec_requests_total{{{route},status="404"}} 1.0',
        'darec_requests_total{route="none",status="404"} 1.0',
        f"darec_request_seconds_count{{{route}}} 2.0",
        "darec_new_items 0.0",
    ):
        assert line in told.text.splitlines()


def test_events_are_kept_as_an_import_reads_them(
    client: TestClient, settings: ServingSettings
) -> None:
    assert client.post("/v1/feedback", json=EVENT).json() == {"accepted": 1}
    several = [{"user_id": "new one", "item_id": "i4"}, {**EVENT, "user_id": 7}]
    got = client.post("/v1/feedback", json=several)
    assert (got.status_code, got.json()) == (202, {"accepted": 2})
    file = Path(settings.log) / "feedback.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert rows[0] == EVENT and rows[2] == {**EVENT, "user_id": "7"}
    assert abs(rows[1].pop("timestamp") - time.time()) < 60
    assert rows[1] == {"user_id": "new one", "item_id": "i4"}
    for wrong in (
        {**EVENT, "item_id": "none"},
        [EVENT, {**EVENT, "timestamp": -1}],
        [],
        {},
        [EVENT] * 1001,
    ):
        got = client.post("/v1/feedback", json=wrong)
        assert got.status_code == 422 and set(got.json()) == {"error"}
    assert len(file.read_text().splitlines()) == 3, "all or none"


def test_a_log_moved_away_is_begun_anew(tmp_path: Path) -> None:
    log = Log(tmp_path / "a" / "log.jsonl")
    log.append([{"n": 1}])
    log.path.rename(tmp_path / "day.jsonl")
    log.append([{"n": 2}, {"n": "ü\n\0\u2028"}])
    assert (tmp_path / "day.jsonl").read_text() == '{"n": 1}\n'
    assert Log(log.path).read() == [{"n": 2}, {"n": "ü\n\0\u2028"}]


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    for left in ('{"n": 2, "tex', "x" * 10_000):
        log.path.write_text('{"n": 1}\n' + left)
        log.append([{"n": 3}])
        assert log.read() == [{"n": 1}, {"n": 3}]
    log.path.write_text("no line at all")
    log.append([{"n": 1}])
    assert log.read() == [{"n": 1}]
    log.path.write_text('{"n": 1}\n{"n": \n')
    with pytest.raises(DataError, match=r"log.jsonl, line 2 is not JSON"):
        log.read()


def test_many_write_whole_lines(tmp_path: Path) -> None:
    def write(number: int) -> None:
        log = Log(tmp_path / "log.jsonl")
        for n in range(20):
            log.append([{"who": number, "n": n, "more": "x" * 3000}] * 2)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    rows = Log(tmp_path / "log.jsonl").read()
    assert sorted((row["who"], row["n"]) for row in rows) == sorted(
        [(w, n) for w in range(4) for n in range(20)] * 2
    )


def test_a_full_disk_takes_nothing_and_says_so(
    client: TestClient, settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post("/v1/feedback", json=EVENT).status_code == 202
    file = Path(settings.log) / "feedback.jsonl"
    before = file.read_bytes()
    write = os.write

    def full(handle: int, data: bytes) -> int:
        if len(data) > 5 and data.startswith(b'{"user_id"'):
            return write(handle, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("darec.serving.log.os.write", full)
    got = client.post("/v1/feedback", json=EVENT)
    monkeypatch.undo()
    assert got.status_code == 507 and "No space left on device" in got.json()["error"]
    assert file.read_bytes() == before
    assert client.post("/v1/feedback", json=EVENT).status_code == 202


def test_a_log_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FolderError) as error:
        Log(tmp_path / "file" / "log.jsonl")
    assert "Not a directory" in str(error.value) or "File exists" in str(error.value)
    assert "--log" in error.value.command_line
