"""Evaluation from tables to summary, against a plain Python implementation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, RunError
from darec.evaluation import Evaluation, Evaluator, evaluate_scorer, exclusion
from darec.ids.idmap import IdMap
from darec.scoring import TableScorer, tie_order
from darec.types import Interactions, Tables

KS = (1, 4, 9)


def random_world(seed, n_users=25, n_items=30):
    """Tables, training pairs and targets; some users have no target, some few candidates."""
    rng = np.random.default_rng(seed)
    tables = Tables(torch.randn(n_users, 4), torch.randn(n_items, 4))
    popularity = rng.dirichlet(np.ones(n_items)) * n_items
    draw = rng.random((n_users, n_items)) / popularity
    split = np.where(draw < 0.3, 1, np.where(draw < 0.6, 2, 0))
    split[0], split[1] = 1, np.where(np.arange(n_items) < n_items - 3, 1, 2)
    return tables, *(
        Interactions.from_pairs(*np.nonzero(split == part), n_users, n_items) for part in (1, 2)
    )


def plain(tables, target, train, k):
    """(recall, ndcg) of each user, and lists, without arrays."""
    scores = (tables.users @ tables.items.T).tolist()
    found, lists = {}, {}
    for user in range(target.n_users):
        relevant, seen = set(target.of_user(user).tolist()), set(train.of_user(user).tolist())
        if not relevant:
            continue
        order = sorted(set(range(target.n_items)) - seen, key=lambda i: -scores[user][i])[:k]
        gain = [1 / math.log2(place + 2) for place, item in enumerate(order) if item in relevant]
        ideal = [1 / math.log2(place + 2) for place in range(min(k, len(relevant)))]
        found[user] = (len(gain) / len(relevant), sum(gain) / sum(ideal))
        lists[user] = order
    return found, lists


@pytest.mark.parametrize("seed", range(5))
def test_equals_plain_python(seed):
    torch.manual_seed(seed)
    tables, train, target = random_world(seed)
    evaluation = evaluate_scorer(
        TableScorer(tables), target=target, exclude=train, train=train, ks=KS
    )
    summary = evaluation.summary()
    users_trained = len(np.unique(train.users))
    for k in KS:
        found, lists = plain(tables, target, train, k)
        assert evaluation.users.tolist() == list(found)
        expected = np.array(list(found.values()))
        np.testing.assert_allclose(evaluation.per_user[f"recall@{k}"], expected[:, 0])
        np.testing.assert_allclose(evaluation.per_user[f"ndcg@{k}"], expected[:, 1])
        assert summary[f"recall@{k}"] == pytest.approx(expected[:, 0].mean())
        assert summary[f"coverage@{k}"] == len(set().union(*lists.values())) / target.n_items
        degree = np.maximum(train.item_degree, 1)
        novelty = [
            np.mean([-math.log2(degree[i] / users_trained) for i in lists[u]]) for u in lists
        ]
        assert summary[f"novelty@{k}"] == pytest.approx(np.mean(novelty))


def test_item_groups_count_only_their_targets():
    tables, train, target = random_world(11)
    evaluator = Evaluator(target, train, train, (5,))
    evaluation = evaluator.evaluate(TableScorer(tables), ("recall", "ndcg"))
    groups = [group for group in evaluation.groups if group.kind == "items"]
    assert sum(group.size for group in groups) == target.n_items
    _, lists = plain(tables, target, train, 5)
    for group in groups:
        members = np.flatnonzero(
            (train.item_degree >= group.low) & (train.item_degree <= group.high)
        )
        for place, user in enumerate(evaluation.users):
            relevant = set(target.of_user(user).tolist()) & set(members.tolist())
            value = evaluation.per_user[f"{group.name}/recall@5"][place]
            if relevant:
                assert value == pytest.approx(len(relevant & set(lists[user])) / len(relevant))
            else:
                assert np.isnan(value)


def test_user_groups_average_to_the_whole():
    tables, train, target = random_world(12)
    evaluation = evaluate_scorer(
        TableScorer(tables), target=target, exclude=train, train=train, ks=(5,), user_groups=4
    )
    by_group = [evaluation.values(f"users/{g}of4/ndcg@5") for g in range(1, 5)]
    counted = ~np.isnan(by_group)
    assert (counted.sum(axis=0) == 1).all()
    activity = train.user_degree[evaluation.users]
    for low, high in itertools.pairwise(counted):
        assert activity[low].max(initial=0) < activity[high].min(initial=999)
    np.testing.assert_array_equal(np.nansum(by_group, axis=0), evaluation.values("ndcg@5"))


def test_order_of_users_and_items_does_not_matter():
    tables, train, target = random_world(13)
    rng = np.random.default_rng(0)
    users, items = rng.permutation(25), rng.permutation(30)

    def renamed(pairs):
        return Interactions.from_pairs(users[pairs.users], items[pairs.items], 25, 30)

    moved = Tables(tables.users[np.argsort(users)], tables.items[np.argsort(items)])
    before = evaluate_scorer(
        TableScorer(tables), target=target, exclude=train, train=train
    ).summary()
    after = evaluate_scorer(
        TableScorer(moved), target=renamed(target), exclude=renamed(train), train=renamed(train)
    ).summary()
    assert after == pytest.approx(before)


def test_perfect_tables_score_one_and_only_chosen_metrics_are_made():
    _, train, target = random_world(14)
    wanted = torch.zeros(25, 30)
    wanted[target.users, target.items] = 1
    evaluation = evaluate_scorer(
        TableScorer(Tables(torch.eye(25), wanted.T.contiguous())),
        target=target,
        exclude=train,
        train=train,
        ks=(30, 20),
        metrics=("ndcg", "recall"),
        user_groups=0,
        item_groups=0,
    )
    assert evaluation.summary() == pytest.approx(
        {"ndcg@20": 1, "ndcg@30": 1, "recall@20": 1, "recall@30": 1}
    )


def test_save_and_load_keep_everything(tmp_path):
    tables, train, target = random_world(15)
    evaluation = evaluate_scorer(TableScorer(tables), target=target, exclude=train, train=train)
    evaluation.save(tmp_path / "test.parquet")
    loaded = Evaluation.load(tmp_path / "test.parquet")
    assert loaded.summary() == evaluation.summary()
    assert (loaded.groups, loaded.problem) == (evaluation.groups, evaluation.problem)
    np.testing.assert_array_equal(loaded.users, evaluation.users)
    assert pl.read_parquet(tmp_path / "test.parquet")["recall@20"].len() == evaluation.n_users
    assert [path.name for path in tmp_path.iterdir()] == ["test.parquet"]


def test_damaged_or_foreign_files_are_refused(tmp_path):
    with pytest.raises(RunError, match=r"no evaluation at .*none\.parquet"):
        Evaluation.load(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(RunError, match=r"bad\.parquet is not an evaluation"):
        Evaluation.load(tmp_path / "bad.parquet")
    pl.DataFrame({"user": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(RunError, match=r"other\.parquet is not an evaluation"):
        Evaluation.load(tmp_path / "other.parquet")


def test_bad_requests_are_refused():
    tables, train, target = random_world(16)
    parts = {"target": target, "exclude": train, "train": train}
    with pytest.raises(ConfigError, match=r"K = 31 is larger than the catalogue.* 30 items"):
        evaluate_scorer(TableScorer(tables), **parts, ks=(5, 31))
    with pytest.raises(ConfigError, match="no K"):
        evaluate_scorer(TableScorer(tables), **parts, ks=())
    with pytest.raises(ConfigError, match="unknown metric 'recal': did you mean 'recall'"):
        evaluate_scorer(TableScorer(tables), **parts, metrics=("recal",))
    with pytest.raises(DataError, match=r"24 users x 30 items, the ranking over 25 x 30"):
        evaluate_scorer(TableScorer(Tables(tables.users[1:], tables.items)), **parts)
    empty = Interactions.from_pairs(np.zeros(0, int), np.zeros(0, int), 25, 30)
    with pytest.raises(DataError, match="no interactions"):
        evaluate_scorer(TableScorer(tables), target=empty, exclude=train, train=train)
    with pytest.raises(DataError, match="splits overlap"):
        evaluate_scorer(TableScorer(tables), target=target, exclude=target, train=train)
    with pytest.raises(DataError, match="25 x 30, 25 x 31"):
        wider = Interactions(train.users, train.items, 25, 31)
        evaluate_scorer(TableScorer(tables), target=target, exclude=train, train=wider)
    evaluation = evaluate_scorer(TableScorer(tables), **parts, ks=(5,))
    with pytest.raises(ConfigError, match=r"'recall@6'.*did you mean 'recall@5'"):
        evaluation.values("recall@6")
    with pytest.raises(ConfigError, match="no value per user"):
        evaluation.values("coverage@5")


def test_masks():
    def pairs(*items):
        return Interactions.from_pairs(np.zeros(len(items), int), np.array(items), 1, 5)

    dataset = Dataset(
        IdMap("user", ["a"]),
        IdMap("item", list("vwxyz")),
        pairs(0, 1),
        pairs(2),
        pairs(3),
        pl.DataFrame(),
    )
    scores = torch.tensor([[5.0], [4], [3], [2], [1]])
    assert exclusion(dataset, "valid", "train+valid").items.tolist() == [0, 1]
    for mask, place in (("train", 2), ("train+valid", 1)):
        evaluation = evaluate_scorer(
            TableScorer(Tables(torch.ones(1, 1), scores)),
            target=dataset.test,
            exclude=exclusion(dataset, "test", mask),
            train=dataset.train,
            ks=(2,),
        )
        assert evaluation.summary()["mrr@2"] == 1 / place
    with pytest.raises(ConfigError, match="unknown mask 'trian': did you mean 'train'"):
        exclusion(dataset, "test", "trian")
    with pytest.raises(ConfigError, match="cannot evaluate on 'train'"):
        exclusion(dataset, "train")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_renumbered_items_leave_all_metrics_the_same(seed):
    """Whole-number scores of few levels, so that most lists end inside a tie."""
    _, train, target = random_world(seed)
    rng = np.random.default_rng(seed)
    users, items = (rng.integers(0, 2, (n, 2)).astype(np.float32) for n in (25, 30))
    ids = np.array([f"id{row}" for row in range(30)])
    moved = rng.permutation(30)
    new_row = np.argsort(moved)

    def found(items, ids, row_of):
        pairs = [Interactions.from_pairs(p.users, row_of[p.items], 25, 30) for p in (target, train)]
        scorer = TableScorer(Tables(*map(torch.from_numpy, (users, items))), tie_order(ids))
        return evaluate_scorer(
            scorer, target=pairs[0], exclude=pairs[1], train=pairs[1], ks=(3, 7)
        ).summary()

    before = found(items, ids, np.arange(30))
    assert before["tied@3"] > 0
    assert found(items[moved], ids[moved], new_row) == pytest.approx(before)


def test_the_interval_of_a_sample_holds_the_mean_of_all_as_often_as_it_says():
    rng = np.random.default_rng(0)
    values = rng.random(400) * (rng.random(400) < 0.5)
    inside = 0
    for _ in range(400):
        users = np.sort(rng.permutation(400)[:200])
        sample = Evaluation(users, {"recall@5": values[users]})
        half = sample.half_width("recall@5", 400)
        inside += abs(values[users].mean() - values.mean()) <= half
    assert 0.92 < inside / 400 < 0.98  # without the correction for a finite population: above 0.99


def test_all_users_have_no_interval_and_one_user_has_no_end_of_it():
    one = Evaluation(np.arange(1), {"recall@5": np.ones(1)})
    assert one.half_width("recall@5", 1) == 0.0 and one.half_width("recall@5", 9) == np.inf
