"""torch's global generators, seeded for the parts that draw from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import darec
from darec.config import resolve_config
from darec.seeding import seeded
from darec.testing.suites import train_steps
from darec.testing.worlds import tiny_dataset
from outside_parts import BACKBONE, write

DROPOUT = BACKBONE.replace("torch.nn.Linear(config.dim, config.dim)", """torch.nn.Sequential(
            torch.nn.Linear(config.dim, config.dim), torch.nn.Dropout(0.5))""")  # fmt: skip


CLOSED_FORM = """
from typing import Literal

import torch

from darec.backbones.closed_form import ClosedForm, ClosedFormConfig
from darec.registry import BACKBONES
from darec.scoring import TableScorer
from darec.types import Tables


class DrawnConfig(ClosedFormConfig):
    name: Literal["drawn"] = "drawn"


class Drawn(ClosedForm[DrawnConfig]):
    def fit(self, inputs):
        users, items = torch.randn(inputs.train.n_users, 3), torch.randn(inputs.train.n_items, 3)
        return TableScorer(Tables(users, items), inputs.ties)


BACKBONES.add("drawn", Drawn)
"""


def test_a_closed_form_that_draws_repeats(tmp_path: Path, forget: Callable[[], None]) -> None:
    darec.load_plugin(write(tmp_path / "drawn.py", CLOSED_FORM))
    items = [
        darec.fit(tiny_dataset(), backbone="drawn", seed=seed, progress=False).tables.items
        for seed in (1, 1, 2)
    ]
    assert torch.equal(items[0], items[1]) and not torch.equal(items[0], items[2])


def test_draws_depend_on_seed_and_step_and_leave_the_caller_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)

    def drawn(seed: int, step: int = 0) -> tuple[float, ...]:
        with seeded(seed, step=step):
            return tuple(torch.rand(3).tolist())

    draws = [drawn(seed, step) for seed in range(3) for step in range(3)]
    assert len(set(draws)) == 9 and drawn(1, 2) == draws[5]
    with pytest.raises(ZeroDivisionError), seeded(0):
        raise ZeroDivisionError
    assert torch.equal(torch.rand(4), expected)


def test_dropout_of_torch_is_for_training_alone_and_repeats(
    tmp_path: Path, forget: Callable[[], None]
) -> None:
    darec.load_plugin(write(tmp_path / "linear.py", DROPOUT))
    config = resolve_config({"backbone": {"name": "linear", "dim": 8}})
    model, reports = train_steps(config, tiny_dataset(), 2)
    first, second = model.tables(), model.tables()
    assert torch.equal(first.items, second.items)
    again, repeated = train_steps(config, tiny_dataset(), 2)
    assert torch.equal(again.tables().items, first.items) and reports == repeated
    noisy = [model.encode(None, torch.Generator()).items for _ in range(2)]
    assert not torch.equal(*noisy)


def test_a_run_that_is_resumed_has_the_same_dropout(
    tmp_path: Path, forget: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    darec.load_plugin(write(tmp_path / "linear.py", DROPOUT))
    data = tiny_dataset()
    settings: dict[str, Any] = {"train.epochs": 4, "train.eval_every": 1, "backbone.dim": 8}

    def fit(out: str, **options: Any) -> darec.Run:
        return darec.fit(
            data,
            backbone="linear",
            settings=settings,
            out=tmp_path / out,
            progress=False,
            **options,
        )

    whole = fit("whole")
    from darec.training.trainer import Trainer

    train_epoch = Trainer.train_epoch

    def killed(trainer: Trainer) -> dict[str, float]:
        if trainer.state.epoch == 2:
            raise KeyboardInterrupt
        return train_epoch(trainer)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "train_epoch", killed)
        fit("cut")
    torch.manual_seed(77)
    resumed = fit("cut", resume=True)
    assert torch.equal(resumed.tables.items, whole.tables.items)
