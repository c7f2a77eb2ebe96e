"""Lists of all users in a file: the same as in memory, whole or not there, gone on with after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import darec
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, FolderError
from darec.listing import stream
from darec.run import Run
from darec.scoring import AddedScorer, MatrixScorer, TableScorer
from darec.spreadsheet import safe_cell, safe_column
from darec.testing.worlds import tiny_dataset
from darec.types import Tables


def run_on(data: Dataset) -> Run:
    draw = torch.Generator().manual_seed(0)
    tables = Tables(
        torch.randn(data.n_users, 4, generator=draw), torch.randn(data.n_items, 4, generator=draw)
    )
    return Run(resolve_config(), data, TableScorer(tables, data.items.tie_order), {})


@pytest.fixture(scope="module")
def run() -> Run:
    data = tiny_dataset()
    fields = pl.DataFrame(
        {
            "item_id": data.items.texts,
            "price": [float(row % 10) for row in range(data.n_items)],
            "kind": [f"k{row % 3}" for row in range(data.n_items)],
        }
    )
    object.__setattr__(data, "extra", fields.lazy())
    return run_on(data)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_ROWS", 40)


def write(run: Run, out: Path, k: int = 4, **options: Any) -> Any:
    return run.recommend_all(out, k, progress=False, **options)


def read(path: Path) -> pl.DataFrame:
    kind = path.suffix
    if kind == ".parquet":
        return pl.read_parquet(path)
    return pl.read_csv(path) if kind == ".csv" else pl.read_ndjson(path)


@pytest.mark.parametrize("name", ["lists.parquet", "lists.csv", "lists.jsonl"])
def test_the_file_holds_what_recommend_gives(run: Run, tmp_path: Path, name: str) -> None:
    done = write(run, tmp_path / name)
    expected = run.recommend(k=4).to_polars()
    found = read(tmp_path / name).with_columns(pl.col("score").cast(pl.Float32))
    assert found.drop("score").equals(expected.drop("score"))
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5)
    assert (done.users, done.rows, done.empty) == (run.dataset.n_users, len(expected), 0)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_parquet_has_a_row_group_a_part(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path / "lists.parquet")
    file = pq.ParquetFile(tmp_path / "lists.parquet")
    assert file.num_row_groups == -(-run.dataset.n_users // 10)
    assert file.metadata.row_group(0).num_rows == 40


@pytest.mark.parametrize("name", ["lists.parquet", "lists.csv", "lists.jsonl"])
def test_a_kill_leaves_no_file_and_loses_no_part(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    out = tmp_path / name
    top, calls = stream.Request.top, 0

    def killed(self: Any, users: Any = None) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return top(self, users)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(stream.Request, "top", killed)
        write(run, out)
    assert not out.exists()
    done = write(run, out)
    assert done.reused == 30
    write(run, tmp_path / f"again{out.suffix}")
    assert out.read_bytes() == (tmp_path / f"again{out.suffix}").read_bytes()
    assert done.rows == len(run.recommend(k=4))
    assert not list(tmp_path.glob(".*"))


def test_parts_of_another_request_are_not_taken(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[dict[str, Any]] = [
        {},
        {"k": 3},
        {"users": ["u1", "u2"]},
        {"exclude": ["i1"]},
        {"candidates": run.dataset.items.ids[3:]},
        {"where": "price < 7"},
        {"exclude_pairs": [("u1", "i2")]},
        {"exclude_seen": False},
        {"diversity": 0.5},
        {"diversity": 0.6},
        {"at_most": 1, "per": "kind"},
        {"at_most": 2, "per": "kind"},
    ]

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    for request in requests:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(stream.ListFile, "join", killed)
            write(run, tmp_path / "lists.jsonl", **request)
        about = tmp_path / ".lists.jsonl.partial" / "request.json"
        request["hash"] = json.loads(about.read_text())["request"]
    assert len({request["hash"] for request in requests}) == len(requests)
    assert write(run, tmp_path / "lists.jsonl").reused == 0
    other = Run(run.config, run.dataset, run_on(run.dataset).scorer, {})
    other.scorer.tables.items[0] += 1  # type: ignore[attr-defined]
    assert other.scorer.fingerprint() != run.scorer.fingerprint()


def test_users_options_and_lists_that_end_early(run: Run, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "candidates": run.dataset.items.ids[:12],
        "exclude": run.dataset.items.ids[:2],
        "exclude_pairs": [("u2", item) for item in run.dataset.items.ids],
        "where": "price < 8",
    }
    done = write(run, tmp_path / "lists.parquet", 9, users=["u3", "u2", "u1"], **options)
    found = read(tmp_path / "lists.parquet")
    assert found.equals(run.recommend(["u3", "u2", "u1"], 9, **options).to_polars())
    assert found["user_id"].unique(maintain_order=True).to_list() == ["u3", "u1"]
    assert (done.users, done.empty) == (3, 1)
    assert set(found["item_id"]) <= {f"i{n}" for n in range(2, 12)}
    assert write(run, tmp_path / "none.csv", users=[]).rows == 0
    assert (tmp_path / "none.csv").read_text() == "user_id,rank,item_id,title,score\n"
    assert write(run, tmp_path / "none.parquet", users=[]).rows == 0
    assert read(tmp_path / "none.parquet").schema == found.schema


def test_pairs_come_in_any_table(run: Run) -> None:
    pandas = pytest.importorskip("pandas")
    pairs = [("u1", item) for item in run.dataset.items.ids[:30]]
    frame = pl.DataFrame(pairs, schema=["user", "item"], orient="row")
    expected = run.recommend("u1", 5, exclude_pairs=pairs)
    assert not {item.item_id for item in expected} & set(run.dataset.items.ids[:30])
    for table in (frame, pandas.DataFrame(pairs), frame.to_arrow(), set(pairs), map_of(pairs)):
        assert run.recommend("u1", 5, exclude_pairs=table) == expected
    assert run.recommend("u1", 5, exclude_pairs=[]) == run.recommend("u1", 5)
    for wrong in ([("u1",)], frame.select("user"), 7):
        with pytest.raises(ConfigError, match="exclude_pairs"):
            run.recommend("u1", 5, exclude_pairs=wrong)
    with pytest.raises(DataError, match="no item 'i2x'"):
        run.recommend("u1", 5, exclude_pairs=[("u1", "i2x")])


def map_of(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {"user": [user for user, _ in pairs], "item": [item for _, item in pairs]}


def test_a_cap_fills_lists_from_as_deep_as_it_must(run: Run) -> None:
    kinds = {f"i{n}": n % 3 for n in range(run.dataset.n_items)}
    table = run.recommend(k=6, at_most=2, per="kind").to_polars()
    for _, items in table.group_by("user_id"):
        counts = np.bincount([kinds[item] for item in items["item_id"]])
        assert counts.max() == 2 and len(items) == 6
    best = {}
    for item in run.recommend("u1", 40):
        best.setdefault(kinds[str(item.item_id)], item.item_id)
    listed = run.recommend("u1", 3, at_most=1, per="kind")
    assert [item.item_id for item in listed] == list(best.values())


def test_a_cap_looks_beyond_the_first_pool() -> None:
    """Two hundred items of one brand come first."""
    pairs = [("u", f"i{n}") for n in range(3)]
    items = [
        {"item_id": f"i{n}", "brand": "big" if n < 250 else f"b{n}", "text": "x"}
        for n in range(300)
    ]
    data = darec.load_dataset(pairs, items=pl.DataFrame(items), keep_cold_items=True)
    order = np.array([int(one.removeprefix("i")) for one in data.items.ids])
    tables = Tables(torch.ones(1, 1), torch.from_numpy(-order.astype(np.float32))[:, None])
    run = Run(resolve_config(), data, TableScorer(tables), {})
    listed = run.recommend("u", 4, at_most=1, per="brand", exclude_seen=False)
    assert [item.item_id for item in listed] == ["i0", "i250", "i251", "i252"]


def test_unlike_items_by_text_else_by_the_item_table(run: Run) -> None:
    vectors = run.item_vectors()
    np.testing.assert_array_equal(vectors, run.tables.items)
    plain, spread = (run.recommend("u1", 5, diversity=d) for d in (0.0, 0.9))
    assert plain[0] == spread[0] and plain != spread
    data = tiny_dataset()
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 8})
    text = run_on(data).item_vectors()
    assert text.shape == (data.n_items, 8)
    matrix = MatrixScorer(np.eye(data.n_items, dtype=np.float32), _histories(data))
    bare = Run(resolve_config(), tiny_dataset(), matrix, {})
    with pytest.raises(ConfigError, match="the similarity of items is unknown"):
        bare.recommend("u1", 3, diversity=0.5)
    both = AddedScorer([matrix, run.scorer], [1, 1])
    np.testing.assert_array_equal(both.item_vectors(), run.tables.items)


def _histories(data: Dataset) -> Any:
    from darec.backbones.closed_form import matrix_of

    return matrix_of(data.train)


def test_refusals(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.parquet, \.csv, \.jsonl"):
        write(run, tmp_path / "lists.xlsx")
    write(run, tmp_path / "lists.csv")
    with pytest.raises(FolderError, match="overwrite=True"):
        write(run, tmp_path / "lists.csv")
    write(run, tmp_path / "lists.csv", 2, overwrite=True)
    assert len(read(tmp_path / "lists.csv")) == 2 * run.dataset.n_users
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FolderError, match="is a folder"):
        write(run, tmp_path / "folder.csv", overwrite=True)
    for options, message in (
        ({"diversity": 1.1}, "diversity=1.1: must be from 0 to 1"),
        ({"diversity": float("nan")}, "from 0 to 1"),
        ({"at_most": 2}, "need each other"),
        ({"per": "kind"}, "need each other"),
        ({"at_most": 2, "per": "kinds"}, "did you mean 'kind'"),
        ({"at_most": 0, "per": "kind"}, "at least 1"),
        ({"where": "price < 0"}, "no item meets"),
        ({"candidates": ["i1"], "where": "price = 2"}, "no item meets"),
        ({"candidate": ["i1"]}, "did you mean 'candidates'"),
    ):
        with pytest.raises(ConfigError, match=message):
            run.recommend("u1", 3, **options)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="for known users"):
        run.recommend_for(["i1"], 3, exclude_pairs=[("u1", "i2")])
    listed = run.recommend_for(["i1"], 40, where="price < 5", exclude=["i2"])
    prices = {f"i{n}": n % 10 for n in range(40)}
    assert {item.item_id for item in listed} == {
        item for item, price in prices.items() if price < 5 and item not in ("i1", "i2")
    }


def test_csv_can_be_made_safe_for_spreadsheets(tmp_path: Path) -> None:
    pairs = [(user, item) for user in ("=u", "-5") for item in ("+i", "j", "k")][:5]
    data = darec.load_dataset(pairs, items={"+i": "@cmd", "j": "title", "k": "plain, quoted"})
    run = run_on(data)
    safe = tmp_path / "safe.csv"
    run.recommend_all(safe, 3, exclude_seen=False, safe_csv=True, progress=False)
    rows = read(safe)
    assert set(rows["user_id"]) == {"'=u", "-5"} and set(rows["item_id"]) == {"'+i", "j", "k"}
    assert set(rows["title"]) == {"'@cmd", "title", "plain, quoted"}
    run.recommend_all(safe, 3, exclude_seen=False, overwrite=True, progress=False)
    assert set(read(safe)["title"]) == {"@cmd", "title", "plain, quoted"}


@given(texts=st.lists(st.none() | st.text() | st.from_regex(r"[=+\-@\t\ra-c0-9\uff1d ]{0,4}")))
def test_a_safe_column_is_of_safe_cells(texts: list[str | None]) -> None:
    column = safe_column(pl.Series("c", texts, dtype=pl.String))
    assert column.to_list() == [safe_cell(text) for text in texts]
