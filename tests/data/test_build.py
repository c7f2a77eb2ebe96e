"""From frames and files to a dataset: what each option does, and that a write is whole or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.data.build import import_dataset
from darec.data.dataset import SPLITS, Dataset
from darec.data.ingest import Columns
from darec.data.statistics import statistics
from darec.errors import ConfigError, DataError

LOG = pl.DataFrame(
    {
        "user": ["u", "u", "u", "v", "v", "w"],
        "item": ["a", "b", "c", "a", "b", "a"],
        "rating": [5, 4, 1, 5, 3, 2],
        "time": [3, 1, 2, 1, 2, 1],
    }
)
ITEMS = pl.DataFrame({"item_id": ["c", "b", "a", "z"], "title": ["C", "B", "A", "Z"]})


def pairs(dataset: Dataset, name: str) -> list[tuple[str, str]]:
    split = dataset.split(name)
    return [
        (dataset.users.ids[user], dataset.items.ids[item])
        for user, item in zip(split.users, split.items, strict=True)
    ]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8), st.integers(0, 5)), min_size=1),
    st.randoms(),
)
def test_every_pair_lands_once_whatever_the_order_of_rows(rows: list[Any], random: Any) -> None:
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    dataset = import_dataset(frame, split="random")
    found = [pair for name in SPLITS for pair in pairs(dataset, name)]
    assert sorted(found) == sorted({(user, item) for user, item, _ in rows})
    assert dataset.manifest["tally"]["repeats_merged"] == len(rows) - len(found)
    assert (dataset.train.user_degree > 0).all()
    random.shuffle(rows)
    again = import_dataset(pl.DataFrame(rows, schema=["user", "item", "time"], orient="row"))
    assert again.fingerprint() == dataset.fingerprint()


def test_ids_are_in_an_order_of_their_own() -> None:
    numbers = import_dataset(pl.DataFrame({"user": [10, 9, 100], "item": ["10", "9", "09"]}))
    assert numbers.users.ids == [9, 10, 100] and numbers.items.ids == ["09", "9", "10"]
    words = import_dataset(pl.DataFrame({"user": ["10", "9", "x"], "item": ["1" * 5000, "2", "3"]}))
    assert words.users.ids == ["10", "9", "x"] and words.items.ids == ["2", "3", "1" * 5000]


def test_repeats_keep_the_earliest_time() -> None:
    log = pl.DataFrame({"user": ["u"] * 4, "item": ["a", "b", "a", "c"], "time": [9, 2, 1, 3]})
    dataset = import_dataset(log, split="leave-last-out")
    assert pairs(dataset, "train") == [("u", "a")] and pairs(dataset, "test") == [("u", "c")]
    assert dataset.manifest["tally"]["repeats_merged"] == 1


def test_ratings_below_the_threshold_go_first() -> None:
    dataset = import_dataset(LOG, min_rating=3)
    assert dataset.users.ids == ["u", "v"] and dataset.items.ids == ["a", "b"]
    assert dataset.manifest["tally"]["below_min_rating"] == 2
    with pytest.raises(DataError, match="no rating reaches 6: lower min_rating"):
        import_dataset(LOG, min_rating=6)
    with pytest.raises(
        DataError, match=r"there are none: name their column with columns=\{'rating'"
    ):
        import_dataset(LOG.drop("rating"), min_rating=3)


def test_unknown_items() -> None:
    items = ITEMS.filter(pl.col("item_id") != "b")
    with pytest.raises(
        DataError, match=r"row 2: 1 item is not in the table of items, the first 'b'"
    ):
        import_dataset(LOG, items=items)
    dropped = import_dataset(LOG, items=items, unknown_items="drop")
    assert dropped.items.ids == ["a", "c"]
    assert dropped.manifest["tally"]["with_unknown_items"] == 2
    kept = import_dataset(LOG, items=items, unknown_items="keep")
    assert kept.catalogue.rows() == [("a", "A", "A"), ("b", None, None), ("c", "C", "C")]
    assert kept.title(1) == "b" and kept.manifest["tally"]["unknown_items_kept"] == 1


@pytest.mark.parametrize(
    ("log_ids", "item_ids", "named"),
    [
        (["12.0", "7.0"], [12, 7], "'12.0' and '12'"),
        ([12, 7], ["0012", "0007"], "'12' and '0012'"),
        (["B01", "7"], ["b01", "7"], "'B01' and 'b01'"),  # one of two matches
    ],
)
def test_ids_that_differ_in_writing_only(
    log_ids: list[Any], item_ids: list[Any], named: str
) -> None:
    log = pl.DataFrame({"user": [1, 1], "item": log_ids})
    items = pl.DataFrame({"item_id": item_ids, "title": ["x", "y"]})
    with pytest.raises(DataError, match=f"{named} seem to be one item. Ids are compared as text"):
        import_dataset(log, items=items)


def test_items_without_interactions() -> None:
    dataset = import_dataset(LOG, items=ITEMS)
    assert dataset.items.ids == ["a", "b", "c"]
    assert "1 item without interactions left out" in dataset.manifest["notices"][0]
    kept = import_dataset(LOG, items=ITEMS, keep_cold_items=True)
    assert kept.items.ids == ["a", "b", "c", "z"] and kept.train.item_degree[3] == 0
    assert kept.catalogue["title"].to_list() == ["A", "B", "C", "Z"]


def test_the_core_is_taken_over_all_splits() -> None:
    split = pl.Series("split", ["train", "valid", "test", "train", "test", "train"])
    dataset = import_dataset(LOG.with_columns(split), k_core=2)
    assert dataset.users.ids == ["u", "v"] and dataset.items.ids == ["a", "b"]
    assert pairs(dataset, "test") == [("v", "b")]
    assert dataset.manifest["tally"]["outside_core"] == 2


def test_users_without_a_training_item() -> None:
    split = pl.Series("split", ["train", "valid", "test", "test", "valid", "train"])
    with pytest.raises(DataError, match=r"row 4: user 'v' has no training item \(1 such user\)"):
        import_dataset(LOG.with_columns(split))
    dataset = import_dataset(LOG.with_columns(split), users_without_train="drop")
    assert dataset.users.ids == ["u", "w"]
    assert dataset.manifest["tally"]["users_without_train"] == 1
    assert "1 user without a training item dropped, with 2 inter" in dataset.manifest["notices"][0]
    with pytest.raises(DataError, match="no interaction is in the training split"):
        import_dataset(LOG.with_columns(split=pl.lit("test")))


def test_a_split_that_is_given_is_used_unless_told_otherwise() -> None:
    given_split = LOG.with_columns(split=pl.lit("train"))
    assert len(import_dataset(given_split).train) == 6
    assert import_dataset(given_split).manifest["options"]["split"] == "column"
    other = import_dataset(given_split, split="leave-last-out")
    assert pairs(other, "test") == [("u", "a"), ("v", "b")]
    renamed = given_split.rename({"split": "part"})
    by_name = import_dataset(renamed, columns=Columns(split="part"))
    assert len(by_name.train) == 6 and by_name.manifest["options"]["columns"]["split"] == "part"
    with pytest.raises(DataError, match="no column for the split"):
        import_dataset(LOG, split="column")


def test_cuts_in_time() -> None:
    options: dict[str, Any] = {"split": "global-time", "time_cuts": (2, 3)}
    dataset = import_dataset(LOG, **options)
    assert [len(dataset.split(name)) for name in SPLITS] == [3, 2, 1]
    with pytest.raises(ConfigError, match="time cuts are for the split 'global-time'"):
        import_dataset(LOG, time_cuts=(2, 3))
    with pytest.raises(DataError, match="'position' is a place in one user's history"):
        import_dataset(LOG.rename({"time": "position"}), **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kcore": 3}, "unknown import option 'kcore': did you mean 'k_core'"),
        ({"split": "randm"}, "unknown split 'randm': did you mean 'random'"),
        ({"unknown_items": "dorp"}, "did you mean 'drop'"),
        ({"users_without_train": "keep"}, "unknown users_without_train 'keep'"),
        ({"min_rating": float("nan")}, "min_rating nan"),
        ({"k_core": -1}, "k_core -1"),
        ({"ratios": (0, 1, 1)}, "ratios"),
        ({"text_fields": ("title",), "text_template": "{title}"}, "not both"),
    ],
)
def test_options_that_do_not_exist_or_fit(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        import_dataset(LOG, **options)


def test_text_options_without_items() -> None:
    with pytest.raises(DataError, match="has no items with text: name their file"):
        import_dataset(LOG, text_template="{title}")


def test_statistics_of_a_known_log() -> None:
    split = pl.Series("split", ["train", "valid", "test", "train", "train", "train"])
    figures = statistics(import_dataset(LOG.with_columns(split), items=ITEMS, keep_cold_items=True))
    assert figures == {
        "users": 3, "items": 4, "interactions": 6, "interactions/train": 4, "interactions/valid": 1,
        "interactions/test": 1, "density": 0.5, "users/mean": 2, "users/median": 2, "users/min": 1,
        "users/max": 3, "items/mean": 1.5, "items/median": 1.5, "items/min": 0, "items/max": 3,
        "popular_share": 0.75, "items_with_text": 4,
    }  # fmt: skip


def test_the_manifest_names_columns_and_counts(tmp_path: Path) -> None:
    import_dataset(LOG, items=ITEMS, out=tmp_path / "shop", min_rating=2)
    manifest = json.loads((tmp_path / "shop" / "manifest.json").read_text())
    columns = {"user": "user", "item": "item", "rating": "rating", "time": "time"}
    assert manifest["options"]["columns"] == columns
    assert manifest["options"]["split"] == "random" and manifest["sources"] == []
    assert manifest["tally"] == {
        "read": 6, "below_min_rating": 1, "repeats_merged": 0, "items_without_interactions": 2,
    }  # fmt: skip


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WRITES = [(pl.DataFrame, "write_parquet", at) for at in (1, 2, 3)] + [
    (Path, "replace", 4),
    (Path, "rename", 1),
]
STEPS = [(*step, earlier) for step in WRITES for earlier in (False, True)]


@pytest.mark.parametrize(("kind", "name", "at", "earlier"), STEPS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_all_or_nothing(
    kind: type, name: str, at: int, earlier: bool, error: BaseException, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if earlier:
        import_dataset(LOG, out=tmp_path / "shop")
    before = contents(tmp_path)
    whole = getattr(kind, name)
    calls = 0

    def failing(self: Any, *arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error
        return whole(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, failing)
        with pytest.raises(type(error)):
            import_dataset(LOG, items=ITEMS, out=tmp_path / "shop", overwrite=earlier, min_rating=2)
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == (["shop"] if earlier else [])
    saved = import_dataset(LOG, out=tmp_path / "shop", overwrite=earlier)
    assert Dataset.load(tmp_path / "shop").fingerprint() == saved.fingerprint()


def test_a_folder_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    import_dataset(LOG, out=tmp_path / "empty")
    with pytest.raises(
        DataError, match="exists already: choose another out, or pass overwrite=True"
    ):
        import_dataset(LOG, out=tmp_path / "empty")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    for taken in ("other", "other/mine.txt"):
        with pytest.raises(DataError, match="is not a dataset: choose another out"):
            import_dataset(LOG, out=tmp_path / taken, overwrite=True)
    assert (tmp_path / "other" / "mine.txt").read_text() == "x"
