"""A run that goes on from its weights, against one that is trained anew: the study behind docs/studies/update.md.

    python -m benchmarks.update [--data games] [--runs runs/update]

The data have the order in each user's history and no times, so the next day is made of the histories' ends. Every
user's last interaction is what is to be found. Of the others, new are: all of a twentieth of the users, all with a
thirtieth of the items, and the last one of half of the other users. The rest is what the run was trained on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file

import darec
from benchmarks.common import RESULTS, SHARED, write_between, write_result
from darec.data.dataset import Dataset
from darec.graph.filters import matrix_of
from darec.model import Model
from darec.run import Run
from darec.scoring import Scorer, TableScorer
from darec.text import encode_dataset, load_text
from darec.types import Interactions, Tables
from darec.updating.start import Start

EPOCHS: Final = (1, 2, 3, 5)
FULL: Final = 6
SETTINGS: Final = {
    "backbone.dim": 64,
    "loss": "softmax",
    "train.epochs": FULL,
    "options.seed": 0,
    "options.threads": 1,
}
_VALIDATED: Final = 4000


def parted(folder: Path) -> pl.DataFrame:
    """``user_id``, ``item_id`` and ``part``: train or valid for the run, new, or test."""
    frame = pl.read_csv(
        folder / "interactions.csv", schema_overrides={"user_id": pl.String, "item_id": pl.String}
    )
    rng = np.random.default_rng(0)

    def some(column: str, share: float) -> list[str]:
        values = frame[column].unique(maintain_order=True)
        return values.sample(int(share * len(values)), seed=0).to_list()

    late_users, late_items = some("user_id", 1 / 20), some("item_id", 1 / 30)
    frame = frame.with_columns(
        back=pl.col("position").rank("ordinal", descending=True).over("user_id")
    )
    drawn = frame["user_id"].unique(maintain_order=True)
    of_user = pl.DataFrame({"user_id": drawn, "draw": rng.random(len(drawn))})
    frame = frame.join(of_user, on="user_id", maintain_order="left")
    share = _VALIDATED / len(drawn)
    late = pl.col("user_id").is_in(late_users) | pl.col("item_id").is_in(late_items)
    second = pl.col("back") == 2
    return frame.select(
        "user_id",
        "item_id",
        part=pl.when(pl.col("back") == 1)
        .then(pl.lit("test"))
        .when(late | (second & (pl.col("draw") < 0.5)))
        .then(pl.lit("new"))
        .when(second & (pl.col("draw") > 1 - share))
        .then(pl.lit("valid"))
        .otherwise(pl.lit("train")),
    )


def hits(listed: np.ndarray[Any, Any], test: Interactions) -> np.ndarray[Any, Any]:
    """[n] whether the item of each pair of ``test`` is in its user's list."""
    return np.asarray((listed[test.users] == test.items[:, None]).any(axis=1))


class Problem:
    """Who is to find what, by the rows of the grown dataset."""

    def __init__(self, frame: pl.DataFrame, base: Dataset, grown: Dataset) -> None:
        self.base, self.grown = base, grown
        test = frame.filter(pl.col("part") == "test")
        users, items = grown.users.find(test["user_id"]), grown.items.find(test["item_id"])
        met = (users >= 0) & (items >= 0)
        self.test = Interactions.from_pairs(users[met], items[met], grown.n_users, grown.n_items)
        self.has = grown.train.union(grown.valid)
        touched = np.isin(self.test.users, np.setdiff1d(self._touched(), self._joined()))
        joined = self.test.users >= base.n_users
        self.groups = {
            "all": np.ones(len(self.test), np.bool_),
            "nothing new of theirs": ~touched & ~joined,
            "one more item": touched,
            "new users": joined,
            "a new item to find": self.test.items >= base.n_items,
        }

    def _touched(self) -> np.ndarray[Any, Any]:
        degree = self.grown.train.user_degree[: self.base.n_users]
        return np.flatnonzero(degree > self.base.train.user_degree)

    def _joined(self) -> np.ndarray[Any, Any]:
        return np.arange(self.base.n_users, self.grown.n_users)

    def found(self, scorer: Scorer, n_items: int | None = None) -> dict[str, float]:
        """Recall@20 by group; ``n_items``: only the first so many items are listed."""
        candidates = None if n_items is None else np.arange(n_items)
        listed, _ = scorer.top_k(k=20, candidates=candidates, exclude=self.has)
        hit = hits(listed, self.test)
        return {name: float(hit[group].mean()) for name, group in self.groups.items()}


def without_update(run: Run, grown: Dataset) -> Scorer:
    """The old tables; new users are folded in, and new items, which are never listed, have zeros."""
    assert isinstance(run.scorer, TableScorer)
    old = run.tables
    histories = matrix_of(grown.train)[run.dataset.n_users :][:, : run.dataset.n_items]
    joined = run.scorer.for_histories(histories).tables.users
    blank = torch.zeros(grown.n_items - run.dataset.n_items, old.items.shape[1])
    tables = Tables(torch.cat([old.users, joined]), torch.cat([old.items, blank]))
    return TableScorer(tables, grown.items.tie_order)


def at_start(run: Run, grown: Dataset) -> Scorer:
    """Where an update starts, before its first epoch."""
    text = load_text(grown)
    generator = torch.Generator().manual_seed(0)
    model = Model(run.config, grown.train, text, generator)
    assert run.path is not None
    weights = load_file(run.path / "model.safetensors")
    Start(weights, run.dataset.n_users, run.dataset.n_items, grown.train, text)(model)
    return TableScorer(model.tables(), grown.items.tie_order)


def timed(work: Callable[[], Run]) -> tuple[Run, float]:
    """A run and the processor's seconds that it took."""
    started = time.process_time()
    return work(), time.process_time() - started


def page(result: dict[str, Any]) -> str:
    """The table, as Markdown."""
    rows = result["rows"]
    groups = list(rows[0]["recall"])
    heads = [f"{name} ({result['counts'][name]:,})" for name in groups]
    lines = [
        " | ".join(["| ", "share of the cost", *heads, "lists as before |"]),
        "|---|---|" + "---|" * (len(groups) + 1),
    ]
    whole = next(row["seconds"] for row in rows if row["name"].startswith("trained anew"))
    for row in rows:
        cost = f"{row['seconds'] / whole:.0%}" if row["seconds"] else ""
        values = " | ".join(f"{row['recall'][name]:.4f}" for name in groups)
        kept = f"{row['overlap']:.0%}" if row.get("overlap") is not None else ""
        lines.append(f"| {row['name']} | {cost} | {values} | {kept} |")
    return "\n".join(lines)


def main() -> None:
    """Train, update, train anew, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="games")
    parser.add_argument("--runs", type=Path, default=Path("runs/update"))
    arguments = parser.parse_args()
    folder, place = SHARED / arguments.data, arguments.runs / arguments.data
    frame = parted(folder)
    first = frame.filter(pl.col("part").is_in(["train", "valid"])).rename({"part": "split"})
    items = pl.read_ndjson(folder / "items.jsonl")
    known = items.filter(pl.col("item_id").is_in(first["item_id"].unique().implode()))
    options = {"overwrite": True, "users_without_train": "drop"}
    base = darec.load_dataset(first, known, out=place / "data", **options)
    encode_dataset(base, f"file:{folder / 'item_embeddings_minilm.npy'}", progress=False)
    how: dict[str, Any] = {"alignment": "darec", "settings": SETTINGS, "progress": False}
    run, seconds = timed(lambda: darec.fit(base, out=place / "run", overwrite=True, **how))
    print("trained", seconds, run.metrics["valid/recall@20"], run.metrics["best_epoch"], flush=True)
    new = frame.filter(pl.col("part") == "new").select("user_id", "item_id")
    later = items.filter(pl.col("item_id").is_in(new["item_id"].unique().implode()))
    rows: list[dict[str, Any]] = []
    problem: Problem | None = None
    for epochs in EPOCHS:
        updated, seconds = timed(
            lambda epochs=epochs: darec.update(  # type: ignore[misc]
                run,
                new,
                later,
                epochs=epochs,
                out=place / f"update-{epochs}",
                overwrite=True,
                progress=False,
            )
        )
        if problem is None:
            grown = updated.dataset
            problem = Problem(frame, base, grown)
            before = problem.found(without_update(run, grown), base.n_items)
            rows.append({"name": "no update", "seconds": 0.0, "recall": before})
            start = problem.found(at_start(run, grown))
            rows.append({"name": "where it starts", "seconds": 0.0, "recall": start})
            counts = {name: int(group.sum()) for name, group in problem.groups.items()}
        row = {
            "name": f"updated, {epochs} epochs",
            "seconds": seconds,
            "recall": problem.found(updated.scorer),
            "overlap": updated.metrics["update/overlap@10"],
        }
        rows.append(row)
        print(rows[-1], flush=True)
    anew, seconds = timed(lambda: darec.fit(updated.dataset, **how))
    assert problem is not None
    rows.append(
        {
            "name": f"trained anew, {FULL} epochs",
            "seconds": seconds,
            "recall": problem.found(anew.scorer),
        }
    )
    added = {
        name: updated.metrics[f"update/{name}"]
        for name in ("new_interactions", "new_users", "new_items")
    }
    result = {"added": added, "known": len(base.train), "counts": counts, "rows": rows}
    write_result("update", result)
    document = RESULTS.parents[1] / "docs" / "studies" / "update.md"
    write_between(document, "table", page(result))


if __name__ == "__main__":
    main()
