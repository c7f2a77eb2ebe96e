"""Training repeats, resumes to the last digit after kills, stops early, and says clearly what went wrong."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import darec
from darec.config import resolve_config
from darec.errors import ConfigError, DataError, RunError
from darec.evaluation.evaluate import judges, validator
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.training.trainer import Trainer
from darec.types import Interactions

SETTINGS = {
    "backbone": {"name": "lightgcn", "dim": 8},
    "train": {"epochs": 12, "batch_size": 64, "lr": 0.01, "eval_every": 2, "patience": 20},
    "evaluation.ks": [5, 10],
    "train.monitor": "recall@10",
    "options.threads": 1,
}
SLOW = {**SETTINGS, "train.epochs": 400, "train.patience": 2, "train.lr": 0.002}
FIGURES = ("test/", "valid/", "best_epoch", "epochs", "diagnostics/")


def figures(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith(FIGURES)}


def test_the_same_seed_gives_identical_metrics_and_another_does_not() -> None:
    dataset = tiny_dataset()
    runs = [
        darec.fit(dataset, settings={**SETTINGS, "options.seed": seed}, progress=False)
        for seed in (0, 0, 1)
    ]
    assert figures(runs[0].metrics) == figures(runs[1].metrics)
    assert torch.equal(runs[0].tables.users, runs[1].tables.users)
    assert not torch.equal(runs[0].tables.users, runs[2].tables.users)


def test_training_beats_popularity_on_a_planted_world() -> None:
    """Not merely that numbers come out: the model finds the structure that was planted."""
    from darec.evaluation.evaluate import Evaluator
    from darec.scoring import TableScorer
    from darec.types import Tables

    dataset = tiny_dataset(n_users=150, n_items=60, seed=1)
    run = darec.fit(dataset, settings={**SETTINGS, "train.epochs": 60}, progress=False)
    popularity = torch.from_numpy(dataset.train.item_degree).float()[:, None]
    popular = TableScorer(Tables(torch.ones(dataset.n_users, 1), popularity))
    evaluator = Evaluator(dataset.test, dataset.train, dataset.train, (10,))
    baseline = evaluator.evaluate(popular).summary()["recall@10"]
    assert run.metrics["test/recall@10"] > 1.2 * baseline


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    run = darec.fit(dataset, settings=SLOW, out=tmp_path / "r", progress=False)
    history = [json.loads(line) for line in (tmp_path / "r/history.jsonl").read_text().splitlines()]
    values = {line["epoch"]: line["valid/recall@10"] for line in history}
    best = max(values.values())
    assert run.metrics["epochs"] < 400
    assert run.metrics["best_epoch"] == min(epoch for epoch in values if values[epoch] == best)
    assert run.metrics["epochs"] == run.metrics["best_epoch"] + 2 * 2
    assert run.metrics["valid/recall@10"] == best


def kept_epoch(values: dict[int, float], least: float) -> int:
    kept = 0
    for epoch, value in values.items():
        if not kept or value / values[kept] - 1 > least:
            kept = epoch
    return kept


@pytest.mark.parametrize("least", [0.0, 0.05, 0.5])
def test_an_epoch_that_gains_too_little_is_not_kept_and_training_goes_on(
    tmp_path: Path, least: float
) -> None:
    dataset = tiny_dataset()
    settings = {**SLOW, "train.min_gain": least}
    run = darec.fit(dataset, settings=settings, out=tmp_path / "r", progress=False)
    history = [json.loads(line) for line in (tmp_path / "r/history.jsonl").read_text().splitlines()]
    values = {line["epoch"]: line["valid/recall@10"] for line in history}
    kept = kept_epoch(values, least)
    assert run.metrics["best_epoch"] == kept
    assert run.metrics["valid/recall@10"] == values[kept]
    highest = max(values, key=lambda epoch: values[epoch])
    assert run.metrics["epochs"] == highest + 2 * 2, "as without it"
    assert (kept < highest) == (least > 0)


def test_interrupted_it_still_knows_the_highest_value_and_the_kept_epoch(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    config = resolve_config({**SLOW, "train.min_gain": 0.5})
    whole = Trainer(config, dataset).fit()
    assert whole.best_epoch < whole.epoch - 4, "training goes on for long after the kept epoch"
    first = Trainer(config, dataset, folder=tmp_path)
    trained = first.train_epoch

    def interrupted() -> dict[str, float]:
        if first.state.epoch == whole.best_epoch + 2:
            raise KeyboardInterrupt
        return trained()

    first.train_epoch = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    resumed = Trainer(config, dataset, folder=tmp_path).fit(resume=True)
    for name in ("epoch", "best_epoch", "best_value", "highest", "stale"):
        assert getattr(resumed, name) == getattr(whole, name)


def test_a_sample_judges_meanwhile_and_all_judge_at_the_end(tmp_path: Path) -> None:
    dataset = tiny_dataset(n_users=80)
    settings = {**SETTINGS, "train.eval_users": 30}
    run = darec.fit(dataset, settings=settings, out=tmp_path / "r", progress=False)
    again = darec.fit(dataset, settings={**settings, "options.seed": 5}, progress=False)
    history = [json.loads(line) for line in (tmp_path / "r/history.jsonl").read_text().splitlines()]
    best = max(history, key=lambda line: float(line["valid/recall@10"]))
    drawn = judges(dataset, 30)
    assert drawn is not None and len(drawn) == 30
    found = validator(dataset, 10, drawn).evaluate(run.scorer)
    assert best["valid/recall@10"] == found.summary()["recall@10"]
    assert best["diagnostics/validation/half_width"] == found.half_width("recall@10", 80) > 0
    for one in (run, again):
        whole = validator(dataset, 10).evaluate(one.scorer)
        assert one.metrics["valid/recall@10"] == whole.summary()["recall@10"]
        assert one.metrics["diagnostics/validation/users"] == 30


def test_closed_forms_are_judged_by_the_same_sample() -> None:
    dataset = tiny_dataset(n_users=80)
    settings = {**SETTINGS, "backbone": "popular", "train.eval_users": 30}
    run = darec.fit(dataset, settings=settings, progress=False)
    found = validator(dataset, 10, judges(dataset, 30)).evaluate(run.scorer)
    assert run.metrics["diagnostics/validation/users"] == 30
    assert run.metrics["diagnostics/validation/half_width"] == found.half_width("recall@10", 80)


@pytest.mark.parametrize("most", [0, 1, -5, 2.5, "all"])
def test_a_sample_that_has_no_interval_is_refused(most: object) -> None:
    with pytest.raises(ConfigError, match=r"train\.eval_users"):
        resolve_config({"train.eval_users": most})


@pytest.mark.parametrize("most", [None, 60, 100])
def test_where_no_more_users_are_there_all_judge(most: int | None) -> None:
    dataset = tiny_dataset(n_users=60)
    assert judges(dataset, most) is None
    run = darec.fit(dataset, settings={**SETTINGS, "train.eval_users": most}, progress=False)
    assert "diagnostics/validation/users" not in run.metrics


def test_the_sample_is_told_where_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    darec.fit(tiny_dataset(n_users=80), settings={**SETTINGS, "train.eval_users": 30})
    assert re.search(r"recall@10 0\.\d+ ± 0\.\d+ \(30 of 80 users\)", capsys.readouterr().err)


WORKER = """
import sys
sys.path.insert(0, sys.argv[3])
from test_trainer import SETTINGS
import darec
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
dataset = tiny_dataset()
darec.fit(dataset, alignment=sys.argv[2], settings=SETTINGS, text=tiny_text(dataset), out=sys.argv[1],
          resume=True, progress=False)
"""


@pytest.mark.parametrize("alignment", ["none", "darec"])
def test_killed_at_random_moments_and_resumed_it_ends_the_same(
    tmp_path: Path, alignment: str
) -> None:
    dataset = tiny_dataset()
    whole = darec.fit(
        dataset,
        alignment=alignment,
        settings=SETTINGS,
        text=tiny_text(dataset),
        out=tmp_path / "whole",
        progress=False,
    )
    folder = tmp_path / "killed"
    rng = random.Random(0)
    command = [sys.executable, "-c", WORKER, str(folder), alignment, str(Path(__file__).parent)]
    kills = 0
    for _ in range(30):
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        deadline = time.monotonic() + 60
        while not (folder / "config.yaml").exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        if kills < 4:
            time.sleep(rng.uniform(0.0, 0.4))
            process.send_signal(signal.SIGKILL)
        process.wait(60)
        if process.returncode == 0:
            break
        kills += 1
    assert kills >= 1, "no kill landed before the run was over"
    resumed = darec.load_run(folder, dataset=dataset)
    assert figures(resumed.metrics) == figures(whole.metrics)
    assert torch.equal(resumed.tables.users, whole.tables.users)
    epochs = [json.loads(line)["epoch"] for line in (folder / "history.jsonl").open()]
    assert epochs == [2, 4, 6, 8, 10, 12]


def test_resuming_needs_the_same_settings_and_data(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    folder = tmp_path / "r"
    done = darec.fit(dataset, settings=SETTINGS, out=folder, progress=False)
    again = darec.fit(dataset, out=folder, resume=True, progress=False)
    assert again.metrics == done.metrics
    one = {"train.lr": 0.01}
    assert darec.fit(dataset, settings=one, out=folder, resume=True).metrics == done.metrics
    with pytest.raises(RunError, match=r"began with train\.lr=0\.01, not 0\.5"):
        darec.fit(dataset, settings={**SETTINGS, "train.lr": 0.5}, out=folder, resume=True)
    with pytest.raises(RunError, match="a dataset other than"):
        darec.fit(tiny_dataset(seed=9), out=folder, resume=True)
    with pytest.raises(RunError, match="holds another run"):
        darec.fit(dataset, settings=SETTINGS, out=folder)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(RunError, match="files that do not belong to a run"):
        darec.fit(dataset, settings=SETTINGS, out=tmp_path / "photos", resume=True)


def test_resuming_with_other_language_vectors_is_refused(tmp_path: Path) -> None:
    dataset, settings = tiny_dataset(), {**SETTINGS, "alignment": "darec"}
    darec.fit(
        dataset, settings=settings, text=tiny_text(dataset), out=tmp_path / "r", progress=False
    )
    (tmp_path / "r" / "metrics.json").unlink()
    with pytest.raises(RunError, match="language vectors 'tiny' have changed"):
        darec.fit(dataset, text=tiny_text(dataset, seed=1), out=tmp_path / "r", resume=True)


def test_divergence_is_said_clearly() -> None:
    settings = {**SETTINGS, "train.lr": 1e30, "train.epochs": 8}
    with pytest.raises(RunError, match=r"lower"):
        darec.fit(tiny_dataset(), settings=settings, progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"options.device": "cuda"}, "no CUDA device"),
        ({"options.device": "tpu3"}, "write cpu, cuda or cuda:N"),
        ({"options.precision": "bf16"}, "for GPUs"),
        ({"train.monitor": "recall"}, "METRIC@K"),
        ({"train.monitor": "recal@10"}, "did you mean 'recall'"),
        ({"evaluation.ks": [5, 5000]}, "K = 5000 is larger than the catalogue"),
        ({"alignment": "darec", "alignment.n_clusters": 5000}, "5000 clusters"),
    ],
)
def test_what_cannot_work_is_refused_before_training(
    settings: dict[str, object], message: str
) -> None:
    if torch.cuda.is_available() and "no CUDA" in message:
        pytest.skip("there is a CUDA device here")
    dataset = tiny_dataset()
    with pytest.raises(ConfigError, match=message):
        Trainer(resolve_config({**SETTINGS, **settings}), dataset, tiny_text(dataset))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train.monitor": "recal@20"}, "unknown metric 'recal': did you mean 'recall'"),
        ({"train.monitor": "recall"}, "write METRIC@K"),
        ({"train.monitor": "recall@0"}, "train.monitor: K = 0"),
        ({"train.monitor": "recall@999"}, "train.monitor: K = 999 is larger"),
        ({"evaluation.ks": [1, -1]}, "evaluation.ks: K = -1"),
        ({"options.device": "cudaa"}, "write cpu, cuda or cuda:N"),
        ({"options.device": "meta"}, "write cpu, cuda or cuda:N"),
        ({"options.device": "cuda:99"}, "CUDA devices"),
        ({"options.precision": "bf16"}, "bf16 is for GPUs"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_a_model_is_built(
    settings: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.training.trainer.Model", None)
    with pytest.raises(ConfigError, match=message):
        Trainer(resolve_config(settings), tiny_dataset())


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_split_without_interactions_is_refused_before_a_model_is_built(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.training.trainer.Model", None)
    dataset = tiny_dataset()
    nobody = np.zeros(0, np.int64)
    empty = Interactions.from_pairs(nobody, nobody, dataset.n_users, dataset.n_items)
    with pytest.raises(DataError, match=f"the split '{split}' has no interactions"):
        Trainer(resolve_config(SETTINGS), replace(dataset, **{split: empty}))
