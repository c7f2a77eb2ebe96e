"""The split ``cold-items``: laws under hypothesis, what the manifest says, and the warm part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.data.build import import_dataset
from darec.data.cold import cold_rows, warm_part
from darec.data.dataset import SPLITS, Dataset
from darec.data.split import split_interactions
from darec.errors import ConfigError, DataError

PAIRS = st.sets(st.tuples(st.integers(0, 8), st.integers(0, 40)), min_size=40)


@settings(deadline=None, max_examples=80)
@given(pairs=PAIRS, share=st.floats(0.02, 0.6), seed=st.integers(-3, 9))
def test_an_item_is_cold_with_all_its_interactions_or_not_at_all(
    pairs: set[tuple[int, int]], share: float, seed: int
) -> None:
    frame = pl.DataFrame(sorted(pairs), schema=["user", "item"], orient="row")
    split = split_interactions(frame, "cold-items", seed=seed, cold_share=share)
    assert set(split) <= set(SPLITS) and len(split) == len(frame)  # each in exactly one
    whole = frame.with_columns(split)
    by_item = whole.group_by("item").agg(pl.col("split").unique())
    trained = set(whole.filter(split="train")["item"])
    single = {
        name: {row[0] for row in by_item.rows() if row[1] == [name]} for name in ("valid", "test")
    }
    n = frame["item"].n_unique()
    n_cold = max(2, int(n * share + 0.5))
    # By chance a warm item may also lie in one held-out split alone, so the counts are least ones.
    assert len(single["test"]) >= -(-n_cold // 2) and len(single["valid"]) >= n_cold // 2
    assert not trained & (single["valid"] | single["test"])
    assert split.equals(split_interactions(frame, "cold-items", seed=seed, cold_share=share))


def log(n_users: int = 50, n_items: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        [
            (f"u{u}", f"i{i}")
            for u in range(n_users)
            for i in rng.choice(n_items, 12, replace=False)
        ],
        schema=["user_id", "item_id"],
        orient="row",
    )


def texts(n_items: int = 60) -> pl.DataFrame:
    return pl.DataFrame(
        {"item_id": [f"i{i}" for i in range(n_items)], "title": [f"T{i} x" for i in range(n_items)]}
    )


def test_the_manifest_says_what_is_cold(tmp_path: Path) -> None:
    made = import_dataset(log(), items=texts(), split="cold-items", seed=3, out=tmp_path / "d")
    again = import_dataset(
        log().sample(fraction=1, shuffle=True, seed=1), split="cold-items", seed=3
    )
    other = import_dataset(log(), split="cold-items", seed=4)
    assert again.manifest["cold"] == made.manifest["cold"] != other.manifest["cold"]
    data = Dataset.load(tmp_path / "d")
    valid, test = (cold_rows(data, name) for name in ("valid", "test"))
    assert (len(valid), len(test)) == (3, 3) and not set(valid) & set(test)
    assert data.train.item_degree[np.concatenate([valid, test])].sum() == 0
    assert data.test.item_degree[valid].sum() == data.valid.item_degree[test].sum() == 0
    assert (data.valid.item_degree[valid] > 0).all() and (data.test.item_degree[test] > 0).all()
    # The warm part is split as the warm interactions alone would be.
    for name, count in zip(SPLITS, (3 / 5, 1 / 5, 1 / 5), strict=True):
        warm = np.isin(data.split(name).items, [*valid, *test], invert=True).sum()
        assert warm == pytest.approx(count * 50 * 12 * 0.9, rel=0.1)


def test_the_warm_part_knows_nothing_of_cold_items(tmp_path: Path) -> None:
    data = import_dataset(log(), items=texts(), split="cold-items", cold_share=0.2)
    warm = warm_part(data)
    cold = {*data.manifest["cold"]["valid"], *data.manifest["cold"]["test"]}
    assert len(cold) == 12 and warm.items.ids == [i for i in data.items.ids if i not in cold]
    assert warm.users.ids == data.users.ids and "cold" not in warm.manifest
    for name in SPLITS:
        ours, theirs = warm.split(name), data.split(name)
        pairs = {(int(u), warm.items.ids[i]) for u, i in zip(ours.users, ours.items, strict=True)}
        ids = data.items.ids
        assert pairs == {
            (int(u), ids[i])
            for u, i in zip(theirs.users, theirs.items, strict=True)
            if ids[i] not in cold
        }
    assert warm.title(5) == data.title(data.items.row(warm.items.ids[5]))


def test_refusals() -> None:
    with pytest.raises(DataError, match="import it with --split cold-items"):
        warm_part(import_dataset(log()))
    with pytest.raises(DataError, match="choose valid or test"):
        cold_rows(import_dataset(log(), split="cold-items"), "train")
    with pytest.raises(ConfigError, match="is for the split 'cold-items'"):
        import_dataset(log(), cold_share=0.2)
    few = log().filter(pl.col("item_id") != "i1").head(0).vstack(log().head(24))
    one = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["x", "y", "z"]}).vstack(few)
    with pytest.raises(DataError, match="--users-without-train drop"):
        import_dataset(one, split="cold-items", cold_share=0.9)
