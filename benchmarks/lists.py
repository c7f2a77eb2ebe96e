"""Lists of all users into a file: users a second, memory, and what each option costs, on random tables.

``python -m benchmarks.lists`` takes about two minutes on one thread and writes the table of docs/production.md. Tables
are of 100,000 items by default; users are few, because time grows with their number and memory is to show that it does
not.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks.common import RESULTS, load_result, write_between, write_result
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.ids.idmap import IdMap
from darec.listing import stream
from darec.memory import peak_rss_mb
from darec.run import Run
from darec.scoring import TableScorer
from darec.types import Interactions, Tables

ITEMS, WIDTH, K, SEEN = 100_000, 64, 20, 20
USERS = 3_000
PARTS = 2, 8  # of 1,000 users each, for the memory
OPTIONS: dict[str, dict[str, Any]] = {
    "as they are": {},
    '`--where "price < 50"` (half of the items)': {"where": "price < 50"},
    '`--where "price < 1"` (1 in 100)': {"where": "price < 1"},
    "`--exclude` (10 pairs a user)": {"exclude_pairs": 10},
    "`--diversity 0.5`": {"diversity": 0.5},
    "`--at-most 2 --per brand` (1,000 brands)": {"at_most": 2, "per": "brand"},
    "`--at-most 5 --per tags` (5 tags an item, of 200)": {"at_most": 5, "per": "tags"},
    "`--diversity 0.5 --at-most 2 --per brand`": {"diversity": 0.5, "at_most": 2, "per": "brand"},
}


def shop(n_users: int) -> Run:
    """A run with random tables, and items with fields."""
    draw = np.random.default_rng(0)
    pairs = [np.repeat(np.arange(n_users), SEEN), draw.integers(0, ITEMS, n_users * SEEN)]
    none = np.zeros(0, np.int64)
    train = Interactions.from_pairs(pairs[0], pairs[1], n_users, ITEMS)
    empty = Interactions.from_pairs(none, none, n_users, ITEMS)
    users, items = IdMap("user", range(n_users), "int64"), IdMap("item", range(ITEMS), "int64")
    fields = pl.DataFrame(
        {
            "item_id": items.texts,
            "price": draw.random(ITEMS) * 100,
            "brand": draw.integers(0, 1000, ITEMS),
            "tags": draw.integers(0, 200, (ITEMS, 5)).tolist(),
        }
    )
    titles = pl.DataFrame(
        {"item_id": items.texts, "title": [f"Item number {n}" for n in range(ITEMS)], "text": None},
        {"item_id": pl.String, "title": pl.String, "text": pl.String},
    )
    data = Dataset(users, items, train, empty, empty, titles, extra=fields.lazy())
    torch.manual_seed(0)
    tables = Tables(torch.randn(n_users, WIDTH), torch.randn(ITEMS, WIDTH))
    return Run(resolve_config(), data, TableScorer(tables, items.tie_order), {})


def measure(n_users: int, options: dict[str, Any], rows: int | None = None) -> dict[str, float]:
    """Seconds and memory of one file, in this process; ``rows``: in parts of so many."""
    if rows is not None:
        stream._ROWS = rows  # type: ignore[misc]
    run = shop(n_users)
    options = dict(options)
    if "exclude_pairs" in options:
        draw = np.random.default_rng(1)
        users = np.repeat(np.arange(n_users), options["exclude_pairs"])
        items = draw.integers(0, ITEMS, len(users))
        options["exclude_pairs"] = pl.DataFrame({"user": users, "item": items})
    run.recommend([0], K)
    before = peak_rss_mb()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lists.parquet"
        started = time.process_time()  # what else the machine does is no part of it
        run.recommend_all(out, K, progress=False, **options)
        seconds = time.process_time() - started
        size = out.stat().st_size
    return {
        "users": n_users,
        "seconds": round(seconds, 2),
        "users_a_second": round(n_users / seconds),
        "more_mb": round(peak_rss_mb() - before),
        "file_mb": round(size / 1e6, 1),
    }


def main() -> None:
    """Measure, and write the results and the table."""
    torch.set_num_threads(1)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = [
            {"options": name, **pool.apply(measure, (USERS, options))}
            for name, options in OPTIONS.items()
        ]
        more = [pool.apply(measure, (1000 * parts, {}, 1000 * K)) for parts in PARTS]
    write_result("lists", {"options": found, "memory": more})
    table()


def table() -> None:
    """Write the table of docs/production.md from the results."""
    found = load_result("lists")
    fastest = found["options"][0]
    lines = ["| options | users a second | ms a user |", "|---|---|---|"]
    lines += [
        f"| {row['options']} | {row['users_a_second']:,} | {1000 * row['seconds'] / row['users']:.2f} |"
        for row in found["options"]
    ]
    few, many = found["memory"]
    minutes = 1e6 / fastest["users_a_second"] / 60
    lines += [
        "",
        f"At this rate 1,000,000 users by 100,000 items take {minutes:.0f} minutes on one thread. In parts of 1,000 "
        f"users, memory beyond the run itself grew by {few['more_mb']:,} MB for {few['users']:,} users and by "
        f"{many['more_mb']:,} MB for {many['users']:,}.",
    ]
    write_between(RESULTS.parents[1] / "docs" / "production.md", "lists", "\n".join(lines))


if __name__ == "__main__":
    main()
