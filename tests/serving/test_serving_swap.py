"""A new bundle while requests come, and processes that are killed while events come."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from small_shop import make_run, serving

import darec
from darec.serving.settings import ServingSettings


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    headers = {"content-type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_swap_fails_no_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "shop.darec"
    runs = [make_run(seed) for seed in (0, 1)]
    digits = [darec.export_bundle(runs[0], path).manifest["sha256"][:12]]
    answers: list[tuple[int, str]] = []
    done = threading.Event()
    settings = ServingSettings(bundle=str(path), log=str(tmp_path / "log"), watch=0.05)
    caplog.set_level(logging.INFO, "darec.serving")
    with serving(settings) as url:

        def load() -> None:
            connection = connect(url)
            while not done.is_set():
                query = "/v1/users/u3/recommendations?k=5&explain=true&where=price<30"
                status, told = ask(connection, "GET", query)
                answers.append((status, told.get("bundle")))

        def served() -> str:
            told: str = ask(connect(url), "GET", "/readyz")[1]["bundle"]
            return told

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            digits.append(
                darec.export_bundle(runs[1], path, overwrite=True).manifest["sha256"][:12]
            )
            until(lambda: served() == digits[1])
            # Damaged, then without its manifest, then gone: each is told in a line, and the earlier one is served.
            scorer = (path / "scorer.safetensors").read_bytes()
            (path / "scorer.safetensors.new").write_bytes(scorer[:-1] + b"x")
            (path / "scorer.safetensors.new").replace(path / "scorer.safetensors")
            until(lambda: "changed after the export" in caplog.text)
            (path / "manifest.json").rename(tmp_path / "manifest.json")
            until(lambda: "not a complete bundle" in caplog.text)
            shutil.move(path, tmp_path / "away")
            until(lambda: "no bundle at" in caplog.text)
            assert served() == digits[1]
            digits.append(darec.export_bundle(runs[0], path).manifest["sha256"][:12])
            until(lambda: served() == digits[2])
            until(lambda: len(answers) > 30 and answers[-1][1] == digits[2])
        finally:
            done.set()
            for thread in threads:
                thread.join()
    assert {status for status, _ in answers} == {200}
    assert {bundle for _, bundle in answers} == {*digits}
    told = [record.getMessage() for record in caplog.records if record.name == "darec.serving"]
    assert all("\n" not in line for line in told)
    assert next(line for line in told if "cannot be served" in line).startswith(
        "the new bundle cannot be served, the earlier one stays: "
    )


def wait_for_workers(parent: int, bundle: Path, count: int) -> None:
    """Wait until so many child processes have the bundle open, where the system shows what a process maps."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    until = time.monotonic() + 30
    while children.is_file() and time.monotonic() < until:
        maps = [Path(f"/proc/{child}/maps") for child in children.read_text().split()]
        if sum(str(bundle) in one.read_text() for one in maps if one.is_file()) >= count:
            return
        time.sleep(0.05)


def test_no_accepted_event_is_lost_to_a_kill(bundle: Path, tmp_path: Path) -> None:
    path, log = tmp_path / "shop.darec", tmp_path / "log"
    shutil.copytree(bundle, path)
    words = [
        "serve",
        path,
        "--port",
        0,
        "--workers",
        2,
        "--log",
        log,
        "--watch",
        0,
        "--token-env",
        "SHOP_TOKEN",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "darec.cli.main", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "SHOP_TOKEN": "s3cret", "OMP_NUM_THREADS": "1"},
    )
    said: list[str] = []
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        said.append(line)
        found = re.search(r"serving on (http://[\d.:]+)$", line.strip())
        assert found, line
        url = found[1]
        reading = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)  # type: ignore[arg-type]
        reading.start()
        first = ask(connect(url), "GET", "/readyz")[1]["bundle"]
        assert ask(connect(url), "GET", "/v1/items")[0] == 401
        wait_for_workers(process.pid, path, 2)
        # SIGHUP has both processes take the new bundle.
        second = darec.export_bundle(make_run(1), path, overwrite=True).manifest["sha256"][:12]
        time.sleep(0.3)
        assert ask(connect(url), "GET", "/readyz")[1]["bundle"] == first, (
            "nobody looks with --watch 0"
        )
        process.send_signal(signal.SIGHUP)
        until(lambda: sum("is served now" in line for line in said) == 2)
        assert {ask(connect(url), "GET", "/readyz")[1]["bundle"] for _ in range(8)} == {second}

        accepted: list[str] = []

        def send(who: int) -> None:
            connection = connect(url)
            for n in range(10_000):
                try:
                    headers = {"authorization": "Bearer s3cret", "content-type": "application/json"}
                    event = {"user_id": f"{who}-{n}", "item_id": "i3"}
                    connection.request("POST", "/v1/feedback", json.dumps(event), headers)
                    if connection.getresponse().read() == b'{"accepted":1}':
                        accepted.append(event["user_id"])
                except (OSError, http.client.HTTPException):
                    return

        threads = [threading.Thread(target=send, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(accepted) > 100)
        os.killpg(process.pid, signal.SIGKILL)  # all of the processes, at once
        for thread in threads:
            thread.join()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kept = {
        json.loads(line)["user_id"] for line in (log / "feedback.jsonl").read_text().splitlines()
    }
    assert len(accepted) > 100 and not {*accepted} - kept


def test_it_ends_well_and_has_imported_no_data_and_no_training(
    bundle: Path, tmp_path: Path
) -> None:
    words = [
        "-X",
        "importtime",
        "-m",
        "darec.cli.main",
        "serve",
        bundle,
        "--port",
        0,
        "--log",
        tmp_path / "log",
    ]
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.extend(process.stderr))  # type: ignore[arg-type]
    reading.start()
    try:
        until(lambda: any("serving on" in line for line in said))
        url = next(line for line in said if "serving on" in line).rpartition(" ")[2].strip()
        until(lambda: _answers(url))
        assert ask(connect(url), "POST", "/v1/recommendations", {"words": "a lamp"})[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        reading.join()
    assert said[-1] == "darec: stopped.\n"
    imported = {line.rpartition("|")[2].strip() for line in said if line.startswith("import time:")}
    parts = {name.split(".")[1] for name in imported if name.startswith("darec.")}
    assert "serving" in parts
    above = {
        "data",
        "training",
        "run",
        "model",
        "backbones",
        "alignments",
        "config",
        "cold",
        "text",
    }
    assert not parts & above


def _answers(url: str) -> bool:
    try:
        return ask(connect(url), "GET", "/healthz")[0] == 200
    except OSError:
        return False


def test_a_process_that_is_slow_to_start_is_waited_for(bundle: Path, tmp_path: Path) -> None:
    """uvicorn would replace it after five seconds, and that one too, without end."""
    slow = 'import sys, time\n\nif "spawn_main" in " ".join(sys.orig_argv):\n    time.sleep(7)\n'
    (tmp_path / "sitecustomize.py").write_text(slow)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    words = ["serve", bundle, "--port", "0", "--workers", "2", "--log", tmp_path / "log"]
    process = subprocess.Popen(
        [sys.executable, "-m", "darec.cli.main", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stderr is not None
        found = re.search(r"serving on (http://[\d.:]+)$", process.stderr.readline().strip())
        assert found
        connection = http.client.HTTPConnection(urlsplit(found[1]).netloc, timeout=150)
        assert ask(connection, "GET", "/readyz")[0] == 200
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
