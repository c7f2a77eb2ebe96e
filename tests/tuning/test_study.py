from __future__ import annotations

import csv
from pathlib import Path

import pytest

from darec.config import RunConfig, resolve_config
from darec.errors import RunError
from darec.search import Range, narrowed
from darec.testing.worlds import tiny_dataset
from darec.training.trainer import Trainer
from darec.tuning import Tuning

pytest.importorskip("optuna")

SETTINGS = {"backbone": {"name": "mf", "dim": 4}, "train.epochs": 4, "train.eval_every": 1}
CONFIG = resolve_config({**SETTINGS, "train.monitor": "recall@5", "evaluation.ks": [5]})


def tuning(out: Path, trials: int = 4, config: RunConfig = CONFIG, **more: object) -> Tuning:
    space = {"train.lr": Range(1e-3, 0.3, log=True)}
    return Tuning(tiny_dataset(), config, space, out=out, trials=trials, progress=False, **more)  # type: ignore[arg-type]


def test_the_first_trial_is_the_start_and_the_best_is_written(tmp_path: Path) -> None:
    tuned = tuning(tmp_path, epochs=3).run()
    start = Trainer(resolve_config({**CONFIG.model_dump(), "train.epochs": 3}), tiny_dataset())
    assert tuned.start == start.fit().best_value
    assert tuned.best is not None and tuned.best >= tuned.start
    written = resolve_config(file=tmp_path / "mf+none.yaml")
    assert written.train.lr == tuned.parameters["train.lr"]
    assert written.train.epochs == 4  # the cap on trials is not a setting of the run
    with (tmp_path / "mf+none.trials.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4


def test_a_study_goes_on_where_it_stopped_and_repeats(tmp_path: Path) -> None:
    whole = tuning(tmp_path / "whole").run()
    tuning(tmp_path / "parts", trials=4)  # begun, and stopped before its first trial
    half = tuning(tmp_path / "parts", trials=4)
    half.trials = 2
    half.run()
    rest = tuning(tmp_path / "parts", trials=4).run()
    assert rest.finished + rest.pruned == whole.finished + whole.pruned == 4
    assert rest.start == whole.start
    again = tuning(tmp_path / "parts", trials=4).run()
    assert again.finished + again.pruned == 4 and again.best == rest.best


def test_other_settings_are_refused(tmp_path: Path) -> None:
    tuning(tmp_path, trials=1).run()
    other = resolve_config({**CONFIG.model_dump(), "backbone.dim": 8})
    with pytest.raises(RunError, match=r"was begun with.*backbone\.dim"):
        tuning(tmp_path, config=other)


def test_a_trial_that_is_cut_short_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tuning(tmp_path, trials=2)

    def stop(self: Trainer) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", stop)
        with pytest.raises(KeyboardInterrupt):
            study.run()
    tuned = tuning(tmp_path, trials=2).run()
    assert tuned.finished + tuned.pruned == 2
    assert tuned.start is not None  # the start was put back, so it is still the first


def test_a_diverging_trial_is_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Trainer.fit
    calls = []

    def diverge(self: Trainer, **more: bool):  # type: ignore[no-untyped-def]
        calls.append(self.config.train.lr)
        if len(calls) == 2:
            raise RunError("loss 'ranking' is nan")
        return fit(self, **more)

    monkeypatch.setattr(Trainer, "fit", diverge)
    tuned = tuning(tmp_path, trials=3).run()
    assert tuned.diverged == 1
    assert tuned.finished + tuned.pruned == 2


def test_the_test_split_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    dataset = tiny_dataset()
    empty = type(dataset.test).from_pairs(
        dataset.test.users[:0], dataset.test.items[:0], dataset.n_users, dataset.n_items
    )
    blind = replace(dataset, test=empty)
    space = narrowed(CONFIG, only=["train.lr"])
    found = [
        Tuning(data, CONFIG, space, out=tmp_path / name, trials=2, progress=False).run().best
        for name, data in (("seeing", dataset), ("blind", blind))
    ]
    assert found[0] == found[1]
