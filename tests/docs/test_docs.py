"""The Python examples of the README and the docs run, page by page, in a folder with a small shop."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from darec.data.synthetic import SyntheticConfig, write_synthetic
from darec.registry import ALIGNMENTS, BACKBONES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = {
    page: re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M) for page in PAGES
}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if EXAMPLES[page] and page.name != "extending.md"],  # test_extending.py
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_synthetic(tmp_path, SyntheticConfig(n_users=200, n_items=300, mean_interactions=12))
    monkeypatch.chdir(tmp_path)
    known = {**BACKBONES._parts}, {**ALIGNMENTS._parts}
    namespace: dict[str, object] = {}
    try:
        for number, example in enumerate(EXAMPLES[page], 1):
            name = f"{page.name}, example {number}"
            exec(compile(example, name, "exec", dont_inherit=True), namespace)
    finally:
        BACKBONES._parts, ALIGNMENTS._parts = known


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which is not there"
