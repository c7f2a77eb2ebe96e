from __future__ import annotations

import csv
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch import Tensor

from darec.config import RunConfig, resolve_config
from darec.dimensions import Range
from darec.errors import ConfigError, RunError, SingularError
from darec.search import narrowed, search_space
from darec.testing.suites import tiny_text
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
    with pytest.raises(RunError, match=r"was started with.*backbone\.dim"):
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


def test_a_singular_system_is_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sampler may draw a ridge with which a closed form has no solution."""

    def solve(matrix: Tensor, title: str) -> None:
        raise SingularError("the system is singular: raise the ridge.")

    config = resolve_config(
        {"backbone": "ease", "backbone.ridge": 9, "train.monitor": "recall@5", "evaluation.ks": [5]}
    )
    space = {"backbone.ridge": Range(1.0, 100.0)}
    study = Tuning(tiny_dataset(), config, space, out=tmp_path, trials=2, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr("darec.backbones.ease.invert_", solve)
        assert study.run().diverged == 2
    more = Tuning(tiny_dataset(), config, space, out=tmp_path, trials=3, progress=False).run()
    assert (more.diverged, more.finished) == (2, 1)


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


@pytest.mark.parametrize(("silent", "runs_again"), [(0.0, False), (10_000.0, True)])
def test_a_trial_of_another_machine_counts_as_long_as_it_gives_signs_of_life(
    tmp_path: Path, silent: float, runs_again: bool
) -> None:
    study = tuning(tmp_path, trials=3)
    theirs = study.study.ask()
    theirs.suggest_float("train.lr", 1e-3, 0.3, log=True)
    theirs.set_user_attr("worker", "elsewhere:1:1")
    theirs.set_user_attr("beat", time.time() - silent)
    tuned = study.run()
    assert tuned.finished + tuned.pruned == (3 if runs_again else 2)
    assert tuned.running == (0 if runs_again else 1)
    assert (tuned.start is not None) == runs_again  # theirs was the first, so it had the start


def test_a_killed_process_leaves_nothing_that_stands_in_the_way(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_study import Path, Trainer, tuning\n"
        "Trainer.fit = lambda self: os.kill(os.getpid(), signal.SIGKILL)\n"
        "tuning(Path(sys.argv[2]), trials=2).run()"
    )
    words = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path)]
    assert subprocess.run(words, capture_output=True).returncode == -signal.SIGKILL
    with (tmp_path / "study.journal").open("a") as file:
        file.write('{"op_code": 5, "half a')  # as a kill in the middle of writing leaves it
    tuned = tuning(tmp_path, trials=2).run()
    assert tuned.finished + tuned.pruned == 2
    assert tuned.start is not None  # what was killed has been run again


def test_settings_that_killed_twice_are_left_out(tmp_path: Path) -> None:
    study = tuning(tmp_path, trials=2)
    killed = study.study.ask()
    killed.suggest_float("train.lr", 1e-3, 0.3, log=True)
    killed.set_user_attr("worker", f"{socket.gethostname()}:0:1")
    killed.set_user_attr("attempt", 1)
    tuned = study.run()
    assert tuned.finished + tuned.pruned == 2
    assert tuned.start is None


def test_what_depends_on_a_searched_setting_is_drawn_only_with_it(tmp_path: Path) -> None:
    config = resolve_config({**CONFIG.model_dump(), "alignment": "direct"})
    search = ["alignment.balance=gradient,fixed"]
    keys = ["alignment.balance", "alignment.rho", "alignment.strength"]
    dataset = tiny_dataset()
    text = tiny_text(dataset)
    space = narrowed(config, search=search, only=keys)
    assert set(space) == set(keys)
    study = Tuning(dataset, config, space, out=tmp_path, trials=8, text=text, progress=False)
    study.run()
    drawn = [trial.params for trial in study.study.trials]
    assert {params["alignment.balance"] for params in drawn} == {"gradient", "fixed"}
    for params in drawn:
        by_gradient = params["alignment.balance"] == "gradient"
        assert ("alignment.rho" in params) == by_gradient
        assert ("alignment.strength" in params) != by_gradient


def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a journal, and no end of line")
    with pytest.raises(RunError, match="is not a journal"):
        tuning(tmp_path / "out", storage=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "not a journal, and no end of line"


def test_what_cannot_be_trained_leaves_no_study_behind(tmp_path: Path) -> None:
    config = resolve_config({**CONFIG.model_dump(), "train.monitor": "recall@9999"})
    with pytest.raises(ConfigError, match="K = 9999"):
        tuning(tmp_path / "out", config=config)
    assert not (tmp_path / "out").exists()


def test_a_study_may_live_in_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    first = tuning(tmp_path / "a", trials=2, storage=url).run()
    second = tuning(
        tmp_path / "b", trials=2, storage=url
    ).run()  # another machine: nothing left to do
    assert first.row() | {"path": ""} == second.row() | {"path": ""}
    assert (tmp_path / "b/mf+none.yaml").read_text() == (tmp_path / "a/mf+none.yaml").read_text()


def test_a_closed_form_is_tuned_over_its_own_settings_from_what_it_would_try_first(
    tmp_path: Path,
) -> None:
    data = tiny_dataset()
    config = resolve_config({"backbone": "ease", "train.monitor": "recall@5", "evaluation.ks": [5]})
    space = search_space(config)
    assert list(space) == ["backbone.ridge"]
    tuning = Tuning(data, config, space, out=tmp_path, trials=2, progress=False)
    tuning.run()
    assert tuning.study.trials[0].params == {"backbone.ridge": 100.0}
