"""What a run's folder gives back: the tables it was saved with, and parts where the alignment has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from darec.errors import RunError
from darec.run import Run
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.visualize.sides import n_clusters_of, sample_rows, sides_of


def test_E_C_is_what_the_run_was_scored_with(runs: dict[str, Run]) -> None:
    run = runs["none"]
    for kind, side in sides_of(run).items():
        saved = getattr(run.tables, kind)
        torch.testing.assert_close(
            side.tables["E_C"], F.normalize(saved - saved.mean(0), dim=1), rtol=1e-5, atol=1e-6
        )
        assert set(side.tables) == {"E_C", "E_L"} and side.compared == ("E_C", "E_L")
        assert side.specific == ()


def test_parts_are_unit_rows_of_every_entity(runs: dict[str, Run]) -> None:
    run = runs["darec"]
    sides = sides_of(run)
    for kind, n in (("users", run.dataset.n_users), ("items", run.dataset.n_items)):
        side = sides[kind]
        assert side.compared == ("C_sh", "L_sh") and side.specific == ("C_sp", "L_sp")
        for name in ("C_sh", "C_sp", "L_sh", "L_sp"):
            assert len(side.tables[name]) == n
            torch.testing.assert_close(side.tables[name].norm(dim=1), torch.ones(n))
    assert n_clusters_of(run) == run.config.alignment.n_clusters


def test_the_number_of_clusters_is_one_that_can_be_told_apart(runs: dict[str, Run]) -> None:
    run = runs["darec"]
    many = run.config.alignment.model_copy(update={"n_clusters": 100})
    changed = run.config.model_copy(update={"alignment": many})
    assert n_clusters_of(Run(changed, run.dataset, run.scorer, {})) == 8
    assert n_clusters_of(runs["none"]) == 8


def test_rows_are_drawn_without_repeats() -> None:
    rows = sample_rows(10, 4, seed=1)
    assert len(set(rows.tolist())) == 4 and (rows == sorted(rows)).all()
    assert sample_rows(3, 9, seed=0).tolist() == [0, 1, 2]


def test_what_does_not_fit_is_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    data = tiny_dataset()
    with pytest.raises(RunError, match="in memory"):
        sides_of(Run(runs["none"].config, data, runs["none"].scorer, {}))
    for name in ("none", "darec"):
        shutil.copytree(runs[name].path, tmp_path / name)
    shutil.copy(tmp_path / "none/model.safetensors", tmp_path / "darec/model.safetensors")
    with pytest.raises(RunError, match=r"weights of .* do not fit lightgcn"):
        sides_of(Run.load(tmp_path / "darec"))
    (tmp_path / "none/model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(RunError, match="damaged"):
        sides_of(Run.load(tmp_path / "none"))
    about = json.loads((tmp_path / "none/run.json").read_text())
    about["text"] = tiny_text(data).fingerprint()
    (tmp_path / "none/run.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match=r"language vectors .* are not those"):
        sides_of(Run.load(tmp_path / "none"))
