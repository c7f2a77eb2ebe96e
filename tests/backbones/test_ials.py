"""iALS by the library implicit, against the same least squares row by row."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy import sparse

import darec
from darec.backbones import ials
from darec.backbones.closed_form import ClosedFormInputs
from darec.backbones.ials import IALS, IALSConfig
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.scoring import RidgeFolding, Scorer, TableScorer
from darec.testing.closed_form import ClosedFormSuite
from darec.testing.scorers import ScorerSuite
from darec.testing.worlds import tiny_dataset
from darec.training.checks import check_config
from darec.types import Interactions, Tables

needs_implicit = pytest.mark.skipif(
    find_spec("implicit") is None, reason="implicit is not installed (darec[als])"
)
RNG = np.random.default_rng(0)
X = (RNG.random((18, 13)) < 0.3).astype(float)
X[3], X[:, 5] = 0, 0  # a user without items, an item without users


@needs_implicit
class TestIALS(ClosedFormSuite):
    name = "ials"


def solved(matrix, table, unobserved, ridge, frequency):
    """Each row by its normal equations, eq. 8 of the paper."""
    rows = []
    for x in matrix:
        penalty = ridge * (x.sum() + unobserved * len(table)) ** frequency
        system = unobserved * table.T @ table + table.T @ np.diag(x) @ table
        rows.append(np.linalg.solve(system + penalty * np.eye(table.shape[1]), table.T @ x))
    return np.array(rows)


def inputs(threads=1):
    users, items = np.nonzero(X)
    train = Interactions.from_pairs(users, items, *X.shape)
    return ClosedFormInputs(train, np.arange(X.shape[1]), threads=threads)


@needs_implicit
@pytest.mark.parametrize("frequency", [0.0, 0.5, 1.0])
def test_it_alternates_between_least_squares_of_items_and_of_users(frequency):
    unobserved = 0.2 / X.mean()  # 0.2 for each pair
    config = IALSConfig(dim=4, unobserved=unobserved, ridge=0.05, frequency=frequency, rounds=3)
    found = IALS(config).fit(inputs(threads=2)).tables
    rng = np.random.default_rng(0)
    users, items = (
        0.1 / 2 * rng.standard_normal((n, 4), np.float32).astype(float) for n in X.shape
    )
    for _ in range(3):
        items = solved(X.T, users, 0.2, 0.05, frequency)
        users = solved(X, items, 0.2, 0.05, frequency)
    np.testing.assert_allclose(found.items.numpy(), items, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.users.numpy(), users, rtol=1e-3, atol=1e-5)


@needs_implicit
def test_known_users_are_what_folding_in_makes_of_their_items(tmp_path):
    scorer = IALS(IALSConfig(dim=4)).fit(inputs())
    scorer.save(tmp_path / "scorer.safetensors")
    for one in (scorer, Scorer.load(tmp_path / "scorer.safetensors")):
        np.testing.assert_allclose(
            one.score_histories(sparse.csr_array(X)), scorer.score(np.arange(18)), atol=1e-5
        )


class TestRidgeFolding(ScorerSuite):
    def make(self):
        items = torch.from_numpy(np.random.default_rng(1).standard_normal((13, 4))).float()
        folding = RidgeFolding(0.3, 0.1, 1.0)
        users = torch.from_numpy(folding.rows(self.histories(), items))
        return TableScorer(Tables(users, items), folding=folding)

    def histories(self):
        return sparse.csr_array(X.astype(np.float32))


def test_folding_in_solves_the_normal_equations():
    weights = X * RNG.uniform(0.5, 2, X.shape)
    table = RNG.standard_normal((13, 4))
    found = RidgeFolding(0.3, 0.1, 0.7).rows(
        sparse.csr_array(weights), torch.from_numpy(table).float()
    )
    np.testing.assert_allclose(found, solved(weights, table, 0.3, 0.1, 0.7), rtol=1e-4, atol=1e-6)


def test_without_implicit_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(ials, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"'ials' needs implicit.*pip install 'darec\[als\]'"):
        darec.fit(tiny_dataset(), backbone="ials", out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "config.yaml").exists()
    with pytest.raises(ConfigError, match="needs implicit"):
        check_config(resolve_config({"backbone": "ials"}), tiny_dataset())


@needs_implicit
def test_tables_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr("darec.memory.available_memory", lambda: 1000.0)
    with pytest.raises(ConfigError, match=r"tables of 128 columns .* lower backbone\.dim"):
        IALS(IALSConfig()).fit(inputs())
