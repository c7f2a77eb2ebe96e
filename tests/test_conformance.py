"""Every registered part has a test class that inherits its suite."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from darec.registry import ALIGNMENTS, BACKBONES, Registry

HERE = Path(__file__).parent


def suites(folder: str, bases: set[str]) -> set[str]:
    """The ``name`` of every class in tests/FOLDER that inherits one of ``bases``."""
    names = set()
    for file in (HERE / folder).glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and bases & {ast.unparse(b) for b in node.bases}:
                for line in node.body:
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "name":
                        names.add(ast.literal_eval(line.value))
    return names


@pytest.mark.parametrize(
    ("folder", "bases", "registry"),
    [
        ("backbones", {"BackboneSuite", "ClosedFormSuite"}, BACKBONES),
        ("alignments", {"AlignmentSuite", "StructureSuite"}, ALIGNMENTS),
    ],
)
def test_every_part_inherits_its_suite(folder: str, bases: set[str], registry: Registry) -> None:
    assert suites(folder, bases) == registry.own
