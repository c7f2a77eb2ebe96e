"""Worlds in which it is known what the text says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from darec.data.synthetic import SyntheticConfig, make_synthetic
from darec.diagnose import TextReport, text_report
from darec.diagnose.coverage import coverage, shape
from darec.diagnose.recall import Recalls, standardised
from darec.diagnose.regression import out_of_fold, regression
from darec.diagnose.scorers import centred, inner, low_pass, neighbours, profile
from darec.errors import ConfigError, DataError
from darec.evaluation import evaluate_scorer
from darec.graph import matrix_of
from darec.scoring import TableScorer
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.text import embed
from darec.types import Interactions, Tables, TextTable

SIZES = {"n_users": 600, "n_items": 400, "n_topics": 4, "mean_interactions": 15}


def reported(shared: float, *, shuffled: bool = False) -> TextReport:
    specific = 0.9 - shared
    data = make_synthetic(
        SyntheticConfig(**SIZES, shared_share=shared, specific_share=specific, popularity_share=0.1)
    )
    text = embed(data, "tfidf")
    if shuffled:
        text = replace(text, items=text.items[np.random.default_rng(0).permutation(400)])
    return text_report(data, text)


@pytest.fixture(scope="module")
def worlds() -> dict[str, TextReport]:
    return {
        "all": reported(0.9),
        "half": reported(0.45),
        "none": reported(0.0),
        "shuffled": reported(0.9, shuffled=True),
    }


def test_text_that_carries_taste_is_told_from_text_that_does_not(
    worlds: dict[str, TextReport],
) -> None:
    verdicts = {name: report.reading.verdict for name, report in worlds.items()}
    assert verdicts == {
        "all": "can help",
        "half": "can help",
        "none": "says little",
        "shuffled": "says little",
    }


def test_figures_rise_with_what_the_text_carries(worlds: dict[str, TextReport]) -> None:
    found = {name: report.figures for name, report in worlds.items()}
    for earlier, later in (("none", "half"), ("half", "all")):
        a, b = found[earlier], found[later]
        assert a.agreement is not None and b.agreement is not None
        assert a.agreement.lift < b.agreement.lift
        assert a.reliability < b.reliability
        assert a.regression.r2.high < b.regression.r2.low
        for name in ("text", "predicted"):
            assert a.recalls[name].overall.high < b.recalls[name].overall.low


@pytest.mark.parametrize("name", ["none", "shuffled"])
def test_text_without_taste_is_at_chance(worlds: dict[str, TextReport], name: str) -> None:
    found = worlds[name].figures
    assert found.agreement is not None and found.agreement.chance[0] is not None
    assert found.reliability < 0.1
    share, chance = found.agreement.share.overall, found.agreement.chance[0]
    assert share.low - 0.003 < chance < share.high + 0.003
    random = found.recalls["random"].overall.value
    assert found.recalls["text"].overall.low < 1.5 * random
    assert found.gain.overall.low <= 0 and found.regression.r2.value < 0.01


def test_nothing_depends_on_the_test_split(worlds: dict[str, TextReport]) -> None:
    data = tiny_dataset(n_users=120)
    text = tiny_text(data)
    other = replace(data, test=Interactions.from_pairs(np.zeros(1), np.zeros(1), 120, 40))
    assert text_report(data, text, k=3) == text_report(other, text, k=3)


def test_texts_are_counted() -> None:
    data = tiny_dataset(n_users=120, missing_text=5)
    texts = data.catalogue["text"].to_list()
    texts[1] = texts[0]
    texts[7] = "word"
    data = replace(data, catalogue=data.catalogue.with_columns(pl.Series("text", texts)))
    found = text_report(data, embed(data, "tfidf"), k=3).figures.coverage
    assert (found.items, found.without_text) == (40, 5)
    assert found.repeated == 2 <= found.near_repeated
    assert found.common_words == pytest.approx(34 / 35)  # only "word" stands alone
    assert found.words[0] == 1 and found.words[1] == 4
    assert sum(found.word_counts) == 35
    has = np.arange(40) < 35
    assert found.interactions == pytest.approx(has[data.train.items].mean())
    by_user = [has[data.train.of_user(user)].mean() for user in range(120)]
    assert found.user_share[0] == pytest.approx(min(by_user))
    assert found.users_without_text == sum(share == 0 for share in by_user)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("lamp", "nearly the same for all texts (mean cosine 1.000)"),
        ("SKU{n}9", "Only 0% of the texts share a word with another one"),
        ("水壶第{n}款", None),
    ],
)
def test_texts_that_tell_little_are_warned_of(text: str, warning: str | None) -> None:
    data = tiny_dataset(n_users=120)
    texts = [text.format(n=1000 + 7 * n) for n in range(data.n_items)]
    data = replace(data, catalogue=data.catalogue.with_columns(pl.Series("text", texts)))
    report = text_report(data, embed(data, "tfidf"), k=3)
    warnings = report.reading.warnings
    assert [warning in line for line in warnings] == ([True] if warning else [])
    assert report.figures.shape.components_90 <= report.figures.shape.dim
    assert all(np.isfinite(found.overall.value) for found in report.figures.recalls.values())


def test_near_repeats_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 8)).astype(np.float32)
    rows[10:20] = rows[:10] + 0.05 * rng.normal(size=(10, 8))
    data = tiny_dataset(n_users=120, n_items=60)
    text = replace(tiny_text(data), items=rows, item_mask=np.ones(60, bool))
    wide = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = wide @ wide.T - 2 * np.eye(60)
    expected = int((cosines.max(1) > 0.98).sum())
    assert expected >= 15
    assert coverage(data, text, cosines.max(1)).near_repeated == expected
    assert text_report(data, text, k=2).figures.coverage.near_repeated == expected


def test_the_shape_of_a_planted_subspace() -> None:
    rng = np.random.default_rng(0)
    rows = np.zeros((500, 12), np.float32)
    rows[:, :3] = np.linalg.qr(rng.normal(size=(500, 3)))[0]
    found = shape(rows)
    assert found.effective_rank == pytest.approx(3, abs=1e-6)
    assert found.components_90 == 3 and sum(found.spectrum) == pytest.approx(1)


def test_recall_is_that_of_the_evaluator() -> None:
    data = tiny_dataset(n_users=120)
    users, items = low_pass(data.train, 8, 0)
    found = Recalls(data, 1000, 0).of(inner(users, items))
    expected = evaluate_scorer(
        TableScorer(Tables(torch.from_numpy(users), torch.from_numpy(items))),
        target=data.valid,
        exclude=data.train,
        train=data.train,
        ks=[20],
    )
    assert found[0].tolist() == expected.values("recall@20").tolist()
    np.testing.assert_array_equal(found[3], expected.values("items/3of3/recall@20"))


def test_random_recall_is_the_mean_of_random_rankings() -> None:
    data = tiny_dataset(n_users=300)
    recalls = Recalls(data, 1000, 0)
    rng = np.random.default_rng(5)  # not that of the world
    drawn = recalls.of(lambda users: rng.random((len(users), 40)).astype(np.float32))
    expected = recalls.at_random(drawn)
    assert abs(drawn[0].mean() - expected[0].mean()) < 4 * drawn[0].std() / 300**0.5


def test_choices_are_read_on_users_that_did_not_make_them() -> None:
    recalls = Recalls(tiny_dataset(n_users=120), 1000, 0)
    n = len(recalls.users)
    for_first = np.where(recalls.first, 1.0, 0.0)[None].repeat(4, 0)
    found = recalls.best({"first": for_first, "second": 1 - for_first})
    assert found.names == ("second", "first") and found.columns.sum() == 0
    assert 0.4 * n < recalls.first.sum() < 0.6 * n


def test_the_low_pass_filter_is_that_of_the_dense_decomposition() -> None:
    train = tiny_dataset().train
    dense = matrix_of(train).toarray()
    users_by, items_by = (np.sqrt(np.maximum(dense.sum(axis), 1)) for axis in (1, 0))
    V = np.linalg.svd(dense / users_by[:, None] / items_by)[2][:39].T
    users, items = low_pass(train, 100, 0)
    expected = (dense / items_by) @ V @ V.T * items_by
    np.testing.assert_allclose(users @ items.T, expected, atol=1e-4)


def test_scores_of_text_are_those_of_the_formulas() -> None:
    data = tiny_dataset(missing_text=4)
    text = embed(data, "tfidf")
    items, rows = centred(text.items, text.item_mask), np.arange(36)
    assert not items[36:].any()
    dense, users = matrix_of(data.train).toarray(), np.arange(10)
    means = (dense @ items) / dense.sum(1, keepdims=True) @ items.T
    np.testing.assert_allclose(profile(items, data.train)(users), means[users], atol=1e-5)
    near = np.stack([np.setdiff1d(rows, [row])[:2] for row in rows])
    cosines = np.full((36, 2), 0.5, np.float32)
    scores = neighbours(near, cosines, rows, items, data.train)(users)
    expected = np.zeros((60, 40))
    for item in rows:
        expected[:, item] = 0.5 * dense[:, near[item]].sum(1)
    np.testing.assert_allclose(scores, (expected + 1e-3 * means)[users], atol=1e-5)


def test_scores_are_standardised_by_user() -> None:
    scores = np.random.default_rng(0).normal(3, 5, (4, 50)).astype(np.float32)
    scores[3] = 2
    found = standardised(scores).numpy()
    np.testing.assert_allclose(found[:3].mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(found[:3].std(1), 1, atol=1e-5)
    assert not found[3].any()


def test_a_planted_linear_map_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    text = rng.normal(size=(400, 10)).astype(np.float32)
    factors = text @ rng.normal(size=(10, 3)).astype(np.float32)
    factors[:, 2] = rng.normal(size=400) * factors[:, 0].std()
    known = has = np.ones(400, bool)
    found = regression(factors, out_of_fold(text, factors, known, has, 0), known, 0)
    assert found.factors[0] > 0.999 and found.factors[1] > 0.999 and found.factors[2] < 0.05
    shares = factors.var(0) / factors.var(0).sum()
    assert found.r2.value == pytest.approx(float(shares @ found.factors), abs=1e-4)
    assert found.r2.low < found.r2.value < found.r2.high


def test_items_without_text_are_predicted_as_the_mean() -> None:
    rng = np.random.default_rng(0)
    text, factors = rng.normal(size=(50, 4)), rng.normal(size=(50, 2))
    has = np.arange(50) < 45
    found = out_of_fold(text.astype(np.float32), factors.astype(np.float32), has, has, 0)
    assert np.abs(found[45:] - factors[:45].mean(0)).max() < 0.4


def bad(text: TextTable, items: int) -> TextTable:
    return replace(text, item_mask=np.arange(len(text.items)) < items)


def test_bad_input_is_refused_with_a_remedy() -> None:
    data = tiny_dataset(n_users=120)
    text = tiny_text(data)
    none = Interactions.from_pairs(np.zeros(0, int), np.zeros(0, int), 120, 40)
    with pytest.raises(DataError, match=r"no validation split.*split=.random"):
        text_report(replace(data, valid=none), text)
    with pytest.raises(DataError, match="no training"):
        text_report(replace(data, train=none), text)
    with pytest.raises(DataError, match="10 items have text, too few for 10 neighbours: lower -k"):
        text_report(data, bad(text, 10))
    with pytest.raises(DataError, match="9 items have both"):
        text_report(data, bad(text, 9), k=3)
    with pytest.raises(DataError, match=r"40 users have validation.*at least 50"):
        text_report(data, text, max_users=40)
    with pytest.raises(ConfigError, match="0 neighbours"):
        text_report(data, text, k=0)
    small = tiny_dataset(n_users=120, n_items=20)
    with pytest.raises(DataError, match="20 items: recall@20"):
        text_report(small, tiny_text(small), k=3)
