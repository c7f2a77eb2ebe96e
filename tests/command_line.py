"""Run the ``darec`` command in this process, as every test of a command does."""

from __future__ import annotations

from unittest import mock

import pytest

from darec.cli.main import main


def call(*words: object) -> int:
    """The exit status of ``darec WORDS...``."""
    with mock.patch("sys.argv", ["darec", *map(str, words)]):
        try:
            return main()
        except SystemExit as stop:  # typer ends a command that went well in this way
            return int(stop.code or 0)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that a command prints when it refuses, which it must do with status 2."""
    capsys.readouterr()
    assert call(*words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("darec: error: "), lines
    return lines[0]
