"""The notebooks of the gallery run from the first cell to the last, and hold what they showed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from darec.registry import ALIGNMENTS

GALLERY = Path(__file__).resolve().parents[2] / "docs" / "gallery"
NOTEBOOKS = sorted(GALLERY.glob("*.ipynb"))


@pytest.fixture(scope="module")
def gallery(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("gallery/run.py")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    path: Path, gallery: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    kept = json.loads(path.read_text())
    known = {**ALIGNMENTS._parts}
    try:
        made = gallery.executed(json.loads(path.read_text()), path.name)
    finally:
        ALIGNMENTS._parts = known
    code = [cell for cell in kept["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 1
    for cell, again in zip(kept["cells"], made["cells"], strict=True):
        kinds = [[sorted(o.get("data", {})) for o in c.get("outputs", [])] for c in (cell, again)]
        assert kinds[0] == kinds[1], "python docs/gallery/run.py renews what it shows"
    assert path.stat().st_size < 300_000
