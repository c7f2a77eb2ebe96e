"""The site: every page is in its contents, every public name has an example, and it builds without a warning."""

from __future__ import annotations

import ast
import re
import sys
from fnmatch import fnmatch
from pathlib import Path
from subprocess import run

import pytest

import darec

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text()
    for path in sorted((*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb")))
    if "_build" not in path.parts
}


def listed(page: str) -> set[str]:
    """Pages that the contents of a page name."""
    folder = Path(page).parent
    found: set[str] = set()
    for entries in re.findall(r"^```\{toctree\}\n(.*?)^```", PAGES[page], re.S | re.M):
        for line in entries.splitlines():
            if line and not line.startswith(":"):
                wanted = (folder / line).as_posix()
                found |= {name for name in PAGES if matches(name.rpartition(".")[0], wanted)}
    return found - {page}


def matches(name: str, wanted: str) -> bool:
    return name.count("/") == wanted.count("/") and fnmatch(name, wanted)


def test_every_page_is_in_the_contents() -> None:
    reached, todo = {"index.md"}, ["index.md"]
    while todo:
        new = listed(todo.pop()) - reached
        reached |= new
        todo += new
    assert not set(PAGES) - reached, "place it in a toctree of docs/index.md or of a page in it"


def test_every_public_name_has_an_example() -> None:
    page = PAGES["reference/darec.md"]
    shown = set(re.findall(r"^\.\. auto(?:class|function):: darec\.(\w+)$", page, re.M))
    used = {
        node.attr
        for example in re.findall(r"^```python\n(.*?)^```", page, re.S | re.M)
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "darec"
    }
    assert shown == set(darec.__all__)
    assert used >= set(darec.__all__), "test_docs.py runs them"


def test_the_modules_of_the_reference_are_there() -> None:
    for page, text in PAGES.items():
        for module in re.findall(r"^\.\. automodule:: darec\.(\S+)$", text, re.M):
            place = Path(darec.__file__).parent / module.replace(".", "/")
            assert place.is_dir() or place.with_suffix(".py").is_file(), f"{page}: {module}"


def test_outer_links_are_whole() -> None:
    """By form alone: a test asks nothing of the network."""
    for page, text in PAGES.items():
        for link in re.findall(r"\]\((\w+:[^)]*)\)", text):
            assert re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", link), f"{page} links to {link}"


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    """Links between pages, anchors, docstrings and contents: whatever Sphinx warns of is an error."""
    for needed in ("sphinx", "myst_nb", "furo", "sphinx_copybutton"):
        pytest.importorskip(needed, reason=f"{needed} is not installed (darec[docs])")
    told = run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(DOCS), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert "darec.fit" in (tmp_path / "reference" / "darec.html").read_text()
