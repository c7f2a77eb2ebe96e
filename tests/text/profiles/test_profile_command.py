"""``darec profile`` as its users run it: reports, refusals, and kill -9 in the middle of its work."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from darec.cli.main import main
from darec.testing.worlds import tiny_dataset
from darec.text.profiles import Profiler
from darec.text.profiles.store import AnswerStore
from scripted_server import Reply, ScriptedServer, chat, profile, question

KILLS, IN_FLIGHT = 20, 4

# Imports once, then runs the command in a child for every line it is told.
NURSERY = """
import os, sys, warnings
import jinja2.sandbox, openai
from openai.resources import chat, models
from darec.cli.main import main
import darec.cli.output, darec.text.profiles
warnings.simplefilter("ignore")  # about forking with threads
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.argv = ["darec", *line.split()]
        os.dup2(2, 1)
        os._exit(main())
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def call(*words: object) -> int:
    with mock.patch("sys.argv", ["darec", "profile", *map(str, words)]):
        try:
            return main()
        except SystemExit as stop:
            return int(stop.code or 0)


def slow(body: dict, n: int) -> Reply:
    return Reply(chat(profile(body)).body, delay=0.02)


def test_kill_9_twenty_times_loses_only_what_is_in_flight(
    server: ScriptedServer, tmp_path: Path
) -> None:
    tiny_dataset(40, 300).save(tmp_path / "shop")
    tiny_dataset(40, 300).save(tmp_path / "whole")
    server.script = slow
    prompts = Profiler(tmp_path / "shop", "m", kinds=["item"]).prompts["item"]
    keys = {prompt.messages[1]["content"]: prompt.key for prompt in prompts}
    words = f"--model m --items --base-url {server.url} --in-flight {IN_FLIGHT} --quiet"
    chance = random.Random()  # moments differ from run to run; what is asserted does not
    statuses: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as nursery:
        assert nursery.stdin and nursery.stdout

        def spawn(folder: str) -> int:
            nursery.stdin.write(f"profile {tmp_path / folder} {words}\n")
            nursery.stdin.flush()
            return int(nursery.stdout.readline())

        before = 0
        while 0 not in statuses:
            kept = set(AnswerStore(tmp_path / "shop/profiles/m").answers)
            # Of what the killed process had asked, only the requests in flight are lost.
            assert len(kept) >= before - IN_FLIGHT
            asked = len(server.requests)
            child = spawn("shop")
            if len(statuses) < KILLS:
                while len(server.requests) == asked:
                    time.sleep(0.002)
                time.sleep(chance.uniform(0, 0.1))
                os.kill(child, signal.SIGKILL)
            statuses.append(int(nursery.stdout.readline()))
            before = len(kept) + len(server.requests) - asked
            assert not {keys[question(body)] for body in server.requests[asked:]} & kept
        assert statuses == [-signal.SIGKILL] * KILLS + [0]
        assert len(server.requests) <= 300 + KILLS * IN_FLIGHT
        spawn("whole")
        assert int(nursery.stdout.readline()) == 0
        nursery.stdin.close()
    for name in ("items.jsonl", "meta.json"):
        killed, whole = (
            (tmp_path / f / "profiles/m" / name).read_bytes() for f in ("shop", "whole")
        )
        assert killed == whole
    assert profiles(tmp_path / "shop") == profiles(tmp_path / "whole")


def profiles(folder: Path) -> dict[str, object]:
    answers = AnswerStore(folder / "profiles/m").answers
    return {key: answer.profile for key, answer in answers.items()}


def test_the_real_command_killed_and_run_by_two_processes_at_once(
    server: ScriptedServer, tmp_path: Path
) -> None:
    tiny_dataset(8, 40, items_per_user=5).save(tmp_path / "shop")
    server.script = lambda body, n: Reply(chat(profile(body)).body, delay=0.1)
    line = [sys.executable, "-m", "darec.cli.main", "profile", str(tmp_path / "shop")]
    line += ["--model", "m", "--items", "--base-url", server.url, "--in-flight", "2"]
    first = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(server.requests) < 6:
        time.sleep(0.01)
        assert first.poll() is None
    with mock.patch("sys.argv", line[2:]):
        assert main() == 2  # the set is being written by the first one
    first.kill()
    assert first.wait() == -signal.SIGKILL
    kept = len(AnswerStore(tmp_path / "shop/profiles/m").answers)
    assert kept >= len(server.requests) - 2
    done = subprocess.run([*line, "--format", "json"], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert (report["profiles"], report["reused"]) == (40, kept)
    assert f"m: profiling {40 - kept} prompts, {kept} exist already" in done.stderr
    assert sorted(server.asked().values())[-3:] <= [2, 2, 2]


def test_reports(shop: Path, server: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.script = lambda body, n: (
        chat("Sorry") if question(body).endswith("item5\n</item>") else None
    )
    words = [shop, "--model", "m", "--base-url", server.url, "--price", "1:10"]
    assert call(*words, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert shown.count("--- prompt") == 3 and "Title: Item 0 of group 0" in shown
    assert "requests         20 (0 profiles exist already)" in shown and "at most $0.1" in shown
    assert not server.requests
    assert call(*words, "--dry-run", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 20
    assert call(*words) == 0
    printed = capsys.readouterr()
    assert "profiles         19: 19 new" in printed.out and "cost             $0.0" in printed.out
    assert "1 failed; --only-failed sends them again:\n  item i5: no JSON object" in printed.err
    assert call(*words, "--only-failed", "--batch-out", shop / "r.jsonl") == 0
    assert capsys.readouterr().out == f"1 requests in {shop / 'r.jsonl'}\n"
    assert call(*words, "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["failed"] == [{"kind": "item", "id": "i5", "reason": "no JSON object in 'Sorry'"}]
    words = [shop, "--model", "m", "--base-url", server.url, "--items", "--name", "other"]
    assert call(*words, "--limit", "2", "--quiet") == 0
    printed = capsys.readouterr()
    assert "not asked        10" in printed.out and printed.err == ""
    assert (shop / "profiles/other/items.jsonl").read_text().count("\n") == 2
    server.script = lambda body, n: Reply("", 500) if "item7" in question(body) else None
    assert call(*words, "--quiet", "--set", "retries=0") == 1
    assert (
        "1 without an answer; run the same command again to send them:\n  item i7: 500"
        in capsys.readouterr().err
    )


def test_only_a_finished_run_ends_with_status_0(
    shop: Path, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    def status(name: str, *words: object) -> int:
        line = [shop, "--model", "m", "--base-url", server.url, "--items", "--quiet"]
        return call(*line, "--name", name, "--in-flight", "1", "--set", "retries=0", *words)

    refused = chat(None, refusal="no")
    server.script = lambda body, n: refused if "item3\n" in question(body) else None
    assert status("one-refused") == 0
    server.script = lambda body, n: refused
    assert status("all-refused") == 1 and status("all-refused") == 1
    server.script = lambda body, n: None if len(server.requests) % 12 < 4 else Reply("", 500)
    server.requests.clear()
    assert status("broken") == 1  # 3 answers, then a dead server
    assert "not asked        4" in capsys.readouterr().out
    server.script = lambda body, n: None
    assert status("dear", "--price", "1:1", "--budget", "0.0012") == 1
    assert "stopped: the budget of $0.0012 is reached" in capsys.readouterr().err
    assert status("dear", "--limit", "1") == 0
    server.script = lambda body, n: Reply("<html>", 200)
    assert status("proxy") == 2


def test_a_password_in_the_url_is_shown_and_written_nowhere(
    shop: Path,
    server: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = server.url.replace("://", "://ann:s3cret@") + "?api_key=qu3ry"
    refusal = Reply({"error": {"message": f"no {url}"}}, 400)
    server.script = lambda body, n: refusal if "item3\n" in question(body) else None
    line = [shop, "--model", "m", "--items", "--base-url", url]
    assert call(*line) == 0
    assert server.query == "api_key=qu3ry" and server.headers["authorization"].startswith("Basic ")
    assert call(*line, "--only-failed", "--batch-out", shop / "requests.jsonl") == 0
    assert call(*line, "--dry-run") == 0
    assert call(*line, "--format", "json") == 0
    wrong = url.replace("s3cret", "s3cret/").replace("qu3ry", "qu3ry@")
    for words in (
        ["--base-url", wrong],
        [url],
        ["--set", f"base_url=[{url}]"],
        ["--item-template", url],
    ):
        assert call(*line, *words) == 2
    monkeypatch.setattr(Profiler, "run", mock.Mock(side_effect=KeyboardInterrupt))
    with mock.patch("sys.argv", ["darec", "profile", *map(str, line)]):
        assert main() == 130
    printed = capsys.readouterr()
    assert "continue with: the same command" in printed.err and f"no {server.url}" in printed.out
    told = [printed.out, printed.err, *(f.read_text() for f in shop.rglob("*.json*"))]
    assert len(told) > 5 and not any("s3cret" in text or "qu3ry" in text for text in told)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "x"], "has no model 'x'"),
        (["--price", "1"], "--price '1': write dollars"),
        (["--budget", "1"], "--budget needs --price"),
        (["--name", "../up"], "--name '../up': use letters"),
        (["--set", "max_token=3"], "unknown setting 'max_token': did you mean 'max_tokens'?"),
        (["--set", "max_tokens=many"], "setting 'max_tokens': input should be a valid integer"),
        (["--json", "xml"], "setting 'json_mode'"),
        (["--dry-run", "--batch-out", "x"], "cannot be combined"),
        (["--item-template", "absent.j2"], "no template absent.j2"),
        (["--reviews", "absent.jsonl"], "no file absent.jsonl"),
        (["--batch-in", "absent.jsonl"], "no file absent.jsonl"),
        (["--base-url", "nonsense"], "base URL 'nonsense'"),
    ],
)
def test_refusals(
    words: list[str],
    message: str,
    shop: Path,
    server: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(shop, "--model", "m", "--base-url", server.url, "--quiet", *words) == 2
    printed = capsys.readouterr()
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("darec: error: ") and message in lines[0]
    assert printed.out == ""
