"""An index finds what exact ranking lists, and never changes what a bundle is."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch.nn import functional as F

import darec
from command_line import call, refused
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, FolderError, RunError
from darec.export import manifest as manifests
from darec.export import trials
from darec.export.index import ItemIndex
from darec.export.indexing import index_bundle
from darec.export.search import Indexable
from darec.ids.idmap import IdMap
from darec.listing.search import EXACT, Search
from darec.run import Run
from darec.scoring import (
    AddedScorer,
    MatrixScorer,
    PopularityScorer,
    Scorer,
    TableScorer,
    tie_order,
)
from darec.scoring.extending import extended
from darec.types import Interactions, Tables

faiss = pytest.importorskip("faiss", reason="faiss is not installed (darec[serve])")

USERS, ITEMS, WIDTH = 60, 4_000, 8


def table(n: int = ITEMS, seed: int = 0, copies: int = 1) -> Any:
    """Rows whose norms are log-normal, as those of trained items are; some rows several times over."""
    draw = np.random.default_rng(seed)
    rows = draw.standard_normal((n // copies, WIDTH)) * draw.lognormal(0, 0.5, (n // copies, 1))
    return np.repeat(rows, copies, axis=0).astype(np.float32)


def shop(scorer: str = "tables", *, copies: int = 1, items: int = ITEMS) -> Run:
    draw = np.random.default_rng(1)
    pairs = np.repeat(np.arange(USERS - 1), 15), draw.integers(0, items, 15 * (USERS - 1))
    train = Interactions.from_pairs(*pairs, USERS, items)  # the last user has nothing
    empty = Interactions.from_pairs(*np.zeros((2, 0), np.int64), USERS, items)
    ids = IdMap("user", range(USERS), "int64"), IdMap("item", range(items), "int64")
    titles = pl.DataFrame(
        {"item_id": ids[1].texts, "title": [f"Item {n}" for n in range(items)], "text": None},
        {"item_id": pl.String, "title": pl.String, "text": pl.String},
    )
    extra = pl.DataFrame({"item_id": ids[1].texts, "price": np.arange(items)}).lazy()
    data = Dataset(*ids, train, empty, empty, titles, extra=extra)
    users = draw.standard_normal((USERS, WIDTH)).astype(np.float32)
    users[-1] = 0
    tables = Tables(torch.from_numpy(users), torch.from_numpy(table(items, copies=copies)))
    return Run(resolve_config(), data, scorers(data, tables)[scorer], {})


def scorers(data: Dataset, tables: Tables) -> dict[str, Scorer]:
    ties, size = data.items.tie_order, data.n_items
    draw = np.random.default_rng(2)
    places = draw.choice(size * size, size * size // 200, replace=False)
    weights = draw.uniform(-3, 3, len(places)).astype(np.float32)  # some push items down
    B = sparse.csr_array((weights, np.divmod(places, size)), (size, size))
    train = data.train
    ones = np.ones(len(train), np.float32)
    histories = sparse.csr_array((ones, (train.users, train.items)), (data.n_users, size))
    inner, memory = TableScorer(tables, ties), MatrixScorer(B, histories, ties)
    popularity = np.random.default_rng(3).exponential(1, size).astype(np.float32)
    popular = PopularityScorer(data.n_users, torch.from_numpy(popularity), ties)
    dense = MatrixScorer(np.zeros((size, size), np.float32), histories, ties)
    return {
        "tables": inner,
        "matrix": memory,
        "popular": AddedScorer([inner, popular], [0.8, 1]),
        "both": AddedScorer([inner, memory], [0.8, 1.5]),
        "all": AddedScorer([inner, popular, memory], [0.8, 1, 1.5]),
        "dense": AddedScorer([inner, dense], [1, 1]),
    }


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return darec.export_bundle(shop(), tmp_path_factory.mktemp("index") / "shop.darec").path


@pytest.fixture(scope="module")
def indexed(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("indexed") / "shop.darec"
    shutil.copytree(exported, path)
    index_bundle(path, "hnsw")
    return path


@pytest.fixture
def copy(indexed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(indexed, tmp_path / "copy.darec"))


def best(vectors: Any, ids: Any, query: Any, k: int) -> Any:
    return ids[np.argsort(-(vectors @ query), kind="stable")[:k]]


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_an_index_finds_the_largest_inner_products(kind: Any) -> None:
    vectors, queries = table(), table(20, seed=5)
    index = ItemIndex.build(vectors, kind, effort=None if kind == "flat" else 128)
    found, products = index.search(queries, 10)
    np.testing.assert_allclose(products, np.einsum("qd,qkd->qk", queries, vectors[found]), 1e-4)
    ids = np.arange(ITEMS)
    shares = [
        np.isin(best(vectors, ids, query, 10), row).mean()
        for query, row in zip(queries, found, strict=True)
    ]
    assert np.mean(shares) > 0.98 and (kind != "flat" or np.mean(shares) == 1)
    some = np.flatnonzero(ids % 3 == 0)
    found, _ = index.search(queries, 10, some)
    assert (found % 3 == 0).all()
    shares = [
        np.isin(best(vectors[some], some, query, 10), row).mean()
        for query, row in zip(queries, found, strict=True)
    ]
    assert np.mean(shares) > 0.95
    found, products = index.search(queries, 10, np.array([7, 9]))
    assert (np.sort(found[:, :2]) == [7, 9]).all() and (found[:, 2:] == -1).all()
    assert np.isneginf(products[:, 2:]).all()
    assert (index.search(queries, 3, np.zeros(0, np.int64))[0] == -1).all()


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["flat", "hnsw", "ivf"]),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=5),
    seed=st.integers(0, 100),
)
def test_items_come_and_go(kind: Any, steps: list[tuple[bool, int]], seed: int) -> None:
    """After any additions and removals, an index of all effort finds what a sort of what is there finds."""
    draw = np.random.default_rng(seed)
    there = dict(enumerate(table(160, seed)))
    index = ItemIndex.build(np.array(list(there.values())), kind, effort=1000)
    for adding, n in steps:
        if adding:
            new = [int(one) for one in draw.permutation(2000) if one not in there][:n]
            rows = table(n, int(draw.integers(1000)))
            index.add(new, rows)
            there |= dict(zip(new, rows, strict=True))
        else:
            gone = draw.permutation(list(there))[: min(n, len(there) - 1)]
            index.remove(gone)
            for one in gone:
                del there[int(one)]
    assert len(index) == len(there)
    vectors, ids = np.array(list(there.values())), np.array(list(there))
    query = table(1, seed + 1)[0]
    k = min(5, len(there))
    found, _ = index.search(query[None], k)
    np.testing.assert_array_equal(found[0], best(vectors, ids, query, k))


def test_what_an_index_refuses(tmp_path: Path) -> None:
    index = ItemIndex.build(table(100), "hnsw")
    for ids, rows in (([5], table(1)), ([200, 200], table(2)), ([-1], table(1)), ([300], table(2))):
        with pytest.raises(DataError):
            index.add(ids, rows)
    with pytest.raises(DataError, match="finite"):
        index.add([300], np.full((1, WIDTH), np.nan, np.float32))
    with pytest.raises(DataError, match="item 100 is not in the index"):
        index.remove([3, 100])
    assert len(index) == 100
    index.add([300], table(1))
    with pytest.raises(DataError, match="cannot be saved"):
        index.save(tmp_path / "x")
    with pytest.raises(ConfigError, match="no kind of index"):
        ItemIndex.build(table(10), "lsh")  # type: ignore[arg-type]


@pytest.mark.parametrize(("scorer", "kind"), [("tables", "hnsw"), ("both", "ivf"), ("all", "hnsw")])
def test_lists_are_those_of_exact_ranking(scorer: str, kind: Any, tmp_path: Path) -> None:
    """With all effort nothing is left out; scores, order, ties and what is left out are the scorer's."""
    darec.export_bundle(shop(scorer, copies=4), tmp_path / "b")
    bundle = index_bundle(tmp_path / "b", kind, recall=1)
    exact = darec.open_bundle(tmp_path / "b", index=False)
    assert bundle.manifest["index"]["kind"] == kind
    searched = count_searches(bundle)
    search: Any = bundle.search
    search.items.effort = 1024
    found, lists = search._found, []
    search._found = lambda *given: lists.append(found(*given)) or lists[-1]
    for options in ({}, {"exclude_seen": False}, {"where": "price >= 200"}, {"diversity": 0.3}):
        ours, theirs = (
            one.recommend(k=7, **options).to_polars()  # type: ignore[arg-type]
            for one in (bundle, exact)
        )
        assert ours.select("user_id", "rank").equals(theirs.select("user_id", "rank"))
        both = ours.join(theirs, on=["user_id", "item_id"], maintain_order="left")
        assert len(both) > 0.98 * len(theirs), options
        np.testing.assert_allclose(both["score"], both["score_right"], rtol=1e-4, atol=1e-4)
        steps = both.select(pl.col("rank_right").diff().over("user_id")).drop_nulls()
        assert "diversity" in options or (steps > 0).to_series().all(), "in the same order"
    scored_all = sum(one is None for one in lists)
    assert scored_all < 0.1 * len(lists), "the index served hardly anybody"
    assert bundle.recommend_for([3, 9], 5) == exact.recommend_for([3, 9], 5)
    assert [one.item_id for one in bundle.similar(77, 6)] == [
        one.item_id for one in exact.similar(77, 6)
    ]
    assert len(searched) >= len(lists) - scored_all


def count_searches(bundle: Any) -> list[int]:
    """A list that grows with each search, and measures by the index whatever it costs."""
    searched: list[int] = []
    for index in (bundle.search.items, bundle.search.alike):
        if index is not None:
            inner = index.search
            index.search = lambda *given, inner=inner: searched.append(1) or inner(*given)
    bundle.search.always = True
    return searched


def test_the_manifest_says_what_was_measured(indexed: Path) -> None:
    bundle = darec.open_bundle(indexed)
    about = bundle.manifest["index"]
    assert about["kind"] == "hnsw" and about["faiss"] == faiss.__version__
    assert about["parameters"] == {"links": 32, "build": 80}
    exact = darec.open_bundle(indexed, index=False)
    assert bundle.search.items.effort == about["effort"]["index.faiss"]  # type: ignore[attr-defined]
    count_searches(bundle)
    lists = [one.recommend(k=20).to_polars().rows_by_key("user_id") for one in (bundle, exact)]
    shares = [
        len({row[1] for row in lists[0][user]} & {row[1] for row in lists[1][user]}) / 20
        for user in range(USERS - 1)
    ]
    assert np.mean(shares) == pytest.approx(about["recall"]["found"]["index.faiss"], abs=1e-4)
    assert np.mean(shares) >= 0.98


def test_a_filter_is_searched_or_scored_by_its_size(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.export.index._STEP", 25)
    monkeypatch.setattr("darec.export.index._START", 0)
    bundle = darec.open_bundle(indexed)
    search: Any = bundle.search
    searched = count_searches(bundle)
    search.always = False
    search.items.effort = 16
    exact = darec.open_bundle(indexed, index=False)
    for where, by_index in (("price < 40", False), ("price < 1000", False), ("price >= 40", True)):
        del searched[:]
        ours, theirs = (one.recommend(5, 4, where=where) for one in (bundle, exact))
        assert bool(searched) == by_index, where
        assert [one.item_id for one in ours] == [one.item_id for one in theirs]
    del searched[:]
    assert bundle.recommend(5, 3000) == exact.recommend(5, 3000) and not searched
    with pytest.raises(ConfigError, match="larger than the catalogue"):
        bundle.recommend(5, ITEMS + 1)


def test_a_user_of_whom_nothing_is_known_gets_the_exact_list(indexed: Path) -> None:
    bundle, exact = darec.open_bundle(indexed), darec.open_bundle(indexed, index=False)
    count_searches(bundle)
    assert bundle.recommend(USERS - 1, 5) == exact.recommend(USERS - 1, 5)


def test_a_scorer_of_other_items_is_not_searched(indexed: Path) -> None:
    """What is made of a bundle's scorer for one question may have rows of its own."""
    bundle = darec.open_bundle(indexed)
    searched = count_searches(bundle)
    tables = bundle.scorer.tables  # type: ignore[attr-defined]
    other = TableScorer(Tables(tables.users, -tables.items), bundle.scorer.ties)
    users = np.arange(3)
    ours = bundle.search.top_k(other, users, 5, None, bundle.seen)
    np.testing.assert_array_equal(ours[0], other.top_k(users, 5, exclude=bundle.seen)[0])
    assert not searched
    same = TableScorer(tables, bundle.scorer.ties)
    bundle.search.top_k(same, users, 5, None, bundle.seen)
    assert searched


@pytest.mark.parametrize("scorer", ["tables", "popular", "both"])
def test_new_items_are_found_beside_the_indexed_ones(scorer: str, tmp_path: Path) -> None:
    """Those that a server takes between two bundles."""
    run = shop(scorer)
    darec.export_bundle(run, tmp_path / "b")
    bundle = index_bundle(tmp_path / "b", "hnsw")
    rows = 3 * table(40, seed=7)
    ties = tie_order(range(ITEMS + 40))
    weights = sparse.csr_array((np.ones(40, np.float32), (range(40), range(40))), (40, ITEMS))
    grown = extended(bundle.scorer, rows, weights, ties)
    grown.trusted = True
    search = bundle.search.extended(grown)  # type: ignore[attr-defined]
    users = np.arange(USERS - 1)
    exact = grown.top_k(users, 10)[0]
    if scorer == "both":  # neighbours stand for new items there
        assert type(search) is Search
        return
    search.always = True
    found = search.top_k(grown, users, 10, None, None)[0]
    shares = [np.isin(one, other).mean() for one, other in zip(exact, found, strict=True)]
    assert np.mean(shares) > 0.97 and (found >= ITEMS).any()
    assert len(bundle.search.items) == ITEMS, "the bundle's own is as it was"  # type: ignore[attr-defined]
    if scorer == "tables":
        near = search.similar(grown, ITEMS + 3, 5).items
        np.testing.assert_array_equal(near, EXACT.similar(grown, ITEMS + 3, 5).items)


def test_additions_to_the_folder_are_whole_or_not_there(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (copy / "manifest.json").read_bytes()

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("darec.export.indexing.marker_text", killed)
        index_bundle(copy, "ivf")
    assert (copy / "manifest.json").read_bytes() == before
    assert darec.open_bundle(copy).manifest["index"]["kind"] == "hnsw"
    assert sorted(one.name for one in copy.iterdir() if one.name.startswith(".")) == []
    open_before = darec.open_bundle(copy)
    lists = open_before.recommend(3, 5)
    assert index_bundle(copy, "ivf").manifest["index"]["kind"] == "ivf"
    assert open_before.recommend(3, 5) == lists, "what is open keeps its own"
    flat = index_bundle(copy, "flat")
    assert flat.manifest["index"]["kind"] == "flat"
    assert not list(copy.glob("*.faiss")) and darec.open_bundle(copy).recommend(3, 5)
    assert set(flat.manifest["files"]) == {one.name for one in copy.iterdir()} - {"manifest.json"}


def test_a_bundle_that_is_replaced_meanwhile_gets_no_index_of_the_old_one(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import darec.export.indexing as indexing

    build = indexing._choose

    def slowly(*given: Any) -> Any:
        made = build(*given)
        darec.export_bundle(shop(copies=2), copy, overwrite=True)
        return made

    monkeypatch.setattr(indexing, "_choose", slowly)
    with pytest.raises(FolderError, match="was replaced while its index was built"):
        index_bundle(copy, "hnsw")
    new = darec.open_bundle(copy)
    assert "index" not in new.manifest and not list(copy.glob("*.faiss"))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ignores SIGXFSZ as Python does")
def test_a_full_disk_is_told_in_one_line_and_leaves_the_bundle(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the limit of the system on the size of a file: faiss, polars and safetensors each say it in their own way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    run = shop()
    for limit in (3_000, 20_000, 60_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OSError, match="File too large") as caught:
                index_bundle(copy, "ivf")
            with pytest.raises(OSError, match="File too large"):
                darec.export_bundle(run, tmp_path / "new")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.filename
    assert darec.open_bundle(copy).manifest["index"]["kind"] == "hnsw"
    assert not (tmp_path / "new" / "manifest.json").exists()
    assert darec.export_bundle(run, tmp_path / "new").recommend(3, 5)


def rewritten(path: Path, **changes: Any) -> None:
    """Change what the manifest says of the index, with a hash that is right."""
    about = json.loads((path / "manifest.json").read_text())
    about["index"] |= changes
    about["files"] = {
        name: {"bytes": (path / name).stat().st_size, "sha256": manifests._hash(path / name)}
        for name in about["files"]
    }
    (path / "manifest.json").write_text(manifests.marker_text(manifests._sealed(about)))


@pytest.mark.parametrize("name", ["index.faiss", "similar.faiss"])
@pytest.mark.parametrize("verify", [True, False])
def test_a_changed_index_is_refused_before_it_is_read(copy: Path, name: str, verify: bool) -> None:
    content = bytearray((copy / name).read_bytes())
    for place in (0, 5, 40, len(content) // 2, len(content) - 1):
        content[place] ^= 1
        (copy / name).write_bytes(content)
        with pytest.raises(RunError, match=f"{name} was changed after the export"):
            darec.open_bundle(copy, verify=verify)
        content[place] ^= 1
    (copy / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        darec.open_bundle(copy, verify=verify)


def test_an_index_of_something_else_is_refused(copy: Path) -> None:
    file = copy / "index.faiss"
    rows = table()
    for index, said in (
        (ItemIndex.build(rows, "ivf"), "IndexIVFFlat"),
        (ItemIndex.build(rows[:-1], "hnsw"), "3,999 items by 8"),
        (ItemIndex.build(np.ascontiguousarray(rows[:, :4]), "hnsw"), "4,000 items by 4"),
    ):
        index.save(file)
        rewritten(copy)
        with pytest.raises(RunError, match=f"{said}.*run 'darec index' again"):
            darec.open_bundle(copy)
    far = faiss.IndexHNSWFlat(WIDTH, 4)  # by distance
    far.add(rows)
    faiss.write_index(far, str(file))
    rewritten(copy)
    with pytest.raises(RunError, match="run 'darec index' again"):
        darec.open_bundle(copy)
    file.write_bytes(b"no index at all")
    rewritten(copy)
    with pytest.raises(RunError, match="cannot be read by faiss"):
        darec.open_bundle(copy)
    index_bundle(copy, "hnsw")  # the remedy
    rewritten(copy, version=3)
    with pytest.raises(RunError, match="version 3, and this darec reads 2"):
        darec.open_bundle(copy)
    rewritten(copy, version=2, scorer="another")
    with pytest.raises(RunError, match="made for another scorer"):
        darec.open_bundle(copy)


def test_an_export_over_it_takes_the_index_away(copy: Path) -> None:
    darec.export_bundle(shop(copies=2), copy, overwrite=True)
    bundle = darec.open_bundle(copy)
    assert "index" not in bundle.manifest and not list(copy.glob("*.faiss"))


def test_scorers_without_an_inner_product(tmp_path: Path) -> None:
    for scorer, said in (("matrix", "an item-item"), ("dense", "a dense item-item")):
        run = shop(scorer, items=200)
        darec.export_bundle(run, tmp_path / scorer)
        with pytest.raises(
            ConfigError, match=f"kind='hnsw' does not fit.*its scores have {said} matrix"
        ):
            index_bundle(tmp_path / scorer, "hnsw")
        made = index_bundle(tmp_path / scorer)
        assert made.manifest["index"]["kind"] == "flat"
        assert made.recommend(3, 4) == run.recommend(3, 4)


def popular(ratio: float, unit: bool) -> Run:
    """A shop whose popularity is skewed and spreads ``ratio`` times as far as the inner products."""
    run = shop()
    tables = run.scorer.tables  # type: ignore[attr-defined]
    rows = F.normalize(tables.items) if unit else tables.items
    counts = np.random.default_rng(3).zipf(1.8, ITEMS).clip(max=5000)
    values = torch.from_numpy(np.log1p(counts)).float()
    inner = TableScorer(Tables(tables.users, rows), run.scorer.ties)
    weight = ratio * float((tables.users @ rows.T).std() / values.std())
    scorer = AddedScorer([inner, PopularityScorer(USERS, values, inner.ties)], [1, weight])
    return Run(run.config, run.dataset, scorer, {})


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("ratio", [0.3, 0.7, 2])
def test_popularity_does_not_hide_items(ratio: float, unit: bool) -> None:
    """With one entry for all catalogues, the few popular items were neighbours of all, and others were not found."""
    scorer = popular(ratio, unit).scorer
    parts = Indexable.of(scorer)
    index = ItemIndex.build(parts.items(), "hnsw", effort=256)
    queries = np.concatenate([parts.user(parts, user) for user in range(USERS)])
    found, products = index.search(queries, 20)
    exact, scores = scorer.top_k(k=20)
    shares = [np.isin(one, other).mean() for one, other in zip(exact, found, strict=True)]
    assert np.mean(shares) > 0.98
    np.testing.assert_allclose(products[:, 0], scores[:, 0], rtol=1e-4)


def test_the_entry_for_popularity_is_kept_with_the_index(tmp_path: Path) -> None:
    """It is measured by rows of users, which another scorer over the same items need not have."""
    darec.export_bundle(popular(0.7, True), tmp_path / "b")
    made = index_bundle(tmp_path / "b", "hnsw")
    parts = made.search.parts  # type: ignore[attr-defined]
    assert parts.scale == made.manifest["index"]["scale"] != 1
    assert Indexable.of(made.scorer).scale == pytest.approx(parts.scale)
    assert Indexable.of(made.scorer, 5.0).scale == 5


def index_auto(path: Path, monkeypatch: pytest.MonkeyPatch, **recalls: float | None) -> Any:
    """``auto`` for a bundle that counts as large, with users' recalls as given for each kind."""
    trial = trials.Trials.of_users

    def of_users(self: Any, kind: Any) -> Any:
        return replace(
            trial(self, kind), recall=recalls[kind], pays=kind not in recalls.get("slow", ())
        )

    monkeypatch.setattr("darec.export.indexing.FEW", 100)
    monkeypatch.setattr(trials.Trials, "of_users", of_users)
    return index_bundle(path).manifest["index"]


@pytest.mark.parametrize(
    ("recalls", "kind", "why"),
    [
        ({"hnsw": 0.99}, "hnsw", "hnsw: recall@20 0.9900 at effort "),
        ({"hnsw": 0.7, "ivf": 0.985}, "ivf", "below 0.98; ivf: recall@20 0.9850 at effort "),
        ({"hnsw": 0.7, "ivf": 0.9}, "flat", "ivf: recall@20 0.9000 at effort 64, below 0.98"),
        ({"hnsw": None, "ivf": None}, "flat", "hnsw: no user to measure it on"),
        (
            {"hnsw": 0.99, "ivf": 0.99, "slow": ("hnsw",)},
            "ivf",
            "longer than scoring all items; ivf",
        ),
    ],
)
def test_auto_takes_the_first_kind_that_finds_enough(
    recalls: Any,
    kind: str,
    why: str,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = Path(shutil.copytree(exported, tmp_path / "b"))
    about = index_auto(path, monkeypatch, **recalls)
    assert about["kind"] == kind and why in about["why"], about["why"]
    assert [one["kind"] for one in about["tried"]] == ["hnsw", "ivf"][
        : len(recalls) - ("slow" in recalls)
    ]
    assert darec.open_bundle(path).recommend(3, 5)
    assert (path / "index.faiss").exists() == (kind != "flat")


def test_auto_leaves_items_like_one_exact_where_their_index_finds_too_few(
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path(shutil.copytree(exported, tmp_path / "b"))
    alike = trials.Trials.alike
    monkeypatch.setattr(trials.Trials, "alike", lambda *given: replace(alike(*given), recall=0.5))
    index_auto(path, monkeypatch, hnsw=0.99)
    assert not (path / "similar.faiss").exists() and (path / "index.faiss").exists()
    assert call("index", path) == 0
    said = capsys.readouterr().out
    assert "items like one: ranked exactly (recall@20 0.5000 at effort" in said, said
    index_bundle(path, "hnsw")
    assert (path / "similar.faiss").exists(), "what was asked for is made"


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
@pytest.mark.parametrize("items", [1, 2, 30])
def test_small_catalogues(kind: Any, items: int, tmp_path: Path) -> None:
    run = shop(items=items)
    darec.export_bundle(run, tmp_path / "b")
    bundle = index_bundle(tmp_path / "b", kind)
    assert bundle.recommend(3, items) == run.recommend(3, items)
    assert bundle.similar(0, items) == run.similar(0, items)


def test_nobody_to_measure_it_on_and_nothing_to_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shop(items=300)
    none = np.zeros(0, np.int64)
    for size in (300, 0):
        items = IdMap("item", range(size), "int64")
        empty = Interactions.from_pairs(none, none, USERS, size)
        titles = run.dataset.catalogue.head(size)
        data = Dataset(run.dataset.users, items, empty, empty, empty, titles)
        tables = run.scorer.tables  # type: ignore[attr-defined]
        scorer = TableScorer(Tables(tables.users, tables.items[:size]), items.tie_order)
        out = tmp_path / str(size)
        darec.export_bundle(Run(run.config, data, scorer, {}), out)
        assert call("index", out) == 0
        if size:
            assert call("index", out, "--kind", "hnsw") == 0
            assert "lists of users: no user to measure it on" in capsys.readouterr().out
        else:
            assert "has no items" in refused(capsys, "index", out, "--kind", "ivf")


def test_without_faiss(copy: Path, exported: Path, tmp_path: Path, monkeypatch: Any) -> None:
    path = Path(shutil.copytree(exported, tmp_path / "bare"))
    monkeypatch.setitem(sys.modules, "faiss", None)
    for call_ in (lambda: darec.open_bundle(copy), lambda: index_bundle(path, "hnsw")):
        with pytest.raises(ConfigError, match=r"needs faiss.*darec\[serve\]"):
            call_()
    exact = darec.open_bundle(copy, index=False).recommend(3, 5)
    assert index_bundle(path).recommend(3, 5) == exact
    index_bundle(copy, "flat")
    assert darec.open_bundle(copy).recommend(3, 5) == exact


def test_the_command(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(shutil.copytree(exported, tmp_path / "b"))
    assert call("index", path) == 0
    assert (
        "4,000 items, ranked exactly, without an index (below 100,000 items all are scored"
        in capsys.readouterr().out
    )
    assert call("index", path, "--kind", "hnsw") == 0
    said = capsys.readouterr()
    assert "hnsw, " in said.out and "lists of users: recall@20 " in said.out
    assert "building an index of 4,000 items (hnsw)" in said.err
    assert "scoring all items is faster" in said.err
    assert call("index", path, "--kind", "ivf", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "ivf"
    assert call("recommend", path, "--user", "3", "--format", "json") == 0
    assert "--recall=2.0: choose a share" in refused(capsys, "index", path, "--recall", 2)
    assert "no bundle at" in refused(capsys, "index", tmp_path / "nothing")
    (path / "index.faiss").write_bytes(b"x")
    assert "index.faiss was changed after the export" in refused(
        capsys, "similar", path, "--item", 3
    )
