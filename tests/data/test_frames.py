"""Interactions and items from memory: every kind of table makes the same dataset, and ids come back as they went in."""

from __future__ import annotations

import json
import uuid
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import darec
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError
from darec.ids.idmap import ID_TYPES, IdMap, typed
from darec.testing.worlds import tiny_dataset

pd = pytest.importorskip("pandas")

PAIRS = [(u, i) for u in range(1, 9) for i in range(10) if (u * 3 + i * 5) % 4]
USERS, ITEMS = [u for u, _ in PAIRS], [i for _, i in PAIRS]
Pair = namedtuple("Pair", "user_id item_id")
RECORDS = np.array(PAIRS, dtype=[("user", "i8"), ("item", "i4")])
MATRIX = sp.csr_array((np.ones(len(PAIRS)), (USERS, ITEMS)))

SAME: dict[str, Any] = {
    "pandas": pd.DataFrame({"user": USERS, "item": ITEMS}),
    "pandas with an index": pd.DataFrame({"user": USERS, "item": ITEMS}).set_index("user"),
    "pandas with an index that is also a column": pd.DataFrame(
        {"user": USERS, "item": ITEMS}, index=pd.Index(USERS, name="user")
    ),
    "pandas categories": pd.DataFrame({"user": USERS, "item": ITEMS}).astype("category"),
    "pandas floats": pd.DataFrame({"user": USERS, "item": ITEMS}, dtype=float),
    "pandas nullable": pd.DataFrame({"user": USERS, "item": ITEMS}, dtype="Int64"),
    "pandas objects": pd.DataFrame({"user": USERS, "item": ITEMS}, dtype=object),
    "polars": pl.DataFrame({"user": USERS, "item": ITEMS}),
    "polars, lazy": pl.LazyFrame({"user": USERS, "item": ITEMS}),
    "pyarrow": pa.table({"user": pa.array(USERS, pa.uint8()), "item": ITEMS}),
    "a batch of pyarrow": pa.RecordBatch.from_pydict({"user": USERS, "item": ITEMS}),
    "tuples": PAIRS,
    "lists": [list(pair) for pair in PAIRS],
    "a set": set(PAIRS),
    "a generator": (pair for pair in PAIRS),
    "tuples of numpy's numbers": list(zip(np.array(USERS), np.array(ITEMS), strict=True)),
    "named tuples": [Pair(*pair) for pair in PAIRS],
    "dicts": [{"user": u, "item": i} for u, i in PAIRS],
    "columns": {"user": USERS, "item": np.array(ITEMS)},
    "an array": np.array(PAIRS),
    "records": RECORDS,
    "a tensor": torch.tensor(PAIRS),
    "a csr matrix": MATRIX,
    "a coo matrix of the older kind": sp.coo_matrix(MATRIX),
    "a matrix of truths": MATRIX.astype(bool),
}


@pytest.mark.parametrize("kind", SAME)
def test_every_kind_of_table_makes_the_same_dataset(kind: str) -> None:
    data = darec.load_dataset(SAME[kind])
    assert data.fingerprint() == darec.load_dataset(PAIRS).fingerprint()
    assert data.users.ids == list(range(1, 9))
    assert all(type(identifier) is int for identifier in [*data.users.ids, *data.items.ids])
    assert len(data.train) + len(data.valid) + len(data.test) == len(PAIRS)


def test_uuids_come_back_as_uuids() -> None:
    name = {n: uuid.UUID(int=n << 100) for n in range(10)}
    rows = [(name[u], f"i{i}") for u, i in PAIRS]
    tables = [
        rows,
        pd.DataFrame(rows, columns=["user", "item"]),
        pa.table(
            {
                "user": pa.array([one.bytes for one, _ in rows], pa.uuid()),
                "item": [item for _, item in rows],
            }
        ),
    ]
    for table in tables:
        data = darec.load_dataset(table)
        assert data.users.ids == [name[n] for n in range(1, 9)]
        assert data.users.row(name[3]) == data.users.row(str(name[3])) == 2
        assert data.items.ids == data.items.texts


@pytest.mark.parametrize("kind", ID_TYPES)
def test_types_of_ids_survive_saving(kind: Any, tmp_path: Path) -> None:
    user = {"string": str, "int64": int, "uuid": lambda n: uuid.UUID(int=n)}[kind]
    data = darec.load_dataset([(user(u), i) for u, i in PAIRS], out=tmp_path / "data")
    again = Dataset.load(tmp_path / "data")
    assert again.users.ids == data.users.ids == [user(n) for n in range(1, 9)]
    assert again.users.type == kind
    assert again.items.type == "int64"
    assert again.fingerprint() == data.fingerprint()
    older = json.loads((tmp_path / "data" / "manifest.json").read_text())
    del older["ids"]
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(older))
    assert Dataset.load(tmp_path / "data").items.ids == data.items.texts


def test_cold_items_keep_their_type() -> None:
    data = darec.load_dataset(PAIRS, split="cold-items", cold_share=0.3)
    assert len(data.items) < 10
    assert all(type(identifier) is int for identifier in data.items.ids)


@given(st.lists(st.integers(-(2**70), 2**70), unique=True), st.lists(st.uuids(), unique=True))
@settings(max_examples=30)
def test_text_and_back(numbers: list[int], uuids: list[uuid.UUID]) -> None:
    assert IdMap("user", numbers, "int64").ids == numbers
    assert IdMap("user", uuids, "uuid").ids == uuids
    for row, number in enumerate(numbers):
        assert IdMap("user", numbers, "int64").row(number) == row


def test_an_id_that_does_not_fit_the_type_stays_text() -> None:
    assert typed(["7", "007", "-0", "x", "\u0661"], "int64") == [7, "007", "-0", "x", "\u0661"]
    assert typed(["7"], "uuid") == ["7"]


def test_ids_of_rows_as_a_column() -> None:
    assert IdMap("user", [5, 7], "int64").column(np.array([1, 0, 1])).to_list() == [7, 5, 7]
    assert IdMap("user", [5, "x"], "int64").column(np.array([0])).to_list() == ["5"]
    one = uuid.UUID(int=1)
    assert IdMap("user", [one], "uuid").column(np.array([0])).to_list() == [str(one)]


def test_items_by_id_or_as_a_table() -> None:
    texts = {i: f"item number {i}" for i in range(10)}
    frame = pd.DataFrame({"item_id": texts.keys(), "text": texts.values()})
    for items in (
        texts,
        pd.Series(texts),
        frame,
        frame.set_index("item_id"),
        pl.from_pandas(frame),
        list(texts.items()),
        {i: {"text": text} for i, text in texts.items()},
    ):
        data = darec.load_dataset(PAIRS, items=items)
        assert data.catalogue["text"].to_list() == list(texts.values())
    assert darec.load_dataset(MATRIX, items=texts).title(3) == "item number 3"


def test_ratings_and_zeros_of_a_matrix() -> None:
    matrix = sp.csr_array(np.array([[5.0, 0, 1], [4, 4, 0], [0, 5, 5]]))
    matrix.data[0] = 0  # stored, and a zero all the same
    data = darec.load_dataset(matrix)
    assert len(data.train) + len(data.valid) + len(data.test) == 5
    assert data.users.ids == [0, 1, 2]
    liked = darec.load_dataset(matrix, min_rating=4)
    assert liked.users.ids == [1, 2]


def test_columns_may_be_named_by_a_mapping() -> None:
    frame = pd.DataFrame({"who": USERS, "what": ITEMS})
    data = darec.load_dataset(frame, columns={"user": "who", "item": "what"})
    assert data.users.ids == list(range(1, 9))
    with pytest.raises(ConfigError, match="did you mean 'user'"):
        darec.load_dataset(frame, columns={"users": "who"})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3, "the table of interactions: int is not a table that darec knows"),
        ([], "the table of interactions holds no rows"),
        (["u1", "u2"], r"row 1: 'u1' is not a row: pass tuples \(user, item\)"),
        ([(1, 2), (1,)], "row 2: 1 values where 2 were expected"),
        ([(1, 2), {"user": 1}], "row 2: dicts and tuples are mixed"),
        ([(1,)], "has 1 values a row: pass user and item, and then rating and timestamp"),
        ([(1, None)], "row 1: no id in column 'item'"),
        ([(1, float("nan")), (2, 3.0)], "row 1: no id in column 'item'"),
        ({"user": [1], "item": [1, 2]}, "column 'user' has 1 values and 'item' has 2"),
        ({"user": 1, "item": 2}, "'user' holds 1, which is not a column"),
        (pd.DataFrame(PAIRS), "no column for the user; it has '0', '1'"),
        (pd.Series([1, 2]), "is a series of pandas"),
        (pd.DataFrame([[1, 2]], columns=["user", "user"]), "column 'user' occurs twice"),
        (sp.coo_array(np.ones(3)), "has 1 dimension"),
        (sp.csr_array((3, 4)), "the table of interactions holds no rows"),
        (tiny_dataset(), "a dataset already"),
    ],
)
def test_what_is_no_table_is_refused(table: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        darec.load_dataset(table)


def test_ids_of_several_types_are_text() -> None:
    one = uuid.UUID(int=1)
    for users in ([1, "1", "a"], [one, str(one), "a"], [1, one, "a"]):
        pairs = [(user, item) for user in users for item in range(6)]
        data = darec.load_dataset(pairs)
        assert data.users.ids == sorted({str(user) for user in users})
