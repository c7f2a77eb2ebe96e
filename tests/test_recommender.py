"""The estimator: scikit-learn's manners, and the same model as ``darec.fit``."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone, is_regressor
from sklearn.pipeline import make_pipeline

import darec
from darec.errors import ConfigError, RunError, TextError
from darec.keywords import KEYS, Keywords
from darec.testing.worlds import tiny_dataset

FAST: dict[str, Any] = {"backbone": "mf", "epochs": 2, "threads": 1}


@pytest.fixture(scope="module")
def matrix() -> sp.csr_array:
    data = tiny_dataset()
    return sp.csr_array((np.ones(len(data.train)), (data.train.users, data.train.items)))


def test_every_keyword_of_fit_is_a_parameter() -> None:
    assert set(KEYS) == set(Keywords.__annotations__)
    assert set(KEYS) < set(inspect.signature(darec.Recommender).parameters)


def test_parameters_are_got_set_and_cloned(matrix: sp.csr_array) -> None:
    estimator = darec.Recommender(**FAST, settings={"train.eval_every": 1})
    assert estimator.get_params()["epochs"] == 2 and estimator.get_params()["dim"] is None
    estimator.set_params(dim=5, seed=3).fit(matrix)
    twin = clone(estimator)
    assert twin.get_params() == estimator.get_params() and not hasattr(twin, "run_")
    assert torch.equal(twin.fit(matrix).run_.tables.items, estimator.run_.tables.items)
    other = clone(estimator).set_params(seed=4).fit(matrix)
    assert not torch.equal(other.run_.tables.items, estimator.run_.tables.items)
    assert copy.deepcopy(estimator).recommend(1, 2) == estimator.recommend(1, 2)
    assert not is_regressor(estimator) and "dim=5" in repr(estimator)
    with pytest.raises(ValueError, match="Invalid parameter 'dimm'"):
        estimator.set_params(dimm=3)


def test_it_is_the_run_of_fit(matrix: sp.csr_array) -> None:
    estimator = darec.Recommender(**FAST, seed=2).fit(matrix)
    data = darec.load_dataset(matrix, ratios=(4, 1, 0), seed=2)
    run = darec.fit(data, **FAST, seed=2, progress=False)
    assert not len(data.test) and len(data.valid)
    assert estimator.recommend(3, 4) == run.recommend(3, 4)
    assert estimator.recommend([3, 4], 4).to_polars().equals(run.recommend([3, 4], 4).to_polars())
    assert estimator.recommend_for([1, 2], 3) == run.recommend_for([1, 2], 3)
    assert estimator.similar(1, 3) == run.similar(1, 3)
    listed = estimator.recommend(3, 4, candidates=range(20), exclude=[0], exclude_seen=False)
    assert listed == run.recommend(3, 4, candidates=range(20), exclude=[0], exclude_seen=False)


def test_text_and_items(matrix: sp.csr_array) -> None:
    texts = dict(enumerate(tiny_dataset().catalogue["text"]))
    estimator = darec.Recommender(alignment="darec", epochs=1, threads=1)
    with pytest.raises(TextError, match="no item of the dataset has text"):
        clone(estimator).fit(matrix, text="tfidf")
    with pytest.raises(TextError, match="or fit with text='tfidf'"):
        clone(estimator).fit(matrix, items=texts)
    estimator.fit(matrix, items=texts, text="tfidf")
    assert estimator.similar(texts[3], 1) == estimator.similar(3, 1)
    assert darec.ColdStart(estimator.run_).recommend_about(texts[3], 1)


def test_datasets_and_splits_are_taken_as_they_are() -> None:
    data = tiny_dataset()
    assert darec.Recommender(**FAST).fit(data).run_.dataset is data
    pairs = [
        {"user": int(u), "item": int(i), "split": name}
        for name in ("train", "valid")
        for u, i in zip(data.split(name).users, data.split(name).items, strict=True)
    ]
    fitted = darec.Recommender(**FAST).fit(pairs)
    assert len(fitted.run_.dataset.valid) == len(data.valid)


def test_in_a_pipeline(matrix: sp.csr_array) -> None:
    pipeline = make_pipeline(darec.Recommender(**FAST))
    pipeline.set_params(recommender__dim=4).fit(matrix, recommender__items=None)
    assert pipeline[-1].run_.tables.items.shape[1] == 4


def test_refusals(matrix: sp.csr_array) -> None:
    estimator = darec.Recommender(backbone="mff")
    with pytest.raises(RunError, match="not fitted: call fit"):
        estimator.recommend(1)
    with pytest.raises(ConfigError, match="did you mean 'mf'"):
        estimator.fit(matrix)
