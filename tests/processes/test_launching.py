"""Real processes: joined by gloo, started by the command, killed, and refused when they cannot meet."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import darec
from command_line import call, refused
from darec.errors import ConfigError
from darec.processes import ALONE, LostError
from darec.processes.joining import MEETING, STORE, joined, place
from darec.processes.launch import LOST, PIPE, launch
from darec.testing.worlds import tiny_dataset

SETTINGS = (
    *("--backbone", "gccf", "--threads", "1"),
    *("--set", "backbone.dim=5", "--set", "loss=softmax", "--set", "train.batch_size=64"),
    *(
        "--set",
        "evaluation.ks=[5]",
        "--set",
        "train.monitor=recall@5",
        "--set",
        "train.eval_every=1",
    ),
)
PATIENCE = 120.0  # of these tests, on a busy machine

PAIRS = """
import os
import torch.distributed as dist
from darec.config import resolve_config
from darec.processes.choice import SHARDS
from darec.processes.joining import joined
from darec.registry import ALIGNMENTS, BACKBONES, inapplicable, indivisible
from darec.testing.divided import assert_divided_is_whole

pairs = [(backbone, "none") for backbone in sorted(BACKBONES.own)]
pairs += [(backbone, alignment) for backbone in ("lightgcn", "dual") for alignment in sorted(ALIGNMENTS.own)]
compared = 0
# Connected already, as a worker of Ray Train is.
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group("gloo", f"file://{os.environ['DAREC_STORE']}", rank=rank, world_size=size)
with joined() as group:
    for number, (backbone, alignment) in enumerate(pairs):
        if BACKBONES.get(backbone).closed_form:
            continue
        for turn, shards in enumerate(SHARDS):
            if inapplicable(backbone, alignment) or indivisible(backbone, alignment, shards):
                continue
            if shards == "rows" and backbone == "dual" and alignment != "none":
                continue  # the suites compare all pairs
            loss = {"name": "softmax", "n_negatives": 8} if (number + turn) % 2 else "bpr"
            parts = {"backbone": {"name": backbone, "dim": 7}, "alignment": alignment, "loss": loss}
            assert_divided_is_whole(resolve_config(parts), group, shards=shards)
            compared += 1
print("compared", compared, "sent", group.sent)
"""


def start(words: list[str], rank: int, size: int, store: Path) -> subprocess.Popen[str]:
    """A process as a launcher starts it."""
    ranks = {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
    environment = {**os.environ, **ranks, STORE: str(store), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *words], env=environment, stdout=pipe, stderr=pipe, text=True
    )


def wait_for(happens: Callable[[], object], *processes: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while not happens():
        for process in processes:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_two_processes_by_gloo_compute_what_one_does(tmp_path: Path) -> None:
    """Every divisible backbone, and every alignment, in both layouts, in one start of processes."""
    processes = [start(["-c", PAIRS], rank, 2, tmp_path / "store") for rank in range(2)]
    ended = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    words = ended[0][0].split()
    assert int(words[1]) >= 36 and int(words[3]) > 0


def test_the_command_trains_in_two_processes_and_is_taken_up_after_a_kill(tmp_path: Path) -> None:
    """One child is killed: one line, status 1, and a checkpoint. By rows; the tests below are by columns."""
    data, out = tmp_path / "data", tmp_path / "killed"
    tiny_dataset().save(data)
    words = ["train", str(data), *SETTINGS, "--set", "train.patience=1000", "--quiet"]
    long = [*words, "--out", str(out), "--processes", "2", "--set", "train.epochs=100000"]
    long += ["--shards", "rows"]
    parent = subprocess.Popen(
        [sys.executable, "-m", "darec", *long], stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: list((out / "checkpoints").glob("epoch-*")), parent)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    if not children.exists():
        pytest.skip("this system does not say which processes a process has started")
    first, second = map(int, children.read_text().split())
    os.kill(second, signal.SIGKILL)
    _, said = parent.communicate(timeout=PATIENCE)
    assert parent.returncode == 1
    assert said.splitlines() == [
        "darec: error: process 1 of 2 was ended by SIGKILL, perhaps for want of memory, and the run with it. Finished "
        "work is kept: continue with --resume."
    ]
    assert not Path(f"/proc/{first}").exists()
    assert not (out / "failed.txt").exists()
    about = json.loads((out / "run.json").read_text())
    assert (about["processes"], about["layout"]) == (2, "rows")


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    tiny_dataset().save(data)
    words = ["train", data, *SETTINGS, "--set", "train.patience=1000", "--out", out, "--quiet"]
    words += ["--set", "train.epochs=100000", "--processes", "2"]
    command = [sys.executable, "-m", "darec", *map(str, words)]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for((out / "config.yaml").exists, parent)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    if not children.exists():
        pytest.skip("this system does not say which processes a process has started")
    started = [Path(f"/proc/{child}") for child in children.read_text().split()]
    assert len(started) == 2
    parent.kill()
    wait_for(lambda: not any(_runs(child) for child in started))
    parent.communicate()


def test_an_interruption_is_said_once_with_the_command_that_continues(tmp_path: Path) -> None:
    data, out = tmp_path / "my data", tmp_path / "run"
    tiny_dataset().save(data)
    words = ["train", data, *SETTINGS, "--set", "train.patience=1000", "--out", out, "--quiet"]
    words += ["--set", "train.epochs=100000", "--processes", "2"]
    command = [sys.executable, "-m", "darec", *map(str, words)]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list((out / "checkpoints").glob("epoch-*")), parent)
    parent.send_signal(signal.SIGTERM)
    _, said = parent.communicate(timeout=PATIENCE)
    assert parent.returncode == 128 + signal.SIGTERM
    assert said.splitlines() == [
        f"darec: interrupted. Finished work is kept; continue with: darec train '{data}' --out {out} --processes 2 "
        "--resume"
    ]


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        (("exit 75", "sleep 0.3; kill -9 $$"), "process 1 of 2 was ended by SIGKILL, perhaps"),
        (("exit 143", "exit 75"), "process 0 of 2 was ended by SIGTERM, and"),
        (("exit 75", "exit 75"), "the 2 processes lost each other"),
        (("exit 75", "sleep 0.3; exit 2"), None),
        (("exit 0", "exit 0"), None),
    ],
)
def test_the_process_that_ended_first_by_itself_is_the_cause(
    ends: tuple[str, str], reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nif [ $RANK = 0 ]; then {ends[0]}; else {ends[1]}; fi\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    if reason is None:
        assert launch(2, []) == int(ends[1].split()[-1])
        return
    with pytest.raises(LostError) as error:
        launch(2, [])
    assert str(error.value).startswith(reason)


def test_a_process_that_is_to_end_finishes_its_checkpoint_and_waits_for_nobody() -> None:
    """The end of the pipe interrupts no checkpoint, and ends a process that no signal reaches."""
    script = """
import signal, time
from darec.processes.group import WRITING
from darec.processes.launch import end_with_parent
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
with WRITING:
    end_with_parent()
    time.sleep(2)
    print("written", flush=True)
time.sleep(1000)
"""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, PIPE: str(reading)},
        pass_fds=[reading],
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(reading)
    os.close(writing)
    said, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (LOST, "written\n")


def _runs(process: Path) -> bool:
    """Whether a process is there and has not ended, though nobody may have asked for its status."""
    try:
        return process.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert place({}) is None
    with joined() as group:
        assert group is ALONE
    assert place({"RANK": "3", "WORLD_SIZE": "4"}) == (3, 4, 3)
    assert place({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}) == (3, 4, 1)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"RANK": "2", "WORLD_SIZE": "2"}, "ranks go from 0 to 1"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK='x'"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "MASTER_ADDR"),
        (
            {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"},
            "process 1 of 2 cannot reach the others at 127.0.0.1:9",
        ),
        ({"RANK": "0", "WORLD_SIZE": "2", STORE: "store"}, "process 0 of 2 waits for process 1"),
        ({"RANK": "0", "WORLD_SIZE": "2", STORE: "store", MEETING: "soon"}, "number of seconds"),
    ],
)
def test_processes_that_cannot_meet_are_refused_in_time(
    environment: dict[str, str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", STORE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for name, value in {MEETING: "1", **environment}.items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    with pytest.raises(ConfigError) as error, joined():
        pass
    assert reason in str(error.value)
    assert time.monotonic() - began < 30


def test_a_dead_address_is_told_in_one_line_without_what_torch_reports(tmp_path: Path) -> None:
    tiny_dataset().save(tmp_path / "data")
    ranks = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    words = ["-m", "darec", "train", str(tmp_path / "data"), "--out", str(tmp_path / "r")]
    environment = {**os.environ, **ranks, MEETING: "1"}
    environment.pop(STORE, None)
    ended = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("darec: error: process 1 of 2 cannot reach the others at 127.0.0.1:9.")


def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    tiny_dataset().save(data)
    words = ("train", data, "--out", tmp_path / "r")
    assert "--auto works only in one process" in refused(
        capsys, *words, "--auto", "--processes", "2"
    )
    assert "--processes" in refused(capsys, *words, "--processes", "0")
    assert "add --processes" in refused(capsys, *words, "--shards", "rows")
    assert "did you mean 'rows'?" in refused(capsys, *words, "--shards", "row")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert "the launcher has started 3" in refused(capsys, *words, "--processes", "2")
    assert not (tmp_path / "r").exists()


def test_what_the_processes_refuse_is_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    tiny_dataset().save(data)
    words = ("train", data, "--out", tmp_path / "r", "--backbone", "ease", "--processes", "2")
    assert call(*words) == 2
    said = capfd.readouterr().err.splitlines()
    assert said == [
        "darec: error: backbone 'ease' is solved in closed form, by one process: start one."
    ]
    assert not (tmp_path / "r").exists()


def test_one_process_is_as_none_asked_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tiny_dataset().save(data)
    few = ("--set", "train.epochs=1", "--processes", "1", "--quiet")
    assert call("train", data, *SETTINGS, *few, "--out", tmp_path / "r") == 0
    assert "processes" not in darec.load_run(tmp_path / "r").metrics
