"""The Python examples of the README and the docs run, page by page, in a folder with a small shop."""

from __future__ import annotations

import json
import os
import random
import re
from contextlib import suppress
from pathlib import Path
from statistics import fmean

import pytest

from darec.config import resolve_config
from darec.data.synthetic import SyntheticConfig, write_synthetic
from darec.registry import ALIGNMENTS, BACKBONES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = {
    page: re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M) for page in PAGES
}


AGAIN = {ROOT / "docs" / name for name in ("python.md", "cold-start.md")}
"""Pages whose examples a reader may run again in the same folder, and a test does."""


OWN_TEST = {"extending.md", "production.md"}
"""Pages whose examples are run by a test file of their own."""


def run_examples(page: Path, times: int = 1) -> None:
    """Run a page's examples; those of a database only where ``DAREC_DATABASE`` names one."""
    known = {**BACKBONES._parts}, {**ALIGNMENTS._parts}
    try:
        for _ in range(times):
            namespace: dict[str, object] = {}
            for number, example in enumerate(EXAMPLES[page], 1):
                if "DAREC_DATABASE" in example and "DAREC_DATABASE" not in os.environ:
                    continue
                name = f"{page.name}, example {number}"
                exec(compile(example, name, "exec", dont_inherit=True), namespace)
    finally:
        BACKBONES._parts, ALIGNMENTS._parts = known


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if EXAMPLES[page] and page.name not in OWN_TEST],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_examples_run(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    write_synthetic(tmp_path, SyntheticConfig(n_users=200, n_items=300, mean_interactions=12))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAREC_DATABASE", raising=False)
    if any("DAREC_DATABASE" in example for example in EXAMPLES[page]):
        with suppress(pytest.skip.Exception):  # without a server its examples alone are left out
            monkeypatch.setenv("DAREC_DATABASE", request.getfixturevalue("postgres"))
    run_examples(page, 2 if page in AGAIN else 1)


def test_the_readmes_example_runs_on_other_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole numbers for ids, other names of columns, ratings and times, a few items without text."""
    draw = random.Random(0)
    rows = [
        f"{1000 + user},{7 * item},{draw.randint(1, 5)},{draw.random():.3f}"
        for user in range(40)
        for item in draw.sample(range(50), draw.randint(3, 12))
    ]
    items = [
        {"asin": 7 * item, "name": f"thing {item}", "about": f"word{item % 9} word{item % 4}"}
        for item in range(50)
    ]
    items[3] |= {"name": None, "about": None}
    lines = ["uid,asin,overall,unixReviewTime", *rows]
    (tmp_path / "interactions.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    monkeypatch.chdir(tmp_path)
    run_examples(ROOT / "README.md", 2)


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which is not there"


@pytest.mark.parametrize("folder", ["docs/studies/target/settings", "benchmarks/settings"])
def test_settings_of_the_studies_are_those_of_today(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.yaml"))
    assert files
    for file in files:
        resolve_config(file=file)


def test_the_readme_is_short_and_its_table_is_that_of_the_study() -> None:
    from benchmarks.common import load_result
    from benchmarks.target import front

    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 120
    assert f"<!-- accuracy -->\n\n{front(load_result('target')['models'])}\n\n<!-- end -->" in text
    for picture in re.findall(r"!\[.*?\]\(([^)]+)\)", text):
        assert (ROOT / picture).stat().st_size < 200_000


def test_the_sentences_of_the_readme_have_the_figures_of_the_study() -> None:
    from benchmarks.common import load_result
    from benchmarks.target import OURS, best, front_models, title

    study = load_result("target")
    rows = {(row["data"], row["model"]): row for row in study["models"]}
    tail = "items/1of3/recall@20"
    said = " ".join((ROOT / "README.md").read_text().split())

    def times(data: str, model: str, figure: str) -> float:
        ours, other = rows[data, title(OURS)][figure], rows[data, model][figure]
        return fmean(other) / fmean(ours) if isinstance(ours, list) else ours / other

    assert "ahead of every rival that was measured at this width" in said
    leads = {"toys": "by 10% on toys", "games": "5% on games", "steam": "3% on steam"}
    for data, ahead in leads.items():
        lead = best(study["gains"], data, "recall@20")
        gained, low, _ = lead["gain"]
        of_means = 1 / times(data, lead["rival"], "recall@20") - 1
        assert low > 0 and ahead in said and f"{100 * min(gained, of_means):.0f}%" in ahead
    gained, low, _ = best(study["gains"], "toys", tail)["gain"]
    assert low > 0 and f"{100 * gained:.0f}% more than the best rival on toys" in said
    steam, games = (best(study["gains"], data, tail) for data in ("steam", "games"))
    assert min(steam["p, Holm"], games["p, Holm"]) > 0.05
    assert games["gain"][1] < 0 < games["gain"][2] and abs(games["gain"][0]) < 0.02
    less = 100 * (1 - times("games", games["rival"], "recall@20"))
    assert games["rival"] == "ease + collective" and steam["rival"] == "itemknn"
    assert (
        "On steam and games the difference is not significant: "
        f"it has {100 * steam['gain'][0]:.0f}% more than ItemKNN on steam, and "
        "**on games it is level** with EASE with `collective`, "
        f"which finds {less:.0f}% less over all items"
    ) in said
    linear = [
        (name, row["model"])
        for name, kind, row in front_models(study["models"])
        if kind == "best linear"
    ]
    slower = [times(*one, "seconds") for one in linear]
    recall = [100 * times(*one, "recall@20") for one in linear]
    assert (
        f"than the best linear models, by {min(slower):.0f} to {max(slower):.0f} times; "
        f"they find {min(recall):.0f} to {max(recall):.0f}% of its recall"
    ) in said


def test_what_the_readme_says_of_other_data_is_that_of_the_study() -> None:
    from benchmarks.common import load_result
    from benchmarks.target import best

    gains = load_result("other_data")["gains"]
    said = " ".join((ROOT / "README.md").read_text().split())
    data = list(dict.fromkeys(row["data"] for row in gains))
    recall = [best(gains, name, "recall@20") for name in data]
    shares = [100 * row["gain"][0] for row in recall]
    assert len(data) == 5 and min(shares) > 0
    clear = sum(row["gain"][1] > 0 and row["p, Holm"] < 0.05 for row in recall)
    assert clear == 4
    assert f"in Recall@20 by {min(shares):.0f} to {max(shares):.0f}%, significantly on four" in said
    tail = [best(gains, name, "items/1of3/recall@20") for name in data]
    ahead = sum(row["gain"][1] > 0 and row["p, Holm"] < 0.05 for row in tail)
    level = sum(row["gain"][1] < 0 < row["gain"][2] for row in tail)
    assert (ahead, level) == (3, 1)
    (behind,) = (row for row in tail if row["gain"][2] < 0)
    assert behind["rival"] == "ease + collective"
    assert "ahead on three, level on one and behind a linear model on one" in said
