"""Every command that trains refuses a backbone whose library is not installed, before it writes anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import refused
from darec.backbones import ials
from darec.testing.worlds import tiny_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "data"
    tiny_dataset().save(folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--backbone", "ials"],
        ["tune", "--backbone", "mf,ials"],
        ["compare", "--backbones", "mf,ials", "--alignments", "none"],
        ["sweep", "--backbone", "ials", "--alignment", "none", "--param", "backbone.dim=8,16"],
        ["train", "--set", "beside.backbone=ials", "--set", "beside.alignment=none"],
    ],
    ids=" ".join,
)
def test_nothing_is_begun_without_the_library(
    words: list[str],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ials, "find_spec", lambda name: None)
    command, *options = words
    line = refused(capsys, command, data, "--out", tmp_path / "out", *options)
    assert "'ials' needs implicit, which is not installed: pip install 'darec[als]'" in line
    assert not any(tmp_path.rglob("*.yaml")) and not any(tmp_path.rglob("*.journal"))
