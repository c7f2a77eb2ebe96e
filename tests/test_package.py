"""What the package says of itself, and how it is called."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import darec

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def test_python_runs_the_package(project: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "darec", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"darec {project['version']}\n"


def test_it_is_typed_as_its_classifiers_say(project: dict[str, Any]) -> None:
    assert "Typing :: Typed" in project["classifiers"]
    assert (Path(darec.__file__).parent / "py.typed").is_file()
    oldest = project["requires-python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {oldest}" in project["classifiers"]


def test_the_citation_is_of_this_version(project: dict[str, Any]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert (str(citation["version"]), citation["license"]) == (
        project["version"],
        project["license"],
    )
    assert citation["message"] and citation["title"] and citation["authors"]
    (paper,) = citation["references"]
    assert paper["doi"].endswith("2408.08231") and len(paper["authors"]) == 13
