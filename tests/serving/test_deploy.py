"""What docs/deploy holds, and the commands of docs/production.md that ask a server: executed or linted."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_shop import dataset, serving

import darec
from darec.cli.serve import command
from darec.serving.settings import ServingSettings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"


def options_of(words: list[str]) -> None:
    """Each option of a command line that starts a server is one."""
    from inspect import signature

    known = {"--" + name.replace("_", "-") for name in signature(command).parameters}
    given = {word for word in words if word.startswith("--")}
    assert words[0].endswith("darec") and words[1] == "serve" and given and given <= known


def test_the_image_copies_what_is_there_and_starts_the_server() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [
        line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")
    ]
    names = [name for name, _ in steps]
    assert names[0] == "FROM" and names[-2:] == ["ENTRYPOINT", "CMD"] and "USER" in names
    assert {*names} <= {
        "FROM",
        "COPY",
        "RUN",
        "USER",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    for name, rest in steps:
        if name == "COPY":
            assert all((ROOT / source).exists() for source in rest.split()[:-1])
        if name == "ENTRYPOINT":
            options_of(json.loads(rest))
        if name == "RUN":
            torch = re.search(r"torch==(\S+)", rest)
            assert torch and torch[0] in (ROOT / "constraints.txt").read_text().split()
            subprocess.run(["sh", "-n", "-c", rest], check=True)
        if name == "HEALTHCHECK":
            compile(json.loads(rest[rest.index("[") :])[2], "healthcheck", "exec")


def test_the_unit_starts_the_server(tmp_path: Path) -> None:
    text = (DEPLOY / "darec.service").read_text()
    start = re.search(r"^ExecStart=(.+)$", text, re.M)
    assert start
    options_of(start[1].split())
    if shutil.which("systemd-analyze"):
        # A program that is not there is an error; that of this machine stands in.
        unit = tmp_path / "darec.service"
        unit.write_text(
            text.replace(start[1].split()[0], sys.executable).replace("/etc/darec/token", "-/none")
        )
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr.strip(), done.stderr


def test_cron_runs_the_script() -> None:
    lines = (DEPLOY / "crontab").read_text().splitlines()
    (job,) = [
        line for line in lines if line and not line.startswith("#") and "=" not in line.split()[0]
    ]
    assert re.match(r"(\d+|\*) (\d+|\*) \S+ \S+ \S+ /srv/shop/nightly.sh ", job)
    assert (DEPLOY / "nightly.sh").stat().st_mode & 0o111


@pytest.mark.skipif(not shutil.which("flock"), reason="no flock here: apt-get install util-linux")
def test_a_night(tmp_path: Path) -> None:
    """Feedback and a new item reach the bundle; a night without feedback does nothing, and a lock stops a second."""
    (tmp_path / "runs").mkdir()
    data = dataset().save(tmp_path / "data")
    darec.fit(data, backbone="mf", epochs=1, out=tmp_path / "runs" / "a", progress=False)
    (tmp_path / "runs" / "current").symlink_to("a")
    bundle = darec.export_bundle(tmp_path / "runs" / "a", tmp_path / "shop.darec")
    log = tmp_path / "shop.darec.log"
    log.mkdir()
    new = {
        "item_id": "n1",
        "title": "Dome tent",
        "text": "a tent for camping",
        "price": 7.0,
        "tags": ["tent"],
    }
    events = [
        {"user_id": "u3", "item_id": "n1", "timestamp": 5},
        {"user_id": "fresh", "item_id": "i3", "timestamp": 6},
    ]
    (log / "items.jsonl").write_text(json.dumps(new) + "\n")
    # A "darec" that is this one, in processes of their own.
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "darec"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m darec.cli.main "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "SHOP": str(tmp_path),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }

    def night() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [DEPLOY / "nightly.sh"], env=environment, capture_output=True, text=True
        )

    assert night().returncode == 0
    assert darec.open_bundle(bundle.path).manifest == bundle.manifest, "nobody came"
    (log / "feedback.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    done = night()
    assert done.returncode == 0, done.stderr
    after = darec.open_bundle(bundle.path)
    assert "fresh" in after.users and "n1" in after.items
    assert after.items.row("n1") in after.seen.of_user(after.users.row("u3"))
    assert (tmp_path / "runs" / "current").resolve() != tmp_path / "runs" / "a"
    assert len([*(tmp_path / "learned").iterdir()]) == 1 and not [*(tmp_path / "days").iterdir()]


def test_the_commands_of_the_page_on_production_are_answered(bundle: Path, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "production.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    asked = [shlex.split(line, comments=True) for line in lines if line.startswith("curl")]
    for line in lines:
        if line.startswith("darec serve"):
            options_of([word for word in shlex.split(line, comments=True) if word != "&"])
    assert len(asked) >= 5
    settings = ServingSettings(bundle=str(bundle), log=str(tmp_path / "log"), token="s3cret")
    with serving(settings) as url:
        for words in asked:
            words = [
                word.replace("http://localhost:8000", url).replace("$SHOP_TOKEN", "s3cret")
                for word in words
            ]
            done = subprocess.run(
                [*words, "-sS", "-w", "\n%{http_code}"], capture_output=True, text=True, check=True
            )
            assert done.stdout.splitlines()[-1] in ("200", "201", "202"), (words, done.stdout)
