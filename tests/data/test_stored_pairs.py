"""A dataset's pairs on disk: mapped, half as wide, and never another's fingerprint."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from darec.data.build import import_dataset
from darec.data.dataset import SPLITS, Dataset
from darec.data.stored_pairs import read_pairs, write_pairs
from darec.errors import DataError
from darec.types import Interactions

LOG = pl.DataFrame(
    {"user": ["u", "u", "u", "u", "u", "v", "v"], "item": ["a", "b", "c", "d", "e", "a", "b"]}
)


def same(one: Dataset, other: Dataset) -> bool:
    return all(
        np.array_equal(one.split(name).keys, other.split(name).keys) for name in SPLITS
    ) and (one.users.texts, one.items.texts) == (other.users.texts, other.items.texts)


def test_a_large_file_is_mapped_and_not_read(tmp_path: Path) -> None:
    keys = np.arange(0, 3 * 10**5, 2)
    pairs = Interactions.from_pairs(keys // 1000, keys % 1000, 300, 1000)
    write_pairs(tmp_path / "train.npy", pairs)
    found = read_pairs(tmp_path / "train.npy", 300, 1000, trusted=False)
    assert found.users.dtype == found.items.dtype == np.int32
    assert not found.users.flags.owndata and isinstance(found.users.base.base, np.memmap)  # type: ignore[union-attr]
    assert np.array_equal(found.keys, keys) and found.keys.dtype == np.int64
    found.users[0] = 5  # a copy of one page, and not the file
    assert read_pairs(tmp_path / "train.npy", 300, 1000, trusted=False).users[0] == 0


def test_products_of_rows_do_not_overflow() -> None:
    size = 10**6
    pairs = Interactions.from_pairs(np.array([size - 1, 3]), np.array([size - 2, 7]), size, size)
    assert pairs.users.dtype == np.int32
    assert pairs.keys.tolist() == [3 * size + 7, (size - 1) * size + size - 2]
    assert pairs.contains(pairs.users, pairs.items).all()
    assert pairs.contains(pairs.users, pairs.items[::-1]).tolist() == [False, False]
    wide = Interactions.from_pairs(np.array([2**31]), np.array([0]), 2**31 + 1, 1)
    assert wide.users.dtype == np.int64 and wide.users[0] == 2**31


@pytest.mark.parametrize(
    ("users", "items", "told"),
    [([0, 9], [0, 1], "outside 0..1"), ([1, 0], [0, 1], "not sorted"), ([0, 0], [1, 1], "sorted")],
)
def test_pairs_that_cannot_be(
    tmp_path: Path, users: list[int], items: list[int], told: str
) -> None:
    rows = np.array(users, np.int32), np.array(items, np.int32)
    write_pairs(tmp_path / "train.npy", Interactions(*rows, 2, 2))
    with pytest.raises(ValueError, match=told):
        read_pairs(tmp_path / "train.npy", 2, 2, trusted=False)


def test_other_programs_read_the_pairs_of_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.data.stored_pairs._BLOCK", 3)
    data = import_dataset(LOG).save(tmp_path / "data")
    copy = pl.read_parquet(tmp_path / "data/interactions.parquet")
    assert copy.columns == ["user", "item", "split"]
    users, items = data.users.texts, data.items.texts
    for name in SPLITS:
        pairs = data.split(name)
        there = copy.filter(pl.col("split") == name)
        assert {(users[u], items[i]) for u, i, _ in there.rows()} == {
            (users[u], items[i]) for u, i in zip(pairs.users, pairs.items, strict=True)
        }
        assert len(there) == len(pairs)
    (tmp_path / "data/interactions.parquet").unlink()
    assert same(Dataset.load(tmp_path / "data"), data)


def test_a_dataset_of_the_first_version_opens(tmp_path: Path) -> None:
    data = import_dataset(LOG).save(tmp_path / "data")
    rows = [
        pl.DataFrame(
            {"user": pairs.users, "item": pairs.items, "split": [name] * len(pairs)},
            {"user": pl.UInt32, "item": pl.UInt32, "split": pl.String},
        )
        for name, pairs in ((name, data.split(name)) for name in SPLITS)
    ]
    pl.concat(rows).write_parquet(tmp_path / "data/interactions.parquet")
    for name in SPLITS:
        (tmp_path / f"data/{name}.npy").unlink()
    file = tmp_path / "data/manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["stamps"]
    manifest["schema_version"] = 1
    manifest["files"] = ["users.parquet", "items.parquet", "interactions.parquet"]
    file.write_text(json.dumps(manifest))
    old = Dataset.load(tmp_path / "data")
    assert same(old, data) and old.fingerprint() == data.fingerprint()
    new = old.save(tmp_path / "data", overwrite=True)
    assert (tmp_path / "data/train.npy").exists() and same(new, data)


def test_the_fingerprint_is_kept_until_a_file_changes(tmp_path: Path) -> None:
    data = import_dataset(LOG).save(tmp_path / "data")
    assert "stamps" not in Dataset.load(tmp_path / "data").manifest
    file = tmp_path / "data/manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "fingerprint": "kept"}))
    assert Dataset.load(tmp_path / "data").fingerprint() == "kept"
    merged = Dataset.load(tmp_path / "data").merged()  # another problem in the same folder
    assert merged.fingerprint() not in ("kept", data.fingerprint())

    users = tmp_path / "data/users.parquet"
    os.utime(users, ns=(0, 0))
    assert Dataset.load(tmp_path / "data").fingerprint() == data.fingerprint()
    pl.DataFrame({"user_id": ["v", "u"]}).write_parquet(users)
    assert Dataset.load(tmp_path / "data").fingerprint() not in ("kept", data.fingerprint())

    train = np.load(tmp_path / "data/train.npy")
    np.save(tmp_path / "data/train.npy", train[:, ::-1])
    with pytest.raises(DataError, match=r"train.npy is not sorted"):
        Dataset.load(tmp_path / "data")
