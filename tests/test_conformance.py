"""Every registered part has a test class that inherits its suite."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from darec.registry import ALIGNMENTS, BACKBONES, Registry

HERE = Path(__file__).parent


def suites(folder: str, base: str) -> set[str]:
    """The ``name`` of every class in tests/FOLDER that inherits ``base``."""
    names = set()
    for file in (HERE / folder).glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and base in {ast.unparse(b) for b in node.bases}:
                for line in node.body:
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "name":
                        names.add(ast.literal_eval(line.value))
    return names


@pytest.mark.parametrize(
    ("folder", "base", "registry"),
    [("backbones", "BackboneSuite", BACKBONES), ("alignments", "AlignmentSuite", ALIGNMENTS)],
)
def test_every_part_inherits_its_suite(folder: str, base: str, registry: Registry) -> None:
    assert suites(folder, base) == set(registry)
