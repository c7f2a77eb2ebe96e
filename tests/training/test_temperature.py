"""A temperature that validation chooses: which one, that nothing else depends on it, and resuming and refitting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import darec
from darec.config import SoftmaxConfig, resolve_config
from darec.errors import ConfigError
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.training.trainer import Trainer

CANDIDATES = SoftmaxConfig.tried["temperature"]
SETTINGS: dict[str, Any] = {
    "backbone": {"name": "lightgcn", "dim": 8},
    "loss": {"name": "softmax", "n_negatives": 32, "temperature": None},
    "train": {"epochs": 6, "batch_size": 64, "lr": 0.01, "eval_every": 1, "monitor": "recall@10"},
    "evaluation.ks": [5, 10],
    "options.threads": 1,
}
CHOSEN = "diagnostics/chosen/loss.temperature"


def fit(data: Any = None, settings: dict[str, Any] | None = None, **more: Any) -> darec.Run:
    data = data or tiny_dataset()
    more = {"text": tiny_text(data), "progress": False, **more}
    return darec.fit(data, settings={**SETTINGS, **(settings or {})}, **more)


def figures(run: darec.Run) -> dict[str, float]:
    starts = ("test/", "valid/", "best_epoch", "epochs", "diagnostics/")
    return {k: v for k, v in run.metrics.items() if k.startswith(starts) and k != CHOSEN}


@pytest.mark.parametrize("beside", [None, "popularity"])
@pytest.mark.parametrize("alignment", ["none", "darec", "contrastive"])
def test_the_run_is_that_of_the_chosen_temperature(alignment: str, beside: str | None) -> None:
    more = {"beside": beside}
    run = fit(alignment=alignment, settings=more)
    chosen = run.metrics[CHOSEN]
    assert chosen in CANDIDATES
    same = fit(alignment=alignment, settings={**more, "loss.temperature": chosen})
    assert CHOSEN not in same.metrics
    assert figures(run) == figures(same)
    users = np.arange(run.dataset.n_users)
    np.testing.assert_array_equal(run.scorer.score(users), same.scorer.score(users))


def test_the_first_epoch_of_the_chosen_one_is_not_trained_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = []
    epoch = Trainer.train_epoch

    def counted(trainer: Trainer) -> dict[str, float]:
        trained.append(trainer.model.ranking.temperature)
        return epoch(trainer)

    monkeypatch.setattr(Trainer, "train_epoch", counted)
    run = fit()
    chosen = run.metrics[CHOSEN]
    assert trained == [*CANDIDATES, *[chosen] * (run.metrics["epochs"] - 1)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_the_best_after_one_epoch(seed: int) -> None:
    data = tiny_dataset(seed=seed)
    value = {}
    for candidate in CANDIDATES:
        one = {"loss.temperature": candidate, "train.epochs": 1}
        value[candidate] = fit(data, settings=one).metrics["valid/recall@10"]
    assert len(set(value.values())) > 1  # otherwise nothing is chosen
    assert fit(data).metrics[CHOSEN] == max(value, key=value.__getitem__)


def test_progress_names_every_candidate(capsys: pytest.CaptureFixture[str]) -> None:
    fit(progress=True)
    shown = capsys.readouterr().err
    for candidate in CANDIDATES:
        assert f"one epoch with loss.temperature={candidate:g}: valid recall@10 0." in shown


def test_refitting_trains_with_the_chosen_temperature() -> None:
    data = tiny_dataset()
    run = darec.fit(data, settings=SETTINGS, progress=False)
    again = darec.refit(run, progress=False)
    assert again.config.loss.model_dump()["temperature"] == run.metrics[CHOSEN]
    assert CHOSEN not in again.metrics


def test_without_validation_it_is_given() -> None:
    with pytest.raises(ConfigError, match=r"loss.temperature is null, and nothing is validated"):
        Trainer(resolve_config(SETTINGS), tiny_dataset(), validate=False)


def test_at_a_deadline_the_best_so_far_is_taken() -> None:
    trainer = Trainer(resolve_config(SETTINGS), tiny_dataset(), deadline=time.monotonic())
    state = trainer.fit()
    assert state.chosen == {"loss.temperature": CANDIDATES[0]}
    assert state.epoch == 1 and state.out_of_time


WORKER = """
import sys
sys.path.insert(0, sys.argv[2])
from test_temperature import fit
fit(out=sys.argv[1], resume=True, alignment="darec", settings={"train.epochs": 40, "train.patience": 40})
"""


def test_a_killed_run_keeps_its_choice(tmp_path: Path) -> None:
    long = {"train.epochs": 40, "train.patience": 40}
    whole = fit(alignment="darec", settings=long)
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", WORKER, str(folder), str(Path(__file__).parent)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while not list(folder.glob("checkpoints/epoch-*/*")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert not (folder / "metrics.json").exists(), "the run was over before the kill"
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    resumed = darec.load_run(folder, dataset=whole.dataset)
    assert resumed.metrics[CHOSEN] == whole.metrics[CHOSEN]
    assert figures(resumed) == figures(whole)
    assert torch.equal(resumed.tables.users, whole.tables.users)
    epochs = [json.loads(line)["epoch"] for line in (folder / "history.jsonl").open()]
    assert epochs == [*range(1, 41)]
