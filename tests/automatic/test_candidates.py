"""What a search tries, and how long it expects each candidate to take."""

from __future__ import annotations

from typing import Any

import pytest

from darec.automatic.candidates import Candidate, make_candidates
from darec.automatic.costs import Costs
from darec.automatic.record import Record, Tried
from darec.testing.worlds import tiny_dataset

RECOMMENDED = [
    "recommended",
    "recommended, alignment=none",
    "recommended, alignment=none, beside.alignment=none",
    "recommended, backbone.dim=64",
    "recommended, loss=bpr",
    "recommended, loss.n_negatives=256",
    "recommended, backbone.layers=2",
]
DATA = tiny_dataset()


def names(text: bool, **given: Any) -> list[str]:
    return [one.name for one in make_candidates(DATA, given, text=text)]


def test_the_cheapest_come_first_and_each_change_is_one() -> None:
    assert names(True) == ["popular", "itemknn", "ease", "ease + l3ae", *RECOMMENDED]
    bare = [name for name in RECOMMENDED if "alignment" not in name]
    assert names(False) == ["popular", "itemknn", "ease", *bare], "what changes nothing is left out"
    made = {one.name: one for one in make_candidates(DATA, {"options.seed": 5}, text=True)}
    base = made["recommended"].config.model_dump()
    bpr = made["recommended, loss=bpr"].config.model_dump()
    assert bpr["loss"] == {"name": "bpr"} and {**bpr, "loss": base["loss"]} == base
    assert {one.config.options.seed for one in made.values()} == {5}
    assert [one.name for one in made.values() if one.trained] == RECOMMENDED


def test_above_30_000_items_the_linear_model_is_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darec.automatic.candidates.LARGEST_DENSE", 39)
    assert names(True)[2:4] == ["ease_sparse", "ease_sparse + l3ae"]


def costs(*tried: Tried) -> dict[str, float]:
    candidates: dict[str, Candidate] = {
        one.name: one for one in make_candidates(DATA, {}, text=True)
    }
    record = Record(10, "recall@20", {}, "", None, tried)
    model = Costs(DATA, list(candidates.values()))
    model._flops = 1e9
    return {name: model.of(one, record) for name, one in candidates.items()} | {
        "ending": model.ending(record)
    }


POPULAR = Tried("popular", {}, "finished", 0.1, seconds=2.0, epochs=1)


def test_a_linear_model_is_expected_to_take_its_inverses() -> None:
    found = costs(POPULAR)
    assert found["ease"] == pytest.approx(2 * (2 + 2 * 40**3 / 1e9))
    assert found["itemknn"] == pytest.approx(2, abs=0.01)
    ease = Tried("ease", {}, "finished", 0.1, seconds=30.0, epochs=1)
    found = costs(POPULAR, ease)
    assert found["ease + l3ae"] == 30
    assert found["recommended"] == found["ending"] == pytest.approx(30 + 25 * 2)


def test_a_trained_one_is_expected_to_take_the_epochs_of_those_before_it() -> None:
    """Three epochs of 30 s and 10 s beside: with a quarter of the width, three of 7.5."""
    first = Tried("recommended", {}, "finished", 0.5, seconds=100.0, epochs=3, per_epoch=30.0)
    found = costs(POPULAR, first)
    assert found["ending"] == pytest.approx(10)
    assert found["recommended, alignment=none"] == pytest.approx(100)
    assert found["recommended, backbone.dim=64"] == pytest.approx(32.5)
    fewer = found["recommended, loss.n_negatives=256"], found["recommended, backbone.layers=2"]
    assert all(10 < seconds < 100 for seconds in fewer)
