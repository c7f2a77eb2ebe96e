"""What the package says of itself, and how it is called."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import darec

HEAVY = {
    "torch",
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
    "polars",
    "pyarrow",
    "matplotlib",
    "rich",
}
"""What takes long to import: tenths of a second to seconds, and rich a third of the time of ``darec --help``."""
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def test_python_runs_the_package(project: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "darec", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"darec {project['version']}\n"


@pytest.mark.parametrize(
    "code",
    [
        "import darec",
        "import darec.cli.main as cli; sys.argv[1:] = ['--help']; cli.main()",
        "import darec.cli.main as cli; sys.argv[1:] = ['--version']; cli.main()",
        "import darec.cli.main as cli; sys.argv[1:] = ['train', '--help']; cli.main()",
    ],
)
def test_it_starts_without_what_takes_long_to_import(code: str) -> None:
    last = "print('imported', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; {last}"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = done.stdout.splitlines()[-1].split()
    assert imported[0] == "imported" and "darec" in imported
    assert not HEAVY & set(imported)


@pytest.mark.parametrize(
    ("words", "most"), [(["-m", "darec", "--help"], 4), (["-c", "import darec"], 1)]
)
def test_it_starts_quickly(words: list[str], most: float) -> None:
    """Seconds of the processor against those of importing Typer, the fewest of some tries: any machine may be busy."""

    def seconds(*words: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        used = zip(after[2:4], before[2:4], strict=True)
        return sum(now - then for now, then in used)

    tries = [(seconds(*words), seconds("-c", "import typer")) for _ in range(5)]
    ours, typer = map(min, zip(*tries, strict=True))
    assert ours < most * typer


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


def test_every_file_of_tests_has_a_name_of_its_own() -> None:
    """Else pytest cannot collect the suite as a whole, and a part of it shows nothing."""
    files = [file for file in Path(__file__).parent.rglob("*.py") if file.stem != "conftest"]
    counts = Counter(file.name for file in files)
    assert [name for name, count in counts.items() if count > 1] == []
