"""The split ``cold-items``: laws under hypothesis, what the manifest says, and the warm part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.cold.evaluate import cold_part
from darec.data.build import import_dataset
from darec.data.dataset import SPLITS, Dataset
from darec.data.split import split_interactions
from darec.data.statistics import statistics
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


def test_cold_items_stand_aside_and_the_manifest_names_them(tmp_path: Path) -> None:
    made = import_dataset(log(), items=texts(), split="cold-items", seed=3, out=tmp_path / "d")
    shuffled = log().sample(fraction=1, shuffle=True, seed=1)
    again = import_dataset(shuffled, split="cold-items", seed=3)
    other = import_dataset(log(), split="cold-items", seed=4)
    assert again.manifest["cold"] == made.manifest["cold"] != other.manifest["cold"]
    assert again.fingerprint() == made.fingerprint()
    data = Dataset.load(tmp_path / "d")
    assert data.fingerprint() == made.fingerprint()
    pairs = {
        (data.users.ids[u], ids[i])
        for ids, split in (
            *((data.items.ids, data.split(name)) for name in SPLITS),
            *((part.catalogue["item_id"].to_list(), part.pairs) for part in data.cold.values()),
        )
        for u, i in zip(split.users, split.items, strict=True)
    }
    sizes = [len(data.split(name)) for name in SPLITS]
    sizes += [len(part.pairs) for part in data.cold.values()]
    assert pairs == set(log().rows()) and sum(sizes) == len(pairs)  # all there, each once
    for name in ("valid", "test"):
        cold = data.cold[name].catalogue
        assert cold["item_id"].to_list() == data.manifest["cold"][name] and len(cold) == 3
        assert cold["title"].to_list() == [f"T{i[1:]} x" for i in cold["item_id"]]
        assert not set(cold["item_id"]) & set(data.items.ids)
    assert data.n_items == 54
    # The warm interactions are split as any are.
    for size, share in zip(sizes, (3 / 5, 1 / 5, 1 / 5), strict=False):
        assert size == pytest.approx(share * sum(sizes[:3]), rel=0.1)
    figures = statistics(data)
    assert (figures["cold_items/test"], figures["cold_interactions/test"]) == (3, sizes[4])


def test_refusals() -> None:
    with pytest.raises(DataError, match="import it with split='cold-items'"):
        cold_part(import_dataset(log()), "test")
    with pytest.raises(ConfigError, match="choose valid or test"):
        cold_part(import_dataset(log(), split="cold-items"), "train")
    with pytest.raises(ConfigError, match="is for the split 'cold-items'"):
        import_dataset(log(), cold_share=0.2)
    one = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["x", "y", "z"]}).vstack(log().head(24))
    with pytest.raises(DataError, match="users_without_train='drop'"):
        import_dataset(one, split="cold-items", cold_share=0.9)
