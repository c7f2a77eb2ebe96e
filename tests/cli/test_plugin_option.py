"""``--plugin`` and ``DAREC_PLUGINS`` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import call, refused
from darec.cli.main import COMMANDS, WITHOUT_PARTS
from darec.testing.worlds import tiny_dataset
from outside_parts import BACKBONE, ENCODER, write

TRAIN = ["--set", "train.epochs=2", "--set", "train.eval_every=1", "--quiet"]


def test_a_run_of_ones_own_backbone_works_in_every_command(
    tmp_path: Path, forget: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny_dataset().save(tmp_path / "data").path
    file, run = write(tmp_path / "linear.py"), tmp_path / "run"
    assert call("train", data, "--out", run, "--plugin", file, "--backbone", "linear", *TRAIN) == 0
    for command in (["evaluate"], ["recommend", "--user", "u0"], ["similar", "--item", "i0"]):
        forget()
        assert call(command[0], run, *command[1:]) == 0, command
    forget()
    assert call("train", data, "--out", run, "--resume", "--quiet") == 0
    write(file, BACKBONE + "\n# changed\n")
    forget()
    line = refused(capsys, "evaluate", run)
    assert "which has changed since" in line and f"with --plugin {file}." in line
    assert call("evaluate", run, f"--plugin={file}") == 0
    noted = capsys.readouterr().err.splitlines()
    assert len(noted) == 1 and noted[0].startswith("darec: note: backbone 'linear' came from ")
    file.unlink()
    forget()
    assert "give the file with --plugin FILE." in refused(capsys, "evaluate", run)


def test_help_and_settings_name_parts_from_outside(
    tmp_path: Path,
    forget: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = write(tmp_path / "linear.py", BACKBONE + ENCODER)
    monkeypatch.setenv("COLUMNS", "200")
    for command in sorted({*COMMANDS} - WITHOUT_PARTS):
        forget()
        assert call(command, "--help", "--plugin", file) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert "--plugin FILE|MODULE" in shown and "encoders}" not in shown, command
        if command in ("train", "tune", "compare", "sweep", "ablate", "settings"):
            assert "lightgcn, linear, mf" in shown, command
        elif command == "encode":
            assert "file:VECTORS.npy, letters" in shown
    forget()
    monkeypatch.setenv("DAREC_PLUGINS", str(file))
    assert call("settings", "--backbone", "linear", "--alignment", "none") == 0
    assert "backbone.dim" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["train", "compare", "tune", "sweep", "ablate", "evaluate", "encode"]
)
def test_a_plugin_that_fails_is_one_line(
    tmp_path: Path, forget: Callable[[], None], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    file = write(tmp_path / "mine.py", "import no_such_thing\n")
    line = refused(capsys, command, tmp_path, "--plugin", file)
    assert line == (
        "darec: error: plugin mine.py: the module 'no_such_thing' is not installed (mine.py, line 1)."
    )


def test_plugins_of_the_environment_that_fail_are_one_line(
    forget: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAREC_PLUGINS", "nowhere.py")
    said = "darec: error: DAREC_PLUGINS: plugin nowhere.py: there is no such file."
    assert refused(capsys, "settings") == said
    assert refused(capsys, "train", "--help") == said
