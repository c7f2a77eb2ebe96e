"""Grids that are really trained, in processes of their own."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from darec.api import fit
from darec.compare import ablate, sweep
from darec.compare.grid import floors_of
from darec.compare.result import Comparison
from darec.compare.run import compare as compare_with_floors
from darec.compare.run import default_threads
from darec.errors import ConfigError, FolderError, RunError
from darec.evaluation.result import Evaluation
from darec.lock import locked
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

compare = functools.partial(compare_with_floors, floors=False)

FAST = ("train.epochs=4", "train.eval_every=1", "train.lr=0.02", "train.batch_size=64")
SETTINGS = {"train.epochs": 4, "train.eval_every": 1, "train.lr": 0.02, "train.batch_size": 64}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    data = tiny_dataset().save(folder / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    return folder


@pytest.fixture(scope="module")
def compared(shop: Path) -> Comparison:
    return compare(
        shop / "data",
        out=shop / "cmp",
        backbones="mf",
        alignments="darec,none",
        seeds=2,
        jobs=2,
        threads=1,
        overrides=FAST,
        progress=False,
    )


def test_figures_are_those_of_the_runs_and_runs_those_of_fit(
    shop: Path, compared: Comparison
) -> None:
    none, darec = compared.variants
    assert (none.name, darec.name) == ("mf + none", "mf + darec")
    alone = fit(
        shop / "data",
        backbone="mf",
        alignment="darec",
        settings={**SETTINGS, "options.seed": 1, "options.threads": 1},
        progress=False,
    )
    for split, spreads in (("test", darec.test), ("valid", darec.valid)):
        for metric, value in alone.evaluate(split).summary().items():
            assert spreads[metric].values[1] == value, metric
    values = darec.test["recall@20"].values
    assert darec.test["recall@20"].mean == pytest.approx(np.mean(values))
    assert darec.test["recall@20"].sd == pytest.approx(np.std(values, ddof=1))


def test_gains_over_another_alignment(shop: Path, compared: Comparison) -> None:
    shutil.copytree(shop / "cmp", shop / "turned")
    same = {"backbones": "mf", "alignments": "darec,none", "progress": False, "overrides": FAST}
    turned = compare(shop / "data", out=shop / "turned", seeds=2, baseline="darec", **same)
    none, darec = turned.variants
    gain = none.gains["recall@20"]
    assert not darec.gains
    assert gain.difference == pytest.approx(-compared.variants[1].gains["recall@20"].difference)
    assert "Gain over darec of the same backbone" in (shop / "turned" / "comparison.md").read_text()
    with pytest.raises(ConfigError, match="'kar' is not compared: choose one of darec, none"):
        compare(shop / "data", out=shop / "turned", baseline="kar", **same)


def test_gains_are_those_of_the_stored_values_by_user(shop: Path, compared: Comparison) -> None:
    none, darec = compared.variants
    stored = [
        [Evaluation.load(shop / "cmp" / run.folder / "users-test.parquet") for run in pair.runs]
        for pair in (darec, none)
    ]
    assert not none.gains and len(darec.gains) == 6 + 2 * len(
        [g for g in compared.groups if g.size]
    )
    for metric, gain in darec.gains.items():
        a, b = (np.stack([e.values(metric) for e in side]) for side in stored)
        assert gain.difference == pytest.approx(np.nanmean(a - b)), metric
        assert gain.by_seed == pytest.approx(np.nanmean(a - b, axis=1)), metric
        assert gain.n_users == (~np.isnan(a[0])).sum()
        if "/" not in metric:
            assert gain.difference == pytest.approx(
                darec.test[metric].mean - none.test[metric].mean
            )


def test_curves_and_costs_are_those_of_the_runs(shop: Path, compared: Comparison) -> None:
    for pair in compared.variants:
        for run, curve in zip(pair.runs, pair.curves, strict=True):
            folder = shop / "cmp" / run.folder
            metrics = json.loads((folder / "metrics.json").read_text())
            lines = [json.loads(line) for line in (folder / "history.jsonl").open()]
            assert curve.epochs == (1, 2, 3, 4) and curve.best_epoch == metrics["best_epoch"]
            assert curve.values == tuple(line["valid/recall@20"] for line in lines)
            assert curve.values[curve.best_epoch - 1] == max(curve.values)
            assert run.threads == 1
            for name, cost in pair.costs.items():
                assert cost.values[run.seed] == metrics[name]
    assert {"seconds_per_epoch", "seconds_to_best", "best_epoch", "peak_rss_mb"} <= set(pair.costs)
    assert pair.diagnostics and pair.settings["train.epochs"] == 4


def test_it_reads_back_equal(shop: Path, compared: Comparison) -> None:
    assert Comparison.load(shop / "cmp") == compared
    assert Comparison.load(shop / "cmp" / "comparison.json") == compared


def test_a_grown_grid_trains_what_is_new_alone(
    shop: Path, compared: Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    again = compare(
        shop / "data",
        out=shop / "cmp",
        backbones="mf",
        alignments="darec,none",
        seeds="2,1",
        threads=1,
        overrides=FAST,
    )
    lines = capsys.readouterr().err.splitlines()
    lines = [line for line in lines if not line.startswith("report: ")]  # on a slow machine
    assert lines[0] == "2 of 4 runs are finished already."
    assert sorted(line.split(":")[0] for line in lines[1:]) == [
        "[3/4] mf + none, seed 2",
        "[4/4] mf + darec, seed 2",
    ]
    for before, now in zip(compared.variants, again.variants, strict=True):
        assert now.seeds == (2, 1)
        assert now.test["ndcg@20"].values[1] == before.test["ndcg@20"].values[1]
        assert now.runs[1] == before.runs[1]


def test_a_failing_pair_is_reported_and_the_others_go_on(shop: Path) -> None:
    found = compare(
        shop / "data",
        out=shop / "failing",
        backbones="mf",
        alignments="none,darec",
        seeds=1,
        threads=1,
        overrides=[*FAST, "alignment.balance=fixed", "alignment.strength=1e38"],
        progress=False,
    )
    none, darec = found.variants
    assert none.seeds == (0,) and none.test
    assert darec.seeds == () and not darec.test and not darec.gains
    assert "training has diverged" in (darec.failed[0].error or "")
    assert any(note.startswith("mf + darec, seed 0, failed: ") for note in found.notes), found.notes
    assert Comparison.load(shop / "failing") == found
    assert "| mf | darec (0/1) | failed |" in (shop / "failing/comparison.md").read_text()


def test_a_damaged_run_is_named(shop: Path, compared: Comparison) -> None:
    shutil.copytree(shop / "cmp", shop / "damaged")
    arguments = {"backbones": "mf", "alignments": "none", "overrides": FAST, "progress": False}
    folder = shop / "damaged" / compared.variants[0].runs[0].folder
    for name, damage in {
        "users-test.parquet": "PAR1",
        "history.jsonl": "[" * 100_000,
        "metrics.json": "[" * 100_000,
    }.items():
        (folder / name).write_text(damage)
        found = compare(shop / "data", out=shop / "damaged", seeds=2, **arguments).variants[0]
        error = found.failed[0].error
        assert error is not None and str(folder) in error and "delete" in error
        assert found.seeds == (1,)


def test_a_folder_at_work_or_of_another_kind_is_left_alone(shop: Path, tmp_path: Path) -> None:
    arguments = {"backbones": "mf", "alignments": "none", "seeds": 1, "progress": False}
    with locked(tmp_path / "busy"), pytest.raises(FolderError, match="being written by process"):
        compare(shop / "data", out=tmp_path / "busy", **arguments)
    with pytest.raises(RunError, match="holds files that do not belong to a comparison"):
        compare(shop / "data", out=shop / "data", **arguments)


def test_a_large_grid_must_be_confirmed_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"2 pairs with 501 seeds are 1002 runs: pass many=True"):
        compare("nowhere", out=tmp_path / "x", alignments="none,darec", seeds=501)
    assert not (tmp_path / "x").exists()


def test_killed_in_the_middle_it_goes_on_to_the_same_figures(shop: Path, tmp_path: Path) -> None:
    long = ["train.epochs=120", "train.patience=500", *FAST[1:]]
    words = [str(shop / "data"), "--out", str(tmp_path / "killed"), "--backbones", "mf"]
    words += ["--alignments", "none", "--seeds", "2,", "--threads", "1", "--quiet", "--no-floors"]
    words += [word for setting in long for word in ("--set", setting)]
    process = subprocess.Popen(
        [sys.executable, "-m", "darec.cli.main", "compare", *words],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    history = None
    while process.poll() is None and (history is None or len(history.read_text()) < 500):
        history = next((tmp_path / "killed").glob("runs/*/history.jsonl"), None)
        time.sleep(0.01)
    assert process.poll() is None and history is not None, "it ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    seen = -1
    while seen != (seen := history.stat().st_size):  # the run's process ends with its parent
        time.sleep(0.3)
    assert 0 < len(history.read_text().splitlines()) < 120
    arguments = {"backbones": "mf", "alignments": "none", "seeds": "2,", "threads": 1}
    arguments |= {"overrides": long, "progress": False}
    resumed = compare(shop / "data", out=tmp_path / "killed", **arguments)
    settings = {**SETTINGS, "train.epochs": 120, "train.patience": 500}
    settings |= {"options.seed": 2, "options.threads": 1}
    whole = fit(shop / "data", backbone="mf", settings=settings, progress=False)
    for metric, value in whole.evaluate("test").summary().items():
        assert resumed.variants[0].test[metric].values == (value,), metric
    assert resumed.variants[0].curves[0].epochs == tuple(range(1, 121))


@pytest.mark.parametrize("function", [compare, sweep, ablate])
def test_an_argument_that_does_not_exist_is_refused(function, shop: Path) -> None:
    arguments = {"params": ["train.lr=0.1"]} if function is sweep else {}
    with pytest.raises(TypeError, match="seedss"):
        function(shop / "data", out=shop / "typo", seedss=1, **arguments)


@pytest.mark.parametrize(
    ("cores", "torchs", "jobs", "threads"), [(8, 8, 1, 8), (8, 1, 1, 1), (8, 8, 3, 2), (2, 2, 5, 1)]
)
def test_threads_heed_torchs_own_choice_and_the_share_of_the_processors(
    cores: int, torchs: int, jobs: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.compare.run._cores", lambda: cores)
    monkeypatch.setattr("torch.get_num_threads", lambda: torchs)
    assert default_threads(jobs) == threads


def test_floors_stand_beside_the_grid_and_models_without_chance_run_once(shop: Path) -> None:
    found = compare_with_floors(
        shop / "data",
        out=shop / "floors",
        backbones="mf",
        alignments="darec",
        seeds=2,
        overrides=FAST,
        progress=False,
    )
    runs = {variant.name: len(variant.seeds) for variant in found.variants}
    floors = {"popular + none": 1, "itemknn + none": 1, "ease + none": 1, "ease + l3ae": 1}
    assert runs == {"mf + darec": 2, **floors}
    leaning = next(variant for variant in found.variants if variant.name == "ease + l3ae")
    assert len(leaning.gains["recall@5"].seeds) == 1
    assert found.seeds == (0, 1)


def test_floors_without_text_and_of_large_catalogues() -> None:
    plain = [("popular", "none"), ("itemknn", "none"), ("ease", "none")]
    assert floors_of([("mf", "none")], 100) == (plain, [])
    assert floors_of([("ease", "none"), ("ease", "l3ae")], 100)[0] == plain[:2]
    found, remarks = floors_of([("mf", "darec")], 50_000)
    assert found == [*plain[:2], ("ease_sparse", "none"), ("ease_sparse", "l3ae")]
    assert "50,000 items" in remarks[0]
    assert floors_of([("ease_sparse", "none")], 50_000)[0] == plain[:2]
