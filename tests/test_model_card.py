"""The model card of a run: what it says is so, whoever made the run and however."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import darec
from darec.model_card import is_card
from darec.run import Run
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset

FAST: dict[str, Any] = {"train.epochs": 2, "train.eval_every": 1, "backbone.dim": 8}


def card(run: Run) -> str:
    assert run.path is not None
    return (run.path / "README.md").read_text(encoding="utf-8")


def fit(out: Path, settings: dict[str, Any], **more: Any) -> Run:
    data = tiny_dataset()
    return darec.fit(data, settings=settings, text=tiny_text(data), out=out, progress=False, **more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "trained"
    return fit(out, {**FAST, "options.threads": 1}, backbone="mf", alignment="direct")


def test_a_trained_run(trained: Run) -> None:
    text = card(trained)
    front, _, body = text.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(front) == {
        "library_name": "darec",
        "tags": ["recommender-system", "mf", "direct"],
    }
    titles = re.findall("^#+ (.*)$", body, re.MULTILINE)
    assert titles == ["mf + direct", "Data", "Settings", "Figures", "Limits", "How to load it"]
    assert "60 users, 40 items; interactions: train 360; valid 120; test 120." in body
    for metric in ("recall", "ndcg"):
        values = [f"{trained.metrics[f'{split}/{metric}@20']:.4f}" for split in ("valid", "test")]
        assert f"| {metric}@20 | {' | '.join(values)} |" in body
    changed = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", body, re.MULTILINE)
    assert ("train.epochs", "2") in [row[:2] for row in changed]
    assert {row[0] for row in changed} == FAST.keys()
    assert f"Best epoch {trained.metrics['best_epoch']} of 2, by recall@20 on valid." in body
    assert "Another seed gives different figures." in body
    example = re.search(r"```python\n(.*)```", body, re.DOTALL)
    assert example is not None
    code = example[1].replace("PATH/OF/THIS/FOLDER", str(trained.path)).replace("USER", "u0")
    exec(code, {})
    assert not re.search(r"(^|[\s`(])/", body), "no path of the machine"


def test_a_closed_form(tmp_path: Path) -> None:
    body = card(fit(tmp_path / "run", {}, backbone="ease", alignment="l3ae"))
    assert "It was solved in closed form." in body
    assert "All settings have their defaults." not in body
    assert re.search(r"- Validation chose `backbone.ridge` = \d+\.", body)
    assert "Another seed" not in body and "Best epoch" not in body


def test_what_is_scored_beside_the_tables_is_told(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", {**FAST, "beside": "ease"}, backbone="mf")
    body = card(run)
    assert "popularity and of the matrix of ease + collective are added." in body
    for key in ("popularity", "weight", "chosen/backbone.ridge"):
        value = run.metrics[f"diagnostics/beside/{key}"]
        assert f"Validation chose `beside.{key.removeprefix('chosen/')}` = {value:g}." in body


def test_a_refitted_run_has_the_figures_of_the_one_it_was_made_from(
    trained: Run, tmp_path: Path
) -> None:
    again = darec.refit(trained, out=tmp_path / "again", text=tiny_text(trained.dataset.merged()))
    body = card(again)
    assert "There is no held-out data to evaluate this run." in body
    assert "figures of the run that it was made from:" in body
    assert f"| {trained.metrics['test/recall@20']:.4f} |" in body
    assert "of this split" not in body


def test_a_run_saved_from_memory_has_one_and_that_of_a_person_stays(
    trained: Run, tmp_path: Path
) -> None:
    data = tiny_dataset()
    run = darec.fit(data, backbone="popular", progress=False)
    saved = run.save(tmp_path / "run")
    assert saved.path is not None and is_card(saved.path / "README.md")
    (saved.path / "README.md").write_text("My notes.\n")
    run.save(tmp_path / "run", overwrite=True)
    assert card(saved) == "My notes.\n"
    (saved.path / "README.md").unlink()
    trained.save(tmp_path / "run", overwrite=True)
    assert "mf + direct" in card(saved)


def test_a_hostile_name_is_no_markup(tmp_path: Path) -> None:
    data = tiny_dataset().save(tmp_path / "a`b|c\n# d")
    run = darec.fit(data, backbone="popular", out=tmp_path / "run", progress=False)
    assert r"# popular + none on `a'b/c\n# d`" in card(run).splitlines()
