"""Whole runs by threads that stand for processes: the same artefacts, checkpoints for any number, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import darec
import darec.together
from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, FolderError, RunError
from darec.processes import ALONE, ElsewhereError, Group
from darec.processes.choice import SHARDS, Shards
from darec.processes.group import within
from darec.run import Run
from darec.testing.steps import tiny_text
from darec.testing.threads import together
from darec.testing.worlds import tiny_dataset
from darec.training.state import TrainState
from darec.training.trainer import Trainer

SETTINGS = {
    "backbone": {"name": "lightgcn", "dim": 7},
    "loss": {"name": "softmax", "n_negatives": 16},
    "train": {"epochs": 6, "batch_size": 64, "lr": 0.01, "eval_every": 2},
    "evaluation.ks": [5],
    "train.monitor": "recall@5",
    "options.threads": 1,
}


def fitted(out: Path, size: int, shards: Shards | None = None, **changes: Any) -> list[Run]:
    """A run of so many threads, as each of them has it."""
    dataset = tiny_dataset()

    def work(group: Group) -> Run:
        with within(group):
            return darec.fit(
                dataset,
                settings={**SETTINGS, **changes},
                text=tiny_text(dataset),
                out=out,
                progress=False,
                shards=shards,
            )

    return together(work, size) if size > 1 else [work(ALONE)]


@pytest.mark.parametrize("shards", SHARDS)
def test_a_run_of_two_is_that_of_one(shards: Shards, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "alignment": "darec",
        "beside": {"backbone": None, "popularity": 0.2},
        "loss.temperature": None,
    }
    (alone,) = fitted(tmp_path / "one", 1, **changes)
    leader, other = fitted(tmp_path / "two", 2, shards, **changes)
    for run in (leader, other):
        assert run.path is not None and run.metrics["processes"] == 2
        assert run.metrics["bytes_sent_per_step"] > 0
        assert run.metrics["parameters"] == alone.metrics["parameters"]
        chosen = "diagnostics/chosen/loss.temperature"
        assert run.metrics[chosen] == alone.metrics[chosen]
        for name in ("test/recall@5", "valid/recall@5", "best_epoch"):
            assert run.metrics[name] == pytest.approx(alone.metrics[name], rel=0.02)
    assert (leader.about["processes"], leader.about["layout"]) == (2, shards)
    assert "processes" not in alone.about and "processes" not in alone.metrics
    files = [{file.name for file in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]
    for name in ("users", "items"):
        tables = [getattr(run.scorer.scorers[0].tables, name) for run in (leader, alone)]
        torch.testing.assert_close(*tables, rtol=1e-3, atol=1e-3)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    ids = [table["backbone.embedding"] for table in weights]
    torch.testing.assert_close(*ids, rtol=1e-3, atol=1e-3)


def test_a_refit_of_two_is_that_of_one(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    source = darec.fit(dataset, settings=SETTINGS, out=tmp_path / "source", progress=False)

    def work(group: Group) -> Run:
        with within(group):
            return darec.refit(source, out=tmp_path / f"refit-{group.size}", progress=False)

    one, (two, _) = work(ALONE), together(work)
    assert two.refit == one.refit is not None
    assert (two.metrics["processes"], two.metrics["epochs"]) == (2, one.metrics["epochs"])
    torch.testing.assert_close(two.tables.items, one.tables.items, rtol=1e-3, atol=1e-3)


def trained(
    config: RunConfig,
    dataset: Dataset,
    folder: Path,
    size: int,
    epochs: int,
    shards: Shards = "columns",
) -> None:
    """So many epochs more, by so many threads."""

    def work(group: Group) -> int:
        trainer = Trainer(
            config,
            dataset,
            folder=folder if group.leads else None,
            group=group,
            shards=shards,
            deadline=None if epochs > 1 else 0.0,  # which has passed: one epoch
        )
        return trainer.fit(resume=True).epoch

    done = together(work, size) if size > 1 else [work(ALONE)]
    assert len(set(done)) == 1


def test_any_number_of_processes_takes_up_a_checkpoint_in_any_layout(tmp_path: Path) -> None:
    config, dataset = resolve_config(SETTINGS), tiny_dataset()
    many: list[tuple[int, Shards]] = [(2, "rows"), (1, "columns"), (2, "columns"), (3, "rows")]
    for name, steps in {"one": many[1:2], "many": many}.items():
        folder = tmp_path / name
        folder.mkdir()
        for place, (size, shards) in enumerate(steps):
            trained(config, dataset, folder, size, 6 if place == len(steps) - 1 else 1, shards)
    one, many = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "many"))
    for name, tensor in one.items():
        torch.testing.assert_close(many[name], tensor, rtol=1e-3, atol=1e-4)
    states = [
        load_file(tmp_path / name / "checkpoints/epoch-000006/tensors.safetensors")
        for name in ("one", "many")
    ]
    assert states[0].keys() == states[1].keys()
    assert {name: x.shape for name, x in states[0].items()} == {
        name: x.shape for name, x in states[1].items()
    }
    lines = [json.loads(line) for line in (tmp_path / "many/history.jsonl").open()]
    assert lines[-1]["epoch"] == 6


def together_refused(work: Callable[[Group], Any]) -> list[Exception]:
    """What each of two threads raises."""

    def caught(group: Group) -> Exception | None:
        try:
            with within(group):
                work(group)
        except Exception as error:
            return error
        return None

    errors = together(caught)
    assert all(errors)
    return [error for error in errors if error]


def test_processes_with_different_data_are_refused(tmp_path: Path) -> None:
    worlds = [tiny_dataset(), tiny_dataset(seed=1)]

    def work(group: Group) -> None:
        darec.fit(worlds[group.rank], settings=SETTINGS, out=tmp_path / "r", progress=False)

    leader, other = together_refused(work)
    assert isinstance(leader, ElsewhereError) and isinstance(other, DataError)
    assert "process 1 of 2 has another dataset" in str(other)
    assert str(leader) == f"process 1 of 2: {other}"
    assert not (tmp_path / "r").exists()


def test_processes_with_different_vectors_or_versions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tiny_dataset()
    texts = [tiny_text(dataset), tiny_text(dataset, seed=1)]
    settings = {**SETTINGS, "alignment": "darec"}

    def work(group: Group) -> None:
        darec.fit(
            dataset, settings=settings, text=texts[group.rank], out=tmp_path / "r", progress=False
        )

    assert "has other language vectors" in str(together_refused(work)[1])
    texts[1] = texts[0]
    describe = darec.together.describe

    def older(config: RunConfig, text: Any = None, processes: int = 1) -> dict[str, Any]:
        about = describe(config, text, processes)
        return {**about, "darec": "0.0.1"} if processes == 1 else about

    monkeypatch.setattr("darec.together.describe", older)
    assert "process 1 of 2 has darec 0.0.1" in str(together_refused(work)[1])
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"backbone": "dccf", "shards": "rows"}, "backbone 'dccf' cannot be divided by rows"),
        (
            {"backbone": "autocf", "shards": "rows"},
            "backbone 'autocf' cannot be trained by several",
        ),
        ({"shards": "diagonals"}, "--shards=diagonals: choose from columns, rows"),
        ({"backbone": {"name": "autocf", "dim": 8}}, "backbone 'autocf'"),
        ({"backbone": "ease"}, "closed form"),
        ({"backbone": {"name": "mf", "dim": 1}}, "at least one column"),
        ({"options.device": "cuda:0"}, "would share one GPU"),
    ],
)
def test_what_cannot_be_divided_is_refused_first(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    def work(group: Group) -> None:
        given = {**SETTINGS, **changes}
        shards = given.pop("shards", None)
        out = tmp_path / "r"
        darec.fit(tiny_dataset(), settings=given, out=out, progress=False, shards=shards)

    leader, other = together_refused(work)
    assert isinstance(leader, ConfigError) and reason in leader.command_line
    assert isinstance(other, ElsewhereError | ConfigError)
    assert not (tmp_path / "r").exists()


def test_a_run_goes_on_by_the_layout_that_began_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless another is asked for."""
    taken: list[str] = []
    fit = Trainer.fit

    def stopped(self: Trainer, *, resume: bool = False) -> TrainState:
        taken.append(self.model.layout.name)
        if len(taken) < 5:
            self.deadline = 0.0
            fit(self, resume=resume)
            raise RunError("stopped")
        return fit(self, resume=resume)

    monkeypatch.setattr(Trainer, "fit", stopped)
    begun: list[Shards | None] = ["rows", None]
    for shards in begun:
        for error in together_refused(
            lambda group, shards=shards: _resumed(tmp_path / "r", shards)
        ):
            assert "stopped" in str(error)
    together(lambda group: _within(group, tmp_path / "r", "columns"))
    assert taken == ["rows"] * 4 + ["columns"] * 2
    assert darec.load_run(tmp_path / "r", dataset=tiny_dataset()).about["layout"] == "rows"


def _resumed(out: Path, shards: Shards | None) -> Run:
    return darec.fit(
        tiny_dataset(),
        settings=SETTINGS,
        out=out,
        resume=True,
        progress=False,
        shards=shards,
    )


def _within(group: Group, out: Path, shards: Shards | None) -> Run:
    with within(group):
        return _resumed(out, shards)


def test_a_folder_is_needed_and_must_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def work(group: Group, out: Path | None) -> None:
        darec.fit(tiny_dataset(), settings=SETTINGS, out=out, progress=False)

    leader, _ = together_refused(lambda group: work(group, None))
    assert "name it with out" in str(leader).replace("--out", "out")
    leader, other = together_refused(lambda group: work(group, tmp_path / "file"))
    assert isinstance(leader, FolderError) and isinstance(other, ElsewhereError)
