"""The page on production: its commands and its Python, one after the other, in a folder with a small shop."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from command_line import call
from darec.data.synthetic import SyntheticConfig, write_synthetic

DATABASE = "DAREC_DATABASE"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "production.md"


def test_commands_and_examples_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    try:
        monkeypatch.setenv(DATABASE, request.getfixturevalue("postgres"))
    except pytest.skip.Exception:  # its examples alone are left out
        monkeypatch.delenv(DATABASE, raising=False)
    write_synthetic(tmp_path, SyntheticConfig(n_users=200, n_items=300, mean_interactions=12))
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    assert {kind for kind, _ in blocks} >= {"python", ""}
    for kind, text in blocks:
        if kind not in ("python", ""):
            continue
        if DATABASE in text and DATABASE not in os.environ:
            continue
        if kind:
            exec(compile(text, PAGE.name, "exec", dont_inherit=True), namespace)
            continue
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["darec"]:
                assert call(*words[1:]) == 0, f"{line}\n{capsys.readouterr().err}"
