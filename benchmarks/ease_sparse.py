"""EASE over candidates against EASE, and how it grows.

    python -m benchmarks.ease_sparse [toys] [10000 100000 ...] [processes]

On toys: recall, NDCG, seconds and entries of ``ease`` and of ``ease_sparse`` by number of candidates, without text and
with L3AE, on the same threads. Then seconds and peak memory on synthetic data of growing size, each in a process of its
own, with the slope of the logarithms; ``--sample 20`` counts all pairs but solves only every 20th block of columns,
and multiplies the seconds of these. Items and users are as many; users have 10 items on average, log-normally; items
are drawn from communities of about 1,000, or in three of ten cases from all, by a power law. Then one process of one
thread and two of one thread each in turn, A B A B, at 10,000 items.

Writes results/ease_sparse.json, keeping the rows that it did not measure again, and the tables of
docs/studies/ease-sparse.md; ``--tables`` writes these alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from scipy import stats

from benchmarks.common import (
    RESULTS,
    SHARED,
    load_result,
    ratio,
    resident_mb,
    shared_dataset,
    write_between,
    write_result,
)
from darec.backbones import ease_sparse
from darec.backbones.closed_form import ClosedFormInputs, matrix_of
from darec.backbones.ease_sparse import EASESparse, EASESparseConfig
from darec.config import resolve_config
from darec.evaluation.evaluate import Evaluator
from darec.numerics.structure import Structure
from darec.processes.joining import STORE, joined
from darec.text import embed
from darec.training import make_trainer
from darec.types import Interactions

SIZES: Final = (10_000, 100_000, 1_000_000)
SHARED_OUT: Final = 10_000
"""Items of the problem that several processes solve together."""
ROUNDS: Final = 3
CANDIDATES: Final = (50, 100, 200, 500)
PAGE: Final = RESULTS.parents[1] / "docs" / "studies" / "ease-sparse.md"
_MEAN, _SPREAD, _COMMUNITY, _STRAY = 10, 0.8, 1000, 0.3


def power_law(items: int, seed: int = 0) -> Interactions:
    """As many users as items, in communities; see the module."""
    rng = np.random.default_rng(seed)
    degrees = rng.lognormal(np.log(_MEAN) - _SPREAD**2 / 2, _SPREAD, items).round().clip(2, 1000)
    users = np.arange(items).repeat(degrees.astype(int))

    def ranks(size: int, count: int) -> Any:  # by a density that falls as rank^-0.8
        return (size * rng.random(count) ** 5).astype(np.int64)

    communities = max(1, items // _COMMUNITY)
    size = items // communities
    own = ranks(size, len(users)) * communities + users % communities
    drawn = np.where(rng.random(len(users)) < _STRAY, ranks(items, len(users)), own)
    return Interactions.from_pairs(users, drawn, items, items)


def grown(items: int, threads: int) -> dict[str, Any]:
    """Seconds and memory of one size, in this process."""
    train = power_law(items)
    before = resident_mb("VmRSS")
    started, worked = time.perf_counter(), time.process_time()
    with joined() as group:
        inputs = ClosedFormInputs(train, np.arange(items), threads=threads, group=group)
        scorer = EASESparse(EASESparseConfig(ridge=100.0)).fit(inputs)
    return {
        "items": items,
        "interactions": len(train),
        "entries": len(scorer.arrays()["matrix.data"]),
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - worked, 1),
        "peak_mb": round(resident_mb("VmHWM") - before),
        "threads": threads,
    }


def sampled(items: int, every: int) -> dict[str, Any]:
    """The same of one thread, from every so manieth block of columns; its memory is without the other columns."""
    train = power_law(items)
    before = resident_mb("VmRSS")
    clocks = time.perf_counter, time.process_time
    started = [clock() for clock in clocks]
    problem = ease_sparse._Problem(EASESparseConfig(ridge=100.0), matrix_of(train), Structure())
    counted = [clock() for clock in clocks]
    size = ease_sparse._BLOCK
    solved = range(every // 2 * size, items, every * size)  # not the first one, of the most popular
    entries = 0
    for start in solved:
        block = problem.columns(range(start, min(start + size, items)))
        entries += len(block["rows"])
    times = -(-items // size) / len(solved)
    seconds, cpu_seconds = (
        middle - first + times * (clock() - middle)
        for clock, first, middle in zip(clocks, started, counted, strict=True)
    )
    return {
        "items": items,
        "interactions": len(train),
        "entries": round(times * entries),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "peak_mb": round(resident_mb("VmHWM") - before),
        "threads": 1,
        "sample": every,
    }


def together(size: int) -> tuple[float, float]:
    """Seconds in which so many processes of one thread solve one problem, and CPU seconds of the busiest of them.

    Without their start. On a machine that does other work, two processes get twice the share of its cores that one
    gets, so that the seconds alone flatter them; CPU seconds do not.
    """
    command = [sys.executable, "-m", "benchmarks.ease_sparse", str(SHARED_OUT), "--here"]
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for rank in range(size):
            ranks = {"RANK": str(rank), "WORLD_SIZE": str(size), STORE: f"{folder}/store"}
            processes.append(
                subprocess.Popen(
                    [*command, "--threads", "1"],
                    env={**os.environ, **ranks, "OMP_NUM_THREADS": "1"},
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        said = [process.communicate()[0] for process in processes]
    figures = [json.loads(text) for text in said]
    return figures[0]["seconds"], max(one["cpu_seconds"] for one in figures)


def divided() -> dict[str, Any]:
    """Seconds of one process and of two in turn, and how many times less CPU time the busier of two has."""
    seconds: dict[str, list[float]] = {"one": [], "two": []}
    busy: dict[str, list[float]] = {"one": [], "two": []}
    for _ in range(ROUNDS):
        for size, name in enumerate(seconds, 1):
            waited, worked = together(size)
            seconds[name].append(waited)
            busy[name].append(worked)
        print(json.dumps([seconds, busy]), flush=True)
    times = ratio(busy["one"], busy["two"])
    return {"items": SHARED_OUT, "seconds": seconds, "cpu_seconds": busy, "times": times}


def on_toys(threads: int, data: Path) -> list[dict[str, Any]]:
    """Accuracy and cost on toys, of EASE and of EASE over candidates, without text and with L3AE."""
    dataset = shared_dataset("toys", data)
    encoder = f"file:{SHARED / 'toys' / 'item_embeddings_minilm.npy'}"
    text = embed(dataset, encoder, progress=False)
    evaluators = {
        split: Evaluator(
            dataset.split(split), dataset.train, dataset.train, (20,), user_groups=0, item_groups=0
        )
        for split in ("valid", "test")
    }
    rows = []
    for alignment in ("none", "l3ae"):
        for candidates in (*CANDIDATES, None):
            name = "ease" if candidates is None else "ease_sparse"
            backbone = {"name": name, "ridge": 100.0}
            among = {"backbone.candidates": candidates} if candidates else {}
            lean = {"alignment.lean": 100.0} if alignment == "l3ae" else {}
            settings = {
                "backbone": backbone,
                "alignment": alignment,
                "options.threads": threads,
                **among,
                **lean,
            }
            trainer = make_trainer(resolve_config(settings), dataset, text)
            trainer.fit()
            scorer = trainer.scorer()
            found = {
                split: evaluator.evaluate(scorer, ("recall", "ndcg")).summary()
                for split, evaluator in evaluators.items()
            }
            rows.append(
                {
                    "alignment": alignment,
                    "candidates": candidates or dataset.n_items,
                    "backbone": name,
                    "recall@20": round(found["test"]["recall@20"], 4),
                    "ndcg@20": round(found["test"]["ndcg@20"], 4),
                    "valid_recall@20": round(found["valid"]["recall@20"], 4),
                    "seconds": round(trainer.state.total_seconds, 1),
                    "numbers": trainer.n_parameters,
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def slope(rows: list[dict[str, Any]], figure: str) -> float | None:
    """Of the logarithm of a figure in that of the items; None of fewer than two sizes. A whole size replaces a sample.

    Memory is that of whole sizes alone.
    """
    whole = {row["items"] for row in rows if "sample" not in row}
    rows = [
        row
        for row in rows
        if "sample" not in row or (figure == "cpu_seconds" and row["items"] not in whole)
    ]
    if len(rows) < 2:
        return None
    sizes, figures = (np.log([row[name] for row in rows]) for name in ("items", figure))
    return round(float(stats.linregress(sizes, figures).slope), 2)


def tables(result: dict[str, Any]) -> None:
    """Write the page's tables."""
    lines = [
        "| alignment | backbone | candidates | Recall@20 | NDCG@20 | seconds | numbers kept |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["toys"]:
        among = "all" if row["backbone"] == "ease" else row["candidates"]
        lines.append(
            f"| {row['alignment']} | {row['backbone']} | {among} | {row['recall@20']:.4f} | "
            f"{row['ndcg@20']:.4f} | {row['seconds']} | {row['numbers']:,} |"
        )
    write_between(PAGE, "toys", "\n".join(lines))
    lines = [
        "| items | interactions | columns solved | entries of B | seconds | CPU seconds | "
        "peak memory over the data, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['items']:,} | {row['interactions']:,} | {_solved(row)} | {row['entries']:,} | {row['seconds']:,} | "
        f"{row['cpu_seconds']:,} | {row['peak_mb']:,} |"
        for row in result["rows"]
    ]
    lines += [
        "",
        f"Slope in the logarithm: CPU seconds {result['slope_cpu_seconds']}, memory {result['slope_peak_mb']}.",
    ]
    write_between(PAGE, "growth", "\n".join(lines))
    found = result.get("divided")
    if found:
        times = found["times"]
        shown = f"{times['median']} ({times['min']} to {times['max']})"
        lines = [
            f"| {found['items']:,} items, one thread each | seconds, round by round | CPU seconds of the busiest | "
            "times less |",
            "|---|---|---|---|",
        ]
        for name, ratios in {"one": "1.0", "two": shown}.items():
            rounds, worked = (
                ", ".join(map(str, found[what][name])) for what in ("seconds", "cpu_seconds")
            )
            what = "one process" if name == "one" else "two processes"
            lines.append(f"| {what} | {rounds} | {worked} | {ratios} |")
        write_between(PAGE, "divided", "\n".join(lines))


def _solved(row: dict[str, Any]) -> str:
    return f"a {row['sample']}th, multiplied" if "sample" in row else "all"


def main() -> None:
    """Measure what is asked for, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["toys", *map(str, SIZES), "processes"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path("data/toys"))
    parser.add_argument("--sample", type=int, help="solve every so manieth block, and multiply")
    parser.add_argument("--here", action="store_true", help="measure one size in this process")
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.here and options.sample:
        print(json.dumps(sampled(int(options.what[0]), options.sample)))
        return
    if options.here:
        print(json.dumps(grown(int(options.what[0]), options.threads)))
        return
    if options.tables:
        tables(load_result("ease_sparse"))
        return
    if "toys" in options.what:
        keep(toys=on_toys(options.threads, options.data))
    if "processes" in options.what:
        keep(shared=divided())
    for size in (what for what in options.what if what.isdecimal()):
        command = [sys.executable, "-m", "benchmarks.ease_sparse", size, "--here"]
        command += [f"--sample={options.sample}"] if options.sample else []
        told = subprocess.run(
            [*command, "--threads", str(options.threads)],
            check=True,
            capture_output=True,
            text=True,
        )
        keep(row=json.loads(told.stdout))


def keep(
    toys: list[dict[str, Any]] | None = None,
    row: dict[str, Any] | None = None,
    shared: dict[str, Any] | None = None,
) -> None:
    """Put what was measured beside what had been, and write the tables."""
    there = (RESULTS / "ease_sparse.json").is_file()
    last = load_result("ease_sparse") if there else {}
    known = [*last.get("rows", []), *([row] if row else [])]
    by_key = {(one["items"], one.get("sample", 1)): one for one in known}
    rows = [by_key[key] for key in sorted(by_key)]
    slopes = {f"slope_{name}": slope(rows, name) for name in ("cpu_seconds", "peak_mb")}
    kept = {"toys": toys or last.get("toys", []), "divided": shared or last.get("divided")}
    result = {**kept, "rows": rows, **slopes}
    write_result("ease_sparse", result)
    tables(result)


if __name__ == "__main__":
    main()
