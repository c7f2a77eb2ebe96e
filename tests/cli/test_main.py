"""The command line as a whole: every way to fail is one line and a status, whatever was asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from command_line import call, refused
from darec.cli import main as command_line
from darec.cli.main import COMMANDS, GROUPS, HEADINGS
from darec.lock import locked
from darec.testing.worlds import tiny_dataset

DAREC = [sys.executable, "-m", "darec.cli.main"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "No such command 'nothing'. See 'darec --help'."),
        (["evalute"], "'evalute'. Did you mean 'evaluate', 'ablate'? See 'darec --help'."),
        (["evaluate", "run", "--grops", "3"], "No such option: --grops"),
        (["evaluate", "run", "-k", "many"], "Invalid value for '-k': "),
        (["evaluate"], "Missing argument 'run'. See 'darec evaluate --help'."),
        (["train", "data", "--out", "r\udcff"], r"'r\udcff' is not UTF-8: rename the file"),
        (["train", "\x1b[2J", "--out", "r"], r"no dataset at \x1b[2J"),
        (["evaluate", "run", "--mask", ""], "--mask is empty: give it a value, or leave it out"),
        (["train", "data", "--out="], "--out is empty: "),
        (["train", "", "--out", "r"], "an argument is empty: "),
    ],
)
def test_a_wrong_command_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, *words)


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "run", "--groups", "100000"],
        ["tune", "data", "--out", "t", "--trials", "1000000000000"],
        ["tune", "data", "--out", "t", "--epochs", "1000000000000"],
        ["compare", "data", "--out", "c", "--jobs", "1000000"],
        ["compare", "data", "--out", "c", "--threads", "100000"],
        ["theory", "sweep", "--out", "s", "--jobs", "1000000"],
        *([*command, "--seed", seed] for seed in ("-1", str(10**30)) for command in (
            ["import", "log.csv", "--out", "d"], ["demo", "--out", "d"], ["text-report", "data"],
            ["theory", "check", "data"], ["visualize", "run", "--out", "v"], ["train", "data", "--out", "r"],
        )),
    ],
)  # fmt: skip
def test_options_out_of_reason_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, *words)
    assert words[-1] in line or words[-2] in line


@pytest.mark.parametrize(
    "words",
    [["demo"], ["theory", "sweep"], ["train", "data"], ["import", "log.csv"]],
)
def test_a_folder_that_another_process_writes_is_left_to_it(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_dataset().save("data")
    Path("log.csv").write_text("user,item\na,x\na,y\na,z\n")
    with locked(tmp_path / "busy"):
        line = refused(capsys, *words, "--out", tmp_path / "busy")
    assert f"{tmp_path}/busy is being written by process {os.getpid()} on " in line
    assert not (tmp_path / "busy").exists()


def test_every_command_has_a_heading_and_one_whole_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call("--help") == 0
    shown = capsys.readouterr().out
    for name in [*COMMANDS, *GROUPS]:
        [line] = [line for line in shown.splitlines() if line.startswith(f"  {name} ")]
        assert not line.endswith("..."), line
    for heading in HEADINGS:
        assert f"\n{heading}:\n" in shown


def test_help_is_shown_where_nothing_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 2
    assert "recommend" in capsys.readouterr().out
    assert call("evaluate", "--help") == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("Unable to allocate 1.2 TiB for an array"), "Unable to allocate 1.2 TiB"),
        (MemoryError(), "an allocation failed"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                "to allocate 160000000000000 bytes. Error code 12 (Cannot allocate memory)"
            ),
            "can't allocate memory: you tried to allocate 160000000000000 bytes",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), "out of memory"),
    ],
)
def test_an_allocation_that_failed_is_one_line(
    error: Exception,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(command_line, "app", fail)
    assert f"not enough memory: {said}" in refused(capsys, "train")


def test_an_error_that_is_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        call("train")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_says_how_to_go_on(
    number: signal.Signals, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("the signal is ignored here, as under nohup, and so it is by darec")
    tiny_dataset().save(tmp_path / "data")
    words = ["train", tmp_path / "data", "--out", tmp_path / "r", "--backbone", "mf", "--quiet"]
    words += ["--set", "train.epochs=100000", "--set", "train.patience=100000", "--threads", "1"]

    def send() -> None:
        while not (tmp_path / "r/checkpoints").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    sender = Thread(target=send)
    sender.start()
    assert call(*words) == 128 + number
    sender.join()
    assert f"--out {tmp_path}/r --resume" in capfd.readouterr().err
    assert not (tmp_path / "r/.lock").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("words", [["settings"], ["settings", "--format", "json"], ["--help"]])
def test_a_reader_that_has_had_enough_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*DAREC, *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_that_is_not_utf_8_ends_no_command() -> None:
    done = subprocess.run(
        [*DAREC, "settings"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii() and b"train.epochs" in done.stdout
