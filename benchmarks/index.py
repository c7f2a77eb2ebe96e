"""Indexes of items by inner product: how long to build, how large, what they find, and how fast.

``python -m benchmarks.index`` takes about a quarter of an hour on one thread and writes the tables of
docs/production.md; ``--sizes``, ``--kinds`` and ``--popularity`` measure some, and the other rows stay. Rows are
random, of 64 columns, and their norms log-normal, like those of trained items. Random rows have no clusters, which is
hard for an index. With popularity, each item has one as well, by a power law. Its logarithm is added to the scores, and
spreads 0.7 times as far as the inner products. Each index has the least effort whose recall is 0.98, or the most there
is.

``python -m benchmarks.index --entries`` compares a user's entries for popularity, in half a minute.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import polars as pl
import torch

import darec
from benchmarks.common import RESULTS, load_result, write_between, write_result
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.export import search
from darec.export.index import EFFORTS, ItemIndex
from darec.export.search import Indexable, IndexSearch
from darec.ids.idmap import IdMap
from darec.numerics.vector_index import Kind
from darec.run import Run
from darec.scoring import AddedScorer, PopularityScorer, Scorer, TableScorer
from darec.types import FloatArray, Interactions, Tables

SIZES, WIDTH, K, USERS, SEEN = (100_000, 300_000, 1_000_000), 64, 20, 300, 20
RECALL, SPREAD = 0.98, 0.5  # of the logarithms of the norms
POWER, RATIO = 1.8, 0.7  # of popularity: of its law, and its spread in those of the inner products
ENTRIES, FEW = (0.5, 1.0, 2.0, 4.0, 8.0), 20_000
KINDS: tuple[Kind, ...] = ("flat", "hnsw", "ivf")


def shop(n_items: int, *, popularity: bool = False, unit: bool = False) -> Run:
    """A run of random tables; with popularity beside them, or rows of unit length."""
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((n_items, WIDTH)) / np.sqrt(WIDTH)
    if not unit:
        rows *= draw.lognormal(0, SPREAD, (n_items, 1))
    users, items = IdMap("user", range(USERS), "int64"), IdMap("item", range(n_items), "int64")
    pairs = np.repeat(np.arange(USERS), SEEN), draw.integers(0, n_items, USERS * SEEN)
    none = np.zeros(0, np.int64)
    empty = Interactions.from_pairs(none, none, USERS, n_items)
    train = Interactions.from_pairs(*pairs, USERS, n_items)
    titles = pl.DataFrame(
        {"item_id": items.texts, "title": items.texts, "text": None},
        {"item_id": pl.String, "title": pl.String, "text": pl.String},
    )
    data = Dataset(users, items, train, empty, empty, titles)
    tables = Tables(torch.from_numpy(draw.standard_normal((USERS, WIDTH)).astype(np.float32)),
                    torch.from_numpy(rows.astype(np.float32)))  # fmt: skip
    scorer: Scorer = TableScorer(tables, items.tie_order)
    if popularity:
        counts = torch.from_numpy(draw.zipf(POWER, n_items).clip(max=n_items)).float().log1p()
        few = torch.from_numpy(draw.permutation(n_items)[:10_000])
        weight = RATIO * float((tables.users @ tables.items[few].T).std() / counts.std())
        popular = PopularityScorer(USERS, counts, items.tie_order)
        scorer = AddedScorer([scorer, popular], [1, weight])
    return Run(resolve_config(), data, scorer, {})


def queries_of(parts: Indexable) -> FloatArray:
    """[U, d] rows of the users, by which an index is searched."""
    return np.concatenate([parts.user(parts, user) for user in range(USERS)])


def recall_of(index: ItemIndex, queries: FloatArray, exact: Any) -> float:
    """Share of the exact lists that an index finds."""
    lists = index.search(queries, K)[0]
    return float(
        np.mean([np.isin(one, other).mean() for one, other in zip(exact, lists, strict=True)])
    )


def milliseconds(ask: Callable[[int], object]) -> float:
    """Median over users, of the processor."""
    took = []
    for user in range(USERS):
        started = time.process_time()
        ask(user)
        took.append(1000 * (time.process_time() - started))
    return round(statistics.median(took), 2)


def measure(bundle: darec.Bundle, kind: Kind, exact: Any) -> dict[str, Any]:
    """One index over the items of a bundle."""
    parts = Indexable.of(bundle.scorer)
    vectors, queries, found = parts.items(), queries_of(parts), 0.0
    started = time.process_time()
    index = ItemIndex.build(vectors, kind)
    seconds = time.process_time() - started
    for effort in EFFORTS[kind]:
        index.effort = effort
        found = recall_of(index, queries, exact)
        if found >= RECALL:
            break
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        size = (Path(folder) / "index").stat().st_size
    bundle.search = IndexSearch(parts, index)
    return {
        "kind": kind,
        "items": len(index),
        "popularity": isinstance(bundle.scorer, AddedScorer),
        "build_seconds": round(seconds, 1),
        "mb": round(size / 1e6),
        "effort": index.effort,
        "recall@20": round(found, 4),
        "search_ms": milliseconds(lambda user: index.search(queries[[user]], K)),
        "recommend_ms": milliseconds(lambda user: bundle.recommend(user, K)),
    }


def main() -> None:
    """Measure, and write the results and the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", action="store_true", help="compare entries for popularity")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--popularity", choices=("both", "with", "without"), default="both")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    if asked.entries:
        keep(entries=entries())
        return
    worlds = {"both": (False, True), "with": (True,), "without": (False,)}[asked.popularity]
    for n_items in asked.sizes:
        for popularity in worlds:
            with tempfile.TemporaryDirectory() as folder:
                run = shop(n_items, popularity=popularity)
                bundle = darec.export_bundle(run, Path(folder) / "b")
                exact = bundle.scorer.top_k(k=K)[0]
                for kind in asked.kinds:
                    keep(measure(bundle, kind, exact))


def entries() -> list[dict[str, Any]]:
    """What HNSW finds at one effort, for a user's entry of several sizes, in two catalogues."""
    rows = []
    for unit in (False, True):
        run = shop(FEW, popularity=True, unit=unit)
        exact = run.scorer.top_k(k=K)[0]
        base = Indexable.of(run.scorer)
        for entry in ENTRIES:
            parts = dataclasses.replace(base, made_by=base.scale * entry / search._POPULARITY)
            index = ItemIndex.build(parts.items(), "hnsw", effort=256)
            found = recall_of(index, queries_of(parts), exact)
            rows.append({"unit": unit, "entry": entry, "recall@20": round(found, 4)})
    return rows


def keep(row: dict[str, Any] | None = None, entries: list[dict[str, Any]] | None = None) -> None:
    """Write a row, in place of the one that it renews, or the comparison of entries; and the tables."""
    old = load_result("index")
    rows, known = old["rows"], old.get("entries", [])
    if row is not None:
        rows = [one for one in rows if _key(one) != _key(row)] + [row]
    write_result("index", {"rows": sorted(rows, key=_key), "entries": entries or known})
    table()


def _key(row: dict[str, Any]) -> tuple[int, bool, int]:
    return row["items"], row.get("popularity", False), KINDS.index(row["kind"])


def table() -> None:
    """Write the table of docs/production.md from the results."""
    lines = [
        "| items | popularity | kind | build, s | MB | effort | recall@20 | search, ms | `recommend(user)`, ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    result = load_result("index")
    for row in result["rows"]:
        exact = row["kind"] == "flat"
        cells = [
            f"{row['items']:,}",
            "beside" if row.get("popularity") else "",
            row["kind"],
            "" if exact else row["build_seconds"],
            "" if exact else row["mb"],
            "" if exact else row["effort"],
            "1" if exact else f"{row['recall@20']:.3f}",
            "" if exact else row["search_ms"],
            row["recommend_ms"],
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    if result.get("entries"):
        names = {False: "rows of log-normal length", True: "rows of unit length"}
        lines += ["", f"| entry for popularity | {' | '.join(names.values())} |", "|---|---|---|"]
        found = {(one["entry"], one["unit"]): one["recall@20"] for one in result["entries"]}
        lines += [
            f"| {one:g} | {' | '.join(f'{found[one, unit]:.3f}' for unit in names)} |"
            for one in ENTRIES
        ]
    write_between(RESULTS.parents[1] / "docs" / "production.md", "index", "\n".join(lines))


if __name__ == "__main__":
    main()
