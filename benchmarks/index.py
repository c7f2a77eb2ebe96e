"""Indexes of items by inner product: how long to build, how large, what they find, and how fast.

``python -m benchmarks.index`` takes about two minutes on one thread and writes the table of docs/production.md. Rows
are random, of 64 columns, and their norms log-normal, like those of trained items. Random rows have no clusters, which
is hard for an index. Each has the least effort whose recall is 0.98, or the most there is.
"""

from __future__ import annotations

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
from darec.export.index import EFFORTS, ItemIndex
from darec.export.search import Indexable, IndexSearch
from darec.ids.idmap import IdMap
from darec.numerics.vector_index import Kind
from darec.run import Run
from darec.scoring import TableScorer
from darec.types import Interactions, Tables

SIZES, WIDTH, K, USERS, SEEN = (100_000, 300_000), 64, 20, 300, 20
RECALL, SPREAD = 0.98, 0.5  # of the logarithms of the norms
KINDS: tuple[Kind, ...] = ("flat", "hnsw", "ivf")


def shop(n_items: int) -> Run:
    """A run of random tables."""
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((n_items, WIDTH)) / np.sqrt(WIDTH)
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
    return Run(resolve_config(), data, TableScorer(tables, items.tie_order), {})


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
    scorer = bundle.scorer
    assert isinstance(scorer, TableScorer)
    started = time.process_time()
    index = ItemIndex.build(scorer.item_vectors(), kind)
    seconds = time.process_time() - started
    queries, found = scorer.tables.users.numpy(), 0.0
    for effort in EFFORTS[kind]:
        index.effort = effort
        lists = index.search(queries, K)[0]
        shares = [np.isin(one, other).mean() for one, other in zip(exact, lists, strict=True)]
        found = float(np.mean(shares))
        if found >= RECALL:
            break
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        size = (Path(folder) / "index").stat().st_size
    bundle.search = IndexSearch(Indexable.of(scorer), index)
    return {
        "kind": kind,
        "items": len(index),
        "build_seconds": round(seconds, 1),
        "mb": round(size / 1e6),
        "effort": index.effort,
        "recall@20": round(found, 4),
        "search_ms": milliseconds(lambda user: index.search(queries[[user]], K)),
        "recommend_ms": milliseconds(lambda user: bundle.recommend(user, K)),
    }


def main() -> None:
    """Measure, and write the results and the table."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    rows = []
    for n_items in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            bundle = darec.export_bundle(shop(n_items), Path(folder) / "b")
            exact = bundle.scorer.top_k(k=K)[0]
            rows += [measure(bundle, kind, exact) for kind in KINDS]
    write_result("index", {"rows": rows})
    table()


def table() -> None:
    """Write the table of docs/production.md from the results."""
    lines = [
        "| items | kind | build, s | MB | effort | recall@20 | search, ms | `recommend(user)`, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in load_result("index")["rows"]:
        exact = row["kind"] == "flat"
        cells = [
            f"{row['items']:,}",
            row["kind"],
            "" if exact else row["build_seconds"],
            "" if exact else row["mb"],
            "" if exact else row["effort"],
            "1" if exact else f"{row['recall@20']:.3f}",
            "" if exact else row["search_ms"],
            row["recommend_ms"],
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    write_between(RESULTS.parents[1] / "docs" / "production.md", "index", "\n".join(lines))


if __name__ == "__main__":
    main()
