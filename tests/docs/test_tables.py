"""What the docs take from the code is what the code says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from darec.registry import ALIGNMENTS, BACKBONES, Registry

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def tables(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tables.py")


@pytest.mark.parametrize(("kind", "registry"), [("backbone", BACKBONES), ("alignment", ALIGNMENTS)])
def test_every_part_has_a_page(kind: str, registry: Registry) -> None:
    missing = [name for name in registry.own if not (DOCS / f"{kind}s" / f"{name}.md").is_file()]
    assert not missing


def test_pages_are_up_to_date(tables: ModuleType) -> None:
    behind = [page.name for page, text in tables.pages().items() if page.read_text() != text]
    assert not behind, f"run python docs/tables.py: {behind}"


def test_the_grid_names_every_pair(tables: ModuleType) -> None:
    rows = [line for line in tables.grid().splitlines() if line.startswith("| [")]
    assert len(rows) == len(BACKBONES.own)
    assert all(row.count("✓") + row.count("✗") == len(ALIGNMENTS.own) for row in rows)
