"""Recommendations for one user, for many and for all: lists and tables that say the same, fast."""

from __future__ import annotations

import time
import uuid
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import darec
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError
from darec.listing.lists import Recommendation, RecommendationList
from darec.run import Run
from darec.scoring import TableScorer
from darec.testing.worlds import tiny_dataset
from darec.types import Tables

UUIDS = [uuid.UUID(int=n) for n in range(12)]


def run_on(data: Dataset) -> Run:
    generator = torch.Generator().manual_seed(0)
    tables = Tables(
        torch.randn(data.n_users, 4, generator=generator),
        torch.randn(data.n_items, 4, generator=generator),
    )
    return Run(resolve_config(), data, TableScorer(tables, data.items.tie_order), {})


@pytest.fixture(scope="module")
def run() -> Run:
    return run_on(tiny_dataset())


def rows(table: Any) -> list[tuple[Any, ...]]:
    return table.to_polars().rows()  # type: ignore[no-any-return]


def test_many_are_the_lists_of_each(run: Run) -> None:
    users = ["u3", "u1", "u2"]
    table = run.recommend(users, 4)
    lists = {user: run.recommend(user, 4) for user in users}
    assert rows(table) == [
        (user, item.rank, item.item_id, item.title, pytest.approx(item.score))
        for user in users
        for item in lists[user]
    ]
    assert len(table) == 12
    assert [(user, [item.item_id for item in items]) for user, items in table] == [
        (user, [item.item_id for item in items]) for user, items in lists.items()
    ]
    assert rows(run.recommend(k=4)) == rows(run.recommend(run.dataset.users.ids, 4))
    assert run.recommend(None, 4).to_polars()["user_id"].n_unique() == run.dataset.n_users


@pytest.mark.parametrize(
    "users",
    [("u3", "u1"), iter(["u3", "u1"]), np.array(["u3", "u1"]), pl.Series(["u3", "u1"])],
    ids=["tuple", "iterator", "array", "series"],
)
def test_several_users_come_in_any_collection(run: Run, users: Any) -> None:
    assert rows(run.recommend(users, 2)) == rows(run.recommend(["u3", "u1"], 2))


def test_no_users_make_an_empty_table_with_its_columns(run: Run) -> None:
    table = run.recommend([], 3)
    assert len(table) == 0 and not list(table)
    assert table.to_polars().columns == list(table.columns)
    assert table.to_polars().schema == run.recommend(["u1"], 3).to_polars().schema


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_candidates_and_exclusions(run: Run, data: st.DataObject) -> None:
    """What is listed is the whole ranking, less what may not be listed, in the same order."""
    ids = run.dataset.items.ids
    candidates = data.draw(st.none() | st.lists(st.sampled_from(ids)))
    exclude = data.draw(st.lists(st.sampled_from(ids)))
    seen = data.draw(st.booleans())
    k = data.draw(st.integers(1, len(ids)))
    allowed = set(ids if candidates is None else candidates) - set(exclude)

    def asked() -> RecommendationList[Recommendation]:
        return run.recommend("u1", k, candidates=candidates, exclude=exclude, exclude_seen=seen)

    if not allowed:
        with pytest.raises(ConfigError, match="no item is left"):
            asked()
        return
    whole = run.recommend("u1", len(ids), exclude_seen=seen)
    left = [item.item_id for item in whole if item.item_id in allowed][:k]
    assert [item.item_id for item in asked()] == left


def test_users_with_fewer_items_left_have_shorter_lists(run: Run) -> None:
    data = run.dataset
    table = run.recommend(k=data.n_items).to_polars()
    lengths = dict(table.group_by("user_id").len().iter_rows())
    for user, row in zip(data.users.ids, range(data.n_users), strict=True):
        seen = sum(len(data.split(name).of_user(row)) for name in ("train", "valid", "test"))
        assert lengths[user] == data.n_items - seen
    assert table["rank"].max() == max(lengths.values())


def test_refusals(run: Run) -> None:
    with pytest.raises(DataError, match="no user 'nobody'"):
        run.recommend(["u1", "nobody"])
    with pytest.raises(DataError, match="no item 'nothing'"):
        run.recommend("u1", candidates=["i1", "nothing"])
    with pytest.raises(DataError, match="no item 'nothing'"):
        run.recommend("u1", exclude=["nothing"])
    with pytest.raises(ConfigError, match="larger than the catalogue"):
        run.recommend(["u1"], 9999)
    with pytest.raises(ConfigError, match="at least 1"):
        run.recommend(k=0)


@pytest.mark.parametrize(
    ("user", "item"), [(str, str), (int, int), (UUIDS.__getitem__, int), (int, UUIDS.__getitem__)]
)
def test_ids_come_back_as_they_were_given(user: Any, item: Any) -> None:
    pandas = pytest.importorskip("pandas")
    pairs = [(user(u), item(i)) for u in range(8) for i in range(12) if (u + i) % 3]
    run = run_on(darec.load_dataset(pairs, items={item(i): f"title {i}" for i in range(12)}))
    wanted = user(2)
    listed = run.recommend(wanted, 3)
    assert {type(one.item_id) for one in listed} == {type(item(0))}
    assert listed.to_pandas()["item_id"].tolist() == [one.item_id for one in listed]
    table = run.recommend([wanted, user(1)], 3)
    made = table.to_pandas()
    assert isinstance(made, pandas.DataFrame)
    assert made["user_id"].tolist() == [wanted] * 3 + [user(1)] * 3
    assert made["item_id"].tolist()[:3] == [one.item_id for one in listed]
    assert [one for one, _ in table] == [wanted, user(1)]
    # Text names the same user, as the command line gives it.
    assert run.recommend(str(wanted), 3) == listed
    assert run.similar(item(3), 2) == run.similar("TITLE 3", 2) == run.similar(str(item(3)), 2)
    assert run.recommend_for([item(3)], 2) == run.recommend_for("title 3", 2)
    with pytest.raises(DataError, match="no item is called 'title 33': did you mean 'title 3'"):
        run.similar("title 33")


def test_tables_for_other_libraries(run: Run) -> None:
    table, listed = run.recommend(["u1", "u2"], 2), run.recommend("u1", 2)
    assert pa.table(table).column_names == list(table.columns)
    assert pl.DataFrame(pa.table(table)).rows() == rows(table)
    assert listed.to_polars().columns == ["rank", "item_id", "title", "score"]
    assert RecommendationList().to_polars().columns == listed.to_polars().columns
    for result in (table, listed, run.evaluate(), run, run.dataset):
        assert "<table" in result._repr_html_()
        assert len(repr(result)) < 300
    assert repr(table) == "<Recommendations for 2 users, 4 rows>"
    assert repr(listed[0]).startswith(f"<1. {listed[0].title} ({listed[0].item_id}) ")


def test_without_pandas_the_way_out_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pip install pandas, or use to_polars"):
        run.recommend(["u1"]).to_pandas()


def test_an_evaluation_is_a_table_of_its_summary(run: Run) -> None:
    evaluation = run.evaluate()
    frame = evaluation.to_polars()
    assert len(frame) == len(evaluation.summary())
    ndcg = frame.filter(group="items/1of3", metric="ndcg", k=10)["value"].item()
    assert ndcg == evaluation.summary()["items/1of3/ndcg@10"]
    plain = frame.filter(pl.col("group").is_null(), metric="recall", k=20)["value"].item()
    assert plain == evaluation.summary()["recall@20"]


def test_all_users_take_about_as_long_as_ranking_does() -> None:
    """A loop over users costs tens of times as much, which is what a table for many is for."""
    run = run_on(tiny_dataset(n_users=3000, n_items=1000))

    def best(work: Any) -> float:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        return min(times)

    users = run.dataset.users.ids
    loop = best(lambda: [run.recommend(user, 20) for user in users[:30]]) * len(users) / 30
    many = best(lambda: run.recommend(k=20).to_polars())
    ranking = best(lambda: run.scorer.top_k(k=20, exclude=run.seen))
    assert many < loop / 8
    assert many < 3 * ranking + 0.1
