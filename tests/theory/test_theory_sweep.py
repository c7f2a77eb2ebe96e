from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darec.errors import ConfigError, RunError
from darec.settings import validated
from darec.theory import sweep as sweep_module
from darec.theory.probes import linear_gap, linear_r2
from darec.theory.sweep import METHODS, sweep, tasks
from darec.theory.sweep_points import Mean, summarise
from darec.theory.sweep_report import findings, verdict
from darec.theory.sweep_run import Dials, Outcome, Task, planted, run

TINY = Dials(n_users=150, n_items=300, epochs=2)


def made_up(task: Task) -> Outcome:
    """A run with figures that are known: recall falls and the gap closes with the strength."""
    probes = {"E_C/shared": 0.5, "E_C/specific": 0.4 - 0.03 * task.strength}
    probes |= {"E_L/shared": 0.6, "E_L/specific": 0.0}
    if task.method == "darec":
        parts = ("C_sh", "C_sp", "L_sh", "L_sp")
        probes |= {f"{part}/{of}": 0.1 for part in parts for of in ("shared", "specific")}
    wobble = 0.001 * task.seed * task.strength
    recall = 0.3 + 0.01 * task.seed - 0.01 * task.strength + wobble
    gap = 0.6 - 0.02 * task.strength + wobble
    return Outcome(task.method, task.strength, task.seed, recall, recall / 2, gap, probes, 5, 1.0)


def test_probes_find_what_was_planted_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 10))
    y = x @ rng.normal(size=(10, 3))
    assert linear_r2(x, y) > 0.999
    assert abs(linear_r2(x, rng.normal(size=(500, 3)))) < 0.05
    noisy = y + rng.normal(size=y.shape) * y.std()  # half of the variance is noise
    assert linear_r2(x, noisy) == pytest.approx(0.5, abs=0.08)
    assert linear_r2(x, np.ones((500, 2))) == 0
    assert linear_r2(x[:, 3:], y) < linear_r2(x, y)


def test_the_gap_is_zero_for_a_map_of_the_text_and_one_for_noise() -> None:
    rng = np.random.default_rng(0)
    text = rng.normal(size=(600, 12))
    mapped = text @ rng.normal(size=(12, 8))
    mapped /= np.linalg.norm(mapped, axis=1, keepdims=True)
    noise = rng.normal(size=(600, 8))
    assert linear_gap(mapped, text) < 0.15 < 0.95 < linear_gap(noise, text)
    assert linear_gap(3 * noise, text) == pytest.approx(linear_gap(noise, text), abs=1e-9)
    halves = linear_gap(np.hstack([mapped, noise / np.linalg.norm(noise, axis=1)[:, None]]), text)
    assert halves == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("method", "strength"), [("none", 0.0), ("darec", 1.0)])
def test_a_run_measures_everything_and_repeats(method: str, strength: float) -> None:
    found = run(Task(method, strength, 0, TINY))
    assert 0 <= found.recall <= 1 and 0 <= found.gap <= 1 and found.epochs <= 2
    assert found.probes["E_L/shared"] > 0.2 > found.probes["E_L/specific"]
    assert ("C_sh/shared" in found.probes) == (method == "darec")
    again = run(Task(method, strength, 0, TINY))
    assert replace(again, seconds=0) == replace(found, seconds=0)


def test_withheld_items_have_text_and_no_training_interactions() -> None:
    world, text = planted(TINY.model_copy(update={"text_only": 0.25}), 3)
    whole, _ = planted(TINY.model_copy(update={"text_only": 0.0}), 3)
    without = world.dataset.train.item_degree == 0
    assert 75 <= without.sum() <= 75 + (whole.dataset.train.item_degree == 0).sum()
    assert text.item_mask[without].all()
    assert world.dataset.test.item_degree[without].sum() > 0
    np.testing.assert_array_equal(world.dataset.test.keys, whole.dataset.test.keys)


def test_finished_runs_are_kept_and_the_grid_can_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(task: Task) -> Outcome:
        if len(made) == 2 and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            raise KeyboardInterrupt
        made.append(task.name)
        return made_up(task)

    monkeypatch.setattr(sweep_module, "run", counted)
    out = tmp_path / "sweep"
    grid = tasks(TINY, ("direct",), (1.0, 3.0), (0,))
    with pytest.raises(KeyboardInterrupt):
        list(sweep(grid, out))
    assert len(list(sweep(grid, out))) == 3 and len(made) == 3
    larger = tasks(TINY, ("direct", "darec"), (1.0, 3.0), (0, 1))
    assert len(list(sweep(larger, out))) == 10 and len(made) == 10
    assert sorted(made) == sorted(task.name for task in larger)
    other = tasks(TINY.model_copy(update={"both": 0.4}), ("direct",), (1.0,), (0,))
    assert not {task.name for task in other} & set(made)
    damaged = out / "runs" / f"{grid[0].name}.json"
    for text in (json.dumps({"method": "none"}), "[" * 100_000):
        damaged.write_text(text)
        with pytest.raises(RunError, match="is damaged"):
            list(sweep(grid, out))


def test_findings_follow_from_the_figures() -> None:
    grid = tasks(TINY, METHODS, (1.0, 5.0), range(5))
    points = summarise(map(made_up, grid))
    assert [(p.method, p.strength) for p in points[:3]] == [
        ("none", 0),
        ("direct", 1),
        ("direct", 5),
    ]
    change = points[2].changes["recall"]
    assert change.mean == pytest.approx(-0.05 + 0.01) and change.sign == -1
    lines = findings(points)
    assert len(lines) == len(METHODS)
    assert all("as the theorem suggests" in line for line in lines)
    assert "highest at rho 1" in lines[0] and "narrowest at rho 5" in lines[0]
    single = findings(summarise(map(made_up, tasks(TINY, METHODS, (1.0,), (0,)))))
    assert all("a single seed is not enough" in line for line in single)


def test_intervals_are_students() -> None:
    found = Mean.of([1.0, 2.0, 3.0, 4.0])
    half = 3.182446 * np.std([1, 2, 3, 4], ddof=1) / 2  # t of 3 degrees of freedom at 97.5%
    assert (found.mean, found.low, found.high) == pytest.approx(
        (2.5, 2.5 - half, 2.5 + half), rel=1e-6
    )
    assert (Mean(1, 0.5, 2).sign, Mean(1, -0.5, 2).sign, Mean.of([1.0]).sign) == (1, 0, 0)


@pytest.mark.parametrize(
    ("recall", "gap", "said"),
    [
        (-1, -1, "as the theorem suggests"),
        (1, -1, "recall rises, and specific factors are lost, against"),
        (0, -1, "does not fall beyond chance"),
        (-1, 0, "does not narrow"),
        (0, 0, "no evidence in either direction"),
    ],
)
def test_verdicts(recall: int, gap: int, said: str) -> None:
    def of(sign: int) -> Mean:
        return Mean(sign, sign - 0.5, sign + 0.5)

    assert said in verdict(of(recall), of(gap), of(-1))


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    for arguments, message in (
        ((("kar",), (1.0,), (0,)), "no method 'kar'"),
        ((("direct",), (0.0,), (0,)), "strength 0"),
        ((("direct",), (float("nan"),), (0,)), "strength nan"),
        ((("direct", "direct"), (1.0,), (0,)), "none twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            tasks(TINY, *arguments)
    with pytest.raises(ConfigError, match="add up to more than 1"):
        validated(Dials, {"both": 0.8, "interactions_only": 0.3})
    with pytest.raises(ConfigError, match="setting 'text_only'"):
        validated(Dials, {"text_only": 1.0})
    with pytest.raises(ConfigError, match="setting 'nuisance'"):
        validated(Dials, {"nuisance": 99})
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="other content"):
        list(sweep([], tmp_path))
