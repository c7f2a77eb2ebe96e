"""One catalogue in every format that is read, and what becomes of it on the way to a dataset."""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from darec.data.build import import_dataset
from darec.data.dataset import Dataset
from darec.data.ingest.item_text import describe_items
from darec.data.ingest.items import read_items
from darec.data.kcore import k_core
from darec.data.statistics import statistics
from darec.errors import DataError

FRAME = pl.DataFrame(
    {
        "user_id": ["u1", "u1", "u1", "u2", "u2", "u2", "u10", "u10", "u10"],
        "item_id": ["a", "b", "c", "a", "c", "d", "b", "c", "d"],
        "rating": [5.0, 3.0, 4.0, 4.0, 1.0, 5.0, 2.0, 2.0, 4.0],
        "timestamp": [10.0, 20.0, 30.0, 10.0, 20.0, 30.0, 5.0, 6.0, 7.0],
    }
)


def pairs(dataset: Dataset) -> dict[str, set[tuple[str, str]]]:
    """Each split as pairs of ids."""
    return {
        name: {
            (dataset.users.ids[user], dataset.items.ids[item])
            for user, item in zip(dataset.split(name).users, dataset.split(name).items, strict=True)
        }
        for name in ("train", "valid", "test")
    }


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_tables_of_every_format_give_one_dataset(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log.{suffix}"
    write = {
        "csv": lambda: FRAME.write_csv(path),
        "tsv": lambda: FRAME.write_csv(path, separator="\t"),
        "jsonl": lambda: FRAME.write_ndjson(path),
        "parquet": lambda: FRAME.write_parquet(path),
    }
    write[suffix]()
    read = import_dataset(path, min_rating=2, split="leave-last-out")
    known = import_dataset(FRAME, min_rating=2, split="leave-last-out")
    assert read.fingerprint() == known.fingerprint()
    assert pairs(read)["test"] == {("u1", "c"), ("u2", "d"), ("u10", "d")}
    assert ("u2", "c") not in set.union(*pairs(read).values())  # rated 1


def test_columns_by_name_dates_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(
        b'\xef\xbb\xbfwho,what,when\r\nu1,"a,1",2024-01-02\r\nu1,b,2024-01-01\r\nu1,c,2024-01-03T10:00:00\r\n'
    )
    from darec.data.ingest import Columns

    dataset = import_dataset(
        path, columns=Columns(user="who", item="what", time="when"), split="leave-last-out"
    )
    assert pairs(dataset) == {
        "train": {("u1", "b")},
        "valid": {("u1", "a,1")},
        "test": {("u1", "c")},
    }


def test_recbole_files(tmp_path: Path) -> None:
    (tmp_path / "shop.inter").write_text(
        "user_id:token\titem_id:token\trating:float\nu1\ta\t5\nu1\tb\t4\n"
    )
    (tmp_path / "shop.item").write_text(
        "item_id:token\ttitle:token_seq\tprice:float\na\tIron pan\t3\nb\tTin cup\t2\n"
    )
    for source in (tmp_path, tmp_path / "shop.inter"):
        dataset = import_dataset(source)
        assert pairs(dataset)["train"] == {("u1", "a"), ("u1", "b")}
        assert dataset.catalogue["text"].to_list() == ["Iron pan", "Tin cup"]
    (tmp_path / "other.inter").touch()
    with pytest.raises(DataError, match=r"several \.inter files"):
        import_dataset(tmp_path)


def test_movielens_folders(tmp_path: Path) -> None:
    one, hundred = tmp_path / "1m", tmp_path / "100k"
    one.mkdir()
    hundred.mkdir()
    (one / "ratings.dat").write_text(
        "1::10::5::978300760\n1::20::3::978300761\n2::10::4::978300762\n"
    )
    (one / "movies.dat").write_bytes(
        "10::Amélie (2001)::Comedy|Romance\n20::Heat (1995)::Crime\n".encode("latin-1")
    )
    (hundred / "u.data").write_text(
        "1\t10\t5\t881250949\n1\t20\t3\t881250950\n2\t10\t4\t881250951\n"
    )
    (hundred / "u.genre").write_text("Comedy|0\nCrime|1\nRomance|2\n\n")
    (hundred / "u.item").write_bytes(
        "10|Amélie (2001)|01-Jan-2001||http://x|1|0|1\n20|Heat (1995)|01-Jan-1995||http://y|0|1|0\n".encode("latin-1")
    )  # fmt: skip
    for folder in (one, hundred):
        dataset = import_dataset(folder)
        assert dataset.items.ids == ["10", "20"] and len(dataset.train) == 3
        assert dataset.catalogue["title"].to_list() == ["Amélie (2001)", "Heat (1995)"]
        assert dataset.catalogue["text"][0] == "title: Amélie (2001); genres: Comedy, Romance"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", [sp.coo_matrix, sp.csr_matrix, sp.coo_array, sp.csr_array])
def test_rlmrec_folders(tmp_path: Path, form: Callable[..., sp.spmatrix], protocol: int) -> None:
    cells = {"trn": [(0, 0), (1, 2), (2, 1)], "val": [(0, 1)], "tst": [(1, 0)]}
    for name, found in cells.items():
        rows, columns = np.array(found).T
        matrix = form((np.ones(len(found)), (rows, columns)), shape=(3, 3))
        (tmp_path / f"{name}_mat.pkl").write_bytes(pickle.dumps(matrix, protocol))
    read = pairs(import_dataset(tmp_path))
    for name, split in (("trn", "train"), ("val", "valid"), ("tst", "test")):
        assert read[split] == {(str(user), str(item)) for user, item in cells[name]}


def test_rlmrec_arrays_must_be_numbers_and_fit(tmp_path: Path) -> None:
    matrix = sp.coo_matrix(np.eye(2))
    for name in ("trn", "val", "tst"):
        (tmp_path / f"{name}_mat.pkl").write_bytes(pickle.dumps(matrix))
    matrix.data = np.array(["x", "y"], object)
    (tmp_path / "trn_mat.pkl").write_bytes(pickle.dumps(matrix))
    with pytest.raises(DataError, match=r"trn_mat.pkl is refused.*dtype 'O8'"):
        import_dataset(tmp_path)
    (tmp_path / "trn_mat.pkl").write_bytes(pickle.dumps(sp.coo_matrix(np.eye(3))))
    with pytest.raises(DataError, match="different shapes"):
        import_dataset(tmp_path)
    (tmp_path / "trn_mat.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError, match=r"holds no scipy\.sparse matrix"):
        import_dataset(tmp_path)
    (tmp_path / "trn_mat.pkl").write_bytes(pickle.dumps(sp.coo_matrix(np.eye(2)))[:-20])
    with pytest.raises(DataError, match="is refused"):
        import_dataset(tmp_path)


def test_the_papers_amazon_book(shared_data: Callable[[str], Path]) -> None:
    dataset = import_dataset(shared_data("rlmrec-amazon"))
    figures = statistics(dataset)
    assert (figures["users"], figures["items"]) == (11_000, 9_332)
    counts = [figures[f"interactions/{name}"] for name in ("train", "valid", "test")]
    assert counts == [120_464, 40_290, 40_106]
    assert dataset.items.ids[:3] == ["0", "1", "2"] and dataset.items.ids[-1] == "9331"


def test_a_real_shop(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("steam")
    dataset = import_dataset(folder / "interactions.csv", items=folder / "items.jsonl")
    assert (dataset.n_users, dataset.n_items) == (17_038, 4_436)
    assert len(dataset.train) + len(dataset.valid) + len(dataset.test) == 187_139
    text = dataset.catalogue.filter(pl.col("item_id") == "328100")["text"][0]
    assert text.startswith("title: Gunspell - Steam Edition; genres: Adventure, Indie, RPG; tags: ")
    assert "328100" not in text


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = FRAME.sample(fraction=1, shuffle=True, seed=3)
    for split in ("random", "leave-last-out", "temporal-user"):
        assert (
            import_dataset(FRAME, split=split).fingerprint()
            == import_dataset(shuffled, split=split).fingerprint()
        )


def test_a_pair_in_two_splits_stays_in_the_earliest() -> None:
    frame = pl.DataFrame(
        {
            "user": ["u", "u", "u", "u"],
            "item": ["a", "b", "b", "b"],
            "split": ["training", "test", "val", "Train"],
        }
    )
    dataset = import_dataset(frame)
    assert pairs(dataset) == {"train": {("u", "a"), ("u", "b")}, "valid": set(), "test": set()}
    notices = " ".join(dataset.manifest["notices"])
    assert "1 pair stands in several splits: the earliest counts" in notices
    assert "2 repeated interactions merged" in notices


@pytest.mark.parametrize(
    ("log_ids", "item_ids"),
    [([12, 7], ["12", "7"]), (["12", "7"], [12, 7]), ([12.0, 7.0], [12, 7])],
)
def test_ids_match_where_they_mean_the_same(log_ids: list[object], item_ids: list[object]) -> None:
    frame = pl.DataFrame({"user": [1, 1], "item": log_ids})
    items = pl.DataFrame({"item_id": item_ids, "title": ["twelve", "seven"]})
    dataset = import_dataset(frame, items=items)
    assert dataset.items.texts == ["7", "12"]
    assert dataset.catalogue["title"].to_list() == ["seven", "twelve"]


def test_the_manifest_tells_where_it_all_came_from(tmp_path: Path) -> None:
    log, items = tmp_path / "log.csv", tmp_path / "items.csv"
    FRAME.write_csv(log)
    pl.DataFrame({"item_id": list("abcd"), "title": list("ABCD")}).write_csv(items)
    dataset = import_dataset(log, items=items, out=tmp_path / "shop", seed=4)
    manifest = json.loads((tmp_path / "shop" / "manifest.json").read_text())
    assert manifest["sources"] == [
        {
            "file": file.name,
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in (log, items)
    ]
    assert manifest["options"]["seed"] == 4 and manifest["options"]["text_fields"] == ["title"]
    assert manifest["counts"]["users"] == 3
    assert str(tmp_path) not in (tmp_path / "shop" / "manifest.json").read_text()
    assert Dataset.load(tmp_path / "shop").fingerprint() == dataset.fingerprint()


def test_text_is_made_of_words_not_of_ids_urls_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    rows = [
        {"item_id": "a", "title": "Iron\u0007  pan\n", "tags": ["hot", "black"], "brand_id": "B1",
         "image_url": "https://x/y", "page": "http://z", "price": 3.5, "release_date": "2020-01-01"},
        {"item_id": "b", "title": "Cup", "tags": None},
        {"item_id": "c"},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_items(path)
    frame, about = describe_items(table)
    assert frame["text"].to_list() == ["title: Iron pan; tags: hot, black", "title: Cup", None]
    assert frame["title"].to_list() == ["Iron pan", "Cup", None]
    assert about["text_fields"] == ["title", "tags"]
    frame, _ = describe_items(table, template="{title}. {tags}, {price}.")
    assert frame["text"].to_list() == ["Iron pan. hot, black, 3.5.", "Cup.", None]
    frame, _ = describe_items(table, fields=["tags"])
    assert frame["text"].to_list() == ["hot, black", None, None]
    with pytest.raises(DataError, match="names no field"):
        describe_items(table, template="all the same")
    with pytest.raises(DataError, match="text template"):
        describe_items(table, template="{title")


@given(
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20),
    st.integers(1, 3),
)
def test_k_core_against_all_subsets_of_users_and_items(cells: set[tuple[int, int]], k: int) -> None:
    """The core is the union of all sets of users and items in which each has k partners."""
    found = sorted(cells)
    users, items = (np.array([c[side] for c in found], np.int64) for side in (0, 1))
    kept = {cell for cell, keep in zip(found, k_core(users, items, k), strict=True) if keep}
    best: set[tuple[int, int]] = set()
    subsets = [set(s) for n in range(7) for s in itertools.combinations(range(6), n)]
    for chosen in subsets:
        inside = {c for c in cells if c[0] in chosen}
        while True:
            counts = {i: sum(c[1] == i for c in inside) for i in range(6)}
            fewer = {c for c in inside if counts[c[1]] >= k}
            if fewer == inside:
                break
            inside = fewer
        degrees = {u: sum(c[0] == u for c in inside) for u in chosen}
        if all(degree >= k for degree in degrees.values()):
            best |= inside
    assert kept == best


def test_k_core_through_import() -> None:
    weak = pl.DataFrame({"user_id": ["u1", "u9"], "item_id": ["z", "a"]})
    dataset = import_dataset(pl.concat([FRAME.select(weak.columns), weak]), k_core=2)
    assert set(dataset.users.ids) == {"u1", "u2", "u10"} and dataset.items.ids == list("abcd")
    assert "2 interactions outside the 2-core dropped" in dataset.manifest["notices"][0]
