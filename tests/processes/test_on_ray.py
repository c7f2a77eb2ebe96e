"""``darec train --ray``: what is refused at once, how an end is explained, and a real Ray of two workers."""

from __future__ import annotations

import importlib.util
import io
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import darec
from command_line import call, refused
from darec.cli.on_ray import Board, _Printer, _run, _status
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.processes import Group, LostError
from darec.processes.cluster import _knock
from darec.processes.group import within
from darec.processes.launch import LOST
from darec.testing.threads import together
from darec.testing.worlds import tiny_dataset

SETTINGS = (
    *("--backbone", "gccf", "--threads", "1", "--set", "backbone.dim=5"),
    *("--set", "train.batch_size=64", "--set", "evaluation.ks=[5]", "--set", "train.epochs=2"),
    *("--set", "train.monitor=recall@5", "--set", "train.eval_every=1"),
)


class Now:
    """The board in this process: its methods are called at once, as ``method.remote(...)``."""

    def __init__(self) -> None:
        self.board = Board()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.board, name)
        return type("Remote", (), {"remote": staticmethod(method)})


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--workers", "2"), "add --ray ADDRESS"),
        (("--ray", "local"), "--workers N"),
        (("--ray", "local", "--workers", "2", "--processes", "2"), "choose one"),
        (("--ray", "local", "--workers", "2", "--auto"), "--auto works only in one process"),
        (("--ray", "local", "--workers", "0"), "--workers"),
        (("--ray", "local", "--workers", "2"), "pip install 'darec[ray]'"),
    ],
)
def test_what_cannot_start_is_refused_at_once(
    words: tuple[str, ...],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("darec.processes.cluster.importlib.util.find_spec", lambda name: None)
    tiny_dataset().save(tmp_path / "data")
    line = refused(capsys, "train", tmp_path / "data", "--out", tmp_path / "r", *words)
    assert reason in line
    assert not (tmp_path / "r").exists()


def test_an_address_where_nobody_listens_is_told_from_one_that_is_none() -> None:
    with socket.socket() as bound:  # bound, but it does not listen
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            _knock(f"127.0.0.1:{bound.getsockname()[1]}")
        bound.listen()
        _knock(f"127.0.0.1:{bound.getsockname()[1]}")
        _knock(f"ray://127.0.0.1:{bound.getsockname()[1]}")
    for address in ("nowhere", "127.0.0.1", "127.0.0.1:port"):
        with pytest.raises(ValueError):
            _knock(address)


class FakeError(Exception):
    """As Ray Train raises it: the errors of workers by their ranks."""

    def __init__(self, *ranks: int) -> None:
        super().__init__("Training failed\n\nModuleNotFoundError: No module named 'darec'\n")
        self.worker_failures = {rank: RuntimeError() for rank in ranks}


@pytest.mark.parametrize(
    ("error", "ends", "expected"),
    [
        (None, {0: 0, 1: 0}, 0),
        (FakeError(1), {0: LOST, 1: 2}, 2),
        (FakeError(0, 1), {0: LOST}, "worker 1 of 2 on Ray has died, and the run with it"),
        (FakeError(0, 1), {0: LOST, 1: LOST}, "the 2 workers lost each other"),
    ],
)
def test_the_worker_that_failed_by_itself_is_the_cause(
    error: Exception | None, ends: dict[int, int], expected: int | str
) -> None:
    if isinstance(expected, int):
        assert _status(error, ends, 2) == expected
        return
    with pytest.raises(LostError, match=expected):
        _status(error, ends, 2)


def test_workers_that_cannot_start_are_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"could not start the 2 workers: .*No module named"):
        _status(FakeError(), {}, 2)


def test_a_worker_prints_where_the_command_was_started() -> None:
    board = Now()
    out, err = (
        _Printer(board, "stdout", True, ""),
        _Printer(board, "stderr", False, "worker 1 on b"),
    )
    print("a\nb", file=out)
    print("darec: error: no dataset at /c.", file=err)
    assert out.isatty() and not err.isatty()
    said, arrived, ends = board.board.news()
    text = {name: "".join(part for stream, part in said if stream == name) for name, _ in said}
    assert text["stdout"] == "a\nb\n"
    assert text["stderr"] == "darec: error: worker 1 on b: no dataset at /c.\n"
    assert (arrived, ends, board.board.news()[0]) == (0, {}, [])
    with pytest.raises(TypeError):  # it is no stream of bytes
        out.write(b"")  # type: ignore[arg-type]
    assert isinstance(out, io.TextIOBase)


def test_the_same_error_of_all_workers_is_printed_once() -> None:
    board = Now()
    for rank in range(3):
        err = _Printer(board, "stderr", False, f"worker {rank} on b" if rank else "")
        print("darec: note: a small graph.", file=err)
        print("darec: error: unknown setting 'dim'.", file=err)
        err.write("Traceback (most recent call last):\n")
    said = "".join(text for _, text in board.board.news()[0])
    assert said.count("darec: error: unknown setting 'dim'.\n") == 1
    assert said.count("a small graph") == 3 and "Traceback" not in said


def test_a_mistake_in_a_worker_is_printed_and_not_only_logged_by_ray(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> int:
        raise KeyError("a mistake in a plugin")

    monkeypatch.setattr("darec.cli.main.main", broken)
    monkeypatch.setattr(sys, "argv", [])
    assert _run(["train"]) == 1
    assert "KeyError: 'a mistake in a plugin'" in capsys.readouterr().err


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed"
)
def test_two_workers_of_a_real_ray_train_the_run_of_two_processes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of two processes, progress on standard error and the result on standard output."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # on a busy machine, Ray's own 15 takes minutes
    monkeypatch.chdir(tmp_path)
    tiny_dataset().save(tmp_path / "data")
    words = ("train", "data", *SETTINGS, "--out", "there", "--format", "json")
    assert call(*words, "--ray", "local", "--workers", "2") == 0
    told = capfd.readouterr()
    assert "gccf + none: epoch 2" in told.err
    assert json.loads(told.out)["processes"] == 2
    config = resolve_config(file=tmp_path / "there" / "config.yaml")

    def work(group: Group) -> None:
        with within(group):
            darec.fit(tiny_dataset(), config=config, out="here", progress=False)

    together(work)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("here", "there")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name])
