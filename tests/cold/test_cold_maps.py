"""The maps from text to rows against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from darec.cold.maps import PENALTIES, NeighbourMap, RidgeMap, SharedNeighbourMap
from darec.graph import SharedText

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 3)) + 2 + 0.5 * RNG.normal(size=(24, 3))).astype(np.float32)


def left_out(penalty: float) -> np.ndarray:
    """Every row told by the other rows alone."""
    return np.stack(
        [
            Ridge(penalty).fit(np.delete(X, i, 0), np.delete(Y, i, 0)).predict(X[i : i + 1])[0]
            for i in range(len(X))
        ]
    )


def test_ridge_takes_the_penalty_that_tells_left_out_items_best() -> None:
    centred = X - X.mean(0)
    unit = float(np.linalg.eigvalsh(centred.T @ centred).mean())
    errors = {p: ((left_out(p * unit) - Y) ** 2).sum() for p in PENALTIES}
    best = min(errors, key=lambda p: errors[p])
    fitted = RidgeMap().fit(X, Y)
    assert fitted.penalty_ == pytest.approx(best * unit, rel=1e-5)
    total = ((Y - Y.mean(0)) ** 2).sum()
    assert fitted.explained_ == pytest.approx(1 - errors[best] / total, rel=1e-4)
    expected = Ridge(best * unit).fit(X, Y).predict(X[:5])
    assert fitted.predict(X[:5]) == pytest.approx(expected, rel=1e-3)


def test_ridge_recovers_a_linear_map_and_gives_up_on_noise() -> None:
    exact = (X @ RNG.normal(size=(6, 3)) + 1).astype(np.float32)
    assert RidgeMap().fit(X[:18], exact[:18]).predict(X[18:]) == pytest.approx(exact[18:], abs=0.05)
    noise = RNG.normal(size=(24, 3)).astype(np.float32)
    fitted = RidgeMap().fit(X, noise)
    assert fitted.explained_ < 0.1
    # What text says nothing of is told by the mean.
    assert np.abs(fitted.predict(X) - noise.mean(0)).max() < 0.7 * np.abs(noise).max()


def test_neighbours_are_averaged_by_the_softmax_of_their_cosines() -> None:
    fitted = NeighbourMap(neighbours=4, temperature=0.2).fit(X, Y)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)

    def told(row: np.ndarray, rows: np.ndarray) -> np.ndarray:
        cosines = unit[rows] @ (row / np.linalg.norm(row))
        near = np.argsort(-cosines)[:4]
        weights = np.exp(cosines[near] / 0.2)
        return (weights / weights.sum()) @ Y[rows][near]

    new = RNG.normal(size=(3, 6)).astype(np.float32)
    everyone = np.arange(24)
    expected = np.stack([told(row, everyone) for row in new])
    assert fitted.predict(new) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    others = np.stack([told(X[i], np.delete(everyone, i)) for i in range(24)])
    share = 1 - ((others - Y) ** 2).sum() / ((Y - Y.mean(0)) ** 2).sum()
    assert fitted.explained_ == pytest.approx(share, rel=1e-4)


def test_neighbours_of_the_shared_part_are_those_of_its_coordinates() -> None:
    shared = SharedText(torch.full((6,), 0.1), torch.from_numpy(RNG.normal(size=(6, 2))))
    part = (X.astype(np.float64) - 0.1) @ shared.directions.numpy()
    expected = NeighbourMap().fit(part.astype(np.float32), Y)
    fitted = SharedNeighbourMap(shared).fit(X, Y)
    assert fitted.explained_ == pytest.approx(expected.explained_, rel=1e-4)
    assert fitted.predict(X[:5]) == pytest.approx(
        expected.predict(part[:5].astype(np.float32)), rel=1e-4, abs=1e-5
    )


def test_where_nothing_is_shared_a_text_is_told_by_the_mean() -> None:
    nothing = SharedText(torch.zeros(6), torch.zeros(6, 0, dtype=torch.float64))
    fitted = SharedNeighbourMap(nothing).fit(X, Y)
    assert fitted.predict(X[:2]) == pytest.approx(np.stack([Y.mean(0)] * 2), rel=1e-4)


def test_fewer_items_than_neighbours() -> None:
    fitted = NeighbourMap(neighbours=50).fit(X[:3], Y[:3])
    assert fitted.predict(X[:1]).shape == (1, 3) and np.isfinite(fitted.explained_)
