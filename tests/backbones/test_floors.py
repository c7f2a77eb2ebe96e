"""The floors of every comparison, by hand."""

from __future__ import annotations

import numpy as np

from darec.backbones.closed_form import ClosedFormInputs
from darec.backbones.itemknn import ItemKNN, ItemKNNConfig
from darec.backbones.popular import Popular, PopularConfig
from darec.testing.closed_form import ClosedFormSuite
from darec.types import Interactions


class TestPopular(ClosedFormSuite):
    name = "popular"


class TestItemKNN(ClosedFormSuite):
    name = "itemknn"


def inputs(matrix):
    users, items = np.nonzero(matrix)
    train = Interactions.from_pairs(users, items, *np.shape(matrix))
    return ClosedFormInputs(train, np.arange(train.n_items))


def test_popularity_counts_users():
    scorer = Popular(PopularConfig()).fit(inputs([[1, 0, 1], [1, 0, 0]]))
    assert scorer.score(np.array([0, 1])).tolist() == [[2, 0, 1]] * 2


def test_an_items_score_is_the_sum_of_its_cosines_with_the_history():
    matrix = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 0]], float)
    unit = matrix / np.linalg.norm(matrix, axis=0)
    cosines = unit.T @ unit - np.eye(4)
    scorer = ItemKNN(ItemKNNConfig(shrink=0)).fit(inputs(matrix))
    np.testing.assert_allclose(scorer.score(np.arange(4)), matrix @ cosines, atol=1e-6)
    one = ItemKNN(ItemKNNConfig(shrink=0, neighbours=1)).fit(inputs(matrix))
    best = np.where(cosines == cosines.max(axis=0), cosines, 0)  # of each scored item
    np.testing.assert_allclose(one.score(np.arange(4)), matrix @ best, atol=1e-6)


def test_shrinkage_makes_rare_coincidences_count_less():
    matrix = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], float)
    B = ItemKNN(ItemKNNConfig(shrink=2)).fit(inputs(matrix)).similarities(np.arange(4))
    assert B[0, 1] == np.float32(1 / 3) and B[2, 3] == np.float32(3 / 5)
