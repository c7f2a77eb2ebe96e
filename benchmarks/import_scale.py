"""What an import costs as the rows grow: ``python -m benchmarks.import_scale --folder DIR``.

Interactions of a power law are written in parts of a million rows, as Parquet and as CSV, and imported by a process of
its own with a 5-core and a split by time. Seconds and the largest resident memory of that process are measured, then
those of one that loads the dataset, and of one that trains on it: matrix factorisation of 8 columns, BPR, the order of
one epoch and at most 2,000 of its steps. The slope is that of the logarithm of each in the logarithm of the rows: 1 is
linear, 0 is constant.

``--rows`` chooses the sizes; results of other sizes stay in results/import_scale.json. ``--table`` only writes the
table of docs/studies/import-scale.md. Addresses are limited to 8 GiB for each process, so that none takes the machine's
memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.common import (
    RESULTS,
    load_result,
    renewed,
    resident_mb,
    write_between,
    write_result,
)

STUDY = RESULTS.parents[1] / "docs" / "studies" / "import-scale.md"
PART = 10**6
STEPS = 2_000
LIMIT = 8 * 2**30
KEYS = ("rows", "kind", "how")


def write_log(folder: Path, rows: int, kind: str) -> int:
    """Parts of a power law: a user for 50 rows, an item for 500; returns their bytes.

    A user's number is U x^1.5 and an item's I x^3 with x uniform, so that the most active have many times the mean.
    """
    rng = np.random.default_rng(0)
    n_users, n_items = rows // 50, rows // 500
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, rows, PART)):
        n = min(PART, rows - start)
        frame = pl.DataFrame(
            {
                "user_id": (n_users * rng.random(n) ** 1.5).astype(np.int64) * 7919 + 10**6,
                "item_id": (n_items * rng.random(n) ** 3).astype(np.int64) * 104729 + 10**6,
                "rating": rng.integers(1, 6, n, dtype=np.int8),
                "timestamp": 1_500_000_000 + start + rng.integers(0, 10**6, n),
            }
        )
        file = folder / f"part-{number:05d}.{kind}"
        frame.write_parquet(file) if kind == "parquet" else frame.write_csv(file)
    return sum(file.stat().st_size for file in folder.iterdir())


def in_child(*words: object) -> dict[str, Any]:
    """What a process of its own says, and how much memory it had at most; what went wrong, where it failed."""
    command = [sys.executable, "-m", "benchmarks.import_scale", *map(str, words)]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=_limit_memory)
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    found = {
        "peak_mb": round(usage.ru_maxrss / 2**10),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "process_seconds": round(time.perf_counter() - started, 2),
    }
    return found | (json.loads(said) if not child.returncode else {"failed": child.returncode})


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


def import_once(source: Path, out: Path, *, streamed: bool) -> dict[str, Any]:
    """Import, and the seconds of each stage."""
    from darec.data.build import import_dataset
    from darec.data.streamed import parts
    from darec.progress import listening

    setattr(parts, "LARGE", 0 if streamed else 2**60)  # noqa: B010, a constant for everybody else
    stages: dict[str, float] = {}
    last = started = time.perf_counter()

    def heard(doing: str, done: int, total: int) -> None:
        nonlocal last
        now = time.perf_counter()
        name = doing.partition(" (")[0]
        stages[name] = round(stages.get(name, 0.0) + now - last, 3)
        last = now
        print(f"{now - started:.0f} s, {doing}: {done} of {total}", file=sys.stderr)

    with listening(heard):
        data = import_dataset(source, out=out, overwrite=True, k_core=5, split="temporal-user")
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "stages": stages,
        "users": data.n_users,
        "items": data.n_items,
        "interactions": len(data.train) + len(data.valid) + len(data.test),
    }


def load_once(path: Path) -> dict[str, Any]:
    """Load a dataset, take its fingerprint as it is kept, and compute it."""
    from darec.data.dataset import Dataset

    def timed(work: Any) -> float:
        started = time.perf_counter()
        work()
        return round(time.perf_counter() - started, 4)

    found = {"load_seconds": timed(lambda: Dataset.load(path))}
    data = Dataset.load(path)
    found["fingerprint_kept_seconds"] = timed(data.fingerprint)
    del data.__dict__["_fingerprint"]
    found["fingerprint_computed_seconds"] = timed(data.fingerprint)
    return found


def train_once(path: Path) -> dict[str, Any]:
    """Memory in MiB, now and at most, after each step on the way to a trained epoch."""
    import itertools

    import torch

    from darec.config import resolve_config
    from darec.data.dataset import Dataset
    from darec.data.sampling import Sampler
    from darec.graph import Graph
    from darec.memory import peak_rss_mb
    from darec.model import Model

    torch.set_num_threads(1)
    found: dict[str, Any] = {}

    def note(what: str) -> None:
        found[what] = {"now_mb": round(resident_mb("VmRSS")), "peak_mb": round(peak_rss_mb())}

    note("start")
    train = Dataset.load(path).train
    note("load")
    kept = [Sampler(train)]
    note("sampler alone")
    del kept[:]
    graph = Graph(train)
    note("graph alone")
    del graph
    config = resolve_config({"backbone": "mf", "alignment": "none", "backbone.dim": 8})
    generator = torch.Generator().manual_seed(0)
    model = Model(config, train, None, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    note("model")
    batches = model.sampler.epoch(config.train.batch_size, generator)
    started = time.perf_counter()
    for step, (users, items) in enumerate(itertools.islice(batches, STEPS)):
        model.train_step(
            users,
            items,
            optimizer,
            step=step,
            generator=generator,
            alignment_generator=generator,
        )
        if not step:
            note("order of an epoch")
    found["steps"] = {"count": step + 1, "seconds": round(time.perf_counter() - started, 2)}
    note("epoch")
    return {"training": found}


def measure(rows: int, kind: str, how: str, folder: Path) -> dict[str, Any]:
    """One size and format."""
    source, out = folder / f"log-{rows}-{kind}", folder / f"data-{rows}-{kind}"
    shutil.rmtree(source, ignore_errors=True)
    size = write_log(source, rows, kind)
    try:
        found = in_child("--import-once", source, out, how)
        if "failed" not in found:
            found["rows_per_second"] = round(rows / found["seconds"])
            loaded = in_child("--load-once", out)
            found["load_peak_mb"] = loaded.pop("peak_mb")
            found |= {key: loaded[key] for key in loaded if key not in found}
            if kind == "parquet" and how == "streamed":
                trained = in_child("--train-once", out)
                found["training"] = trained.get("training", trained)
            found["dataset_mb"] = round(sum(f.stat().st_size for f in out.iterdir()) / 2**20)
    finally:
        shutil.rmtree(source)
        shutil.rmtree(out, ignore_errors=True)
    return {"rows": rows, "kind": kind, "how": how, "source_mb": round(size / 2**20), **found}


def slopes(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Exponents of seconds and memory in the rows, for each format that was streamed."""
    result: dict[str, Any] = {}
    for kind in ("parquet", "csv"):
        rows = [
            row
            for row in found
            if (row["kind"], row["how"]) == (kind, "streamed") and "seconds" in row
        ]
        if len(rows) > 1:
            sizes = np.log([row["rows"] for row in rows])
            for what in ("seconds", "cpu_seconds", "peak_mb"):
                fitted = np.polyfit(sizes, np.log([row[what] for row in rows]), 1)[0]
                result.setdefault(kind, {})[what] = round(float(fitted), 2)
    return result


def table(result: dict[str, Any]) -> str:
    """The table of the study."""
    lines = [
        "| rows | format | how | CPU seconds | seconds | peak memory, MiB | load, seconds | load, MiB | "
        "fingerprint, seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(result["rows"], key=lambda row: (row["how"], row["kind"], row["rows"])):
        about = f"| {row['rows']:,} | {row['kind']} | {row['how']} |"
        if "failed" in row:
            lines.append(f"{about} over 8 GiB of addresses | | | | | |")
            continue
        lines.append(
            f"{about} {row['cpu_seconds']:,.0f} | {row['seconds']:,.0f} | {row['peak_mb']:,} | "
            f"{row['load_seconds']:.2f} | {row['load_peak_mb']:,} | "
            f"{row['fingerprint_computed_seconds']:.2f} |"
        )
    told = "; ".join(
        f"{kind}: CPU seconds {found['cpu_seconds']}, memory {found['peak_mb']}"
        for kind, found in result["slopes"].items()
    )
    return "\n".join(lines) + f"\n\nSlopes of the streamed imports: {told}."


def training_table(result: dict[str, Any]) -> str:
    """The table of what training holds."""
    rows = [row for row in result["rows"] if "start" in row.get("training", {})]
    names = ["start", "load", "sampler alone", "graph alone", "model", "order of an epoch", "epoch"]
    lines = [
        f"| rows | {' | '.join(names)} | most | seconds a step |",
        "|" + "---|" * (len(names) + 3),
    ]
    for row in sorted(rows, key=lambda row: row["rows"]):
        found = row["training"]
        held = " | ".join(f"{found[name]['now_mb']:,}" for name in names)
        step = found["steps"]["seconds"] / found["steps"]["count"]
        lines.append(f"| {row['rows']:,} | {held} | {found['epoch']['peak_mb']:,} | {step:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, or be a child that is measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**6, 10**7])
    parser.add_argument("--kinds", nargs="+", default=["parquet", "csv"])
    parser.add_argument("--how", nargs="+", default=["streamed"], choices=["streamed", "at once"])
    parser.add_argument("--folder", type=Path, default=Path("import-scale"))
    parser.add_argument("--import-once", nargs=3)
    parser.add_argument("--load-once", type=Path)
    parser.add_argument("--train-once", type=Path)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if asked.import_once:
        source, out, how = asked.import_once
        print(json.dumps(import_once(Path(source), Path(out), streamed=how == "streamed")))
    elif asked.load_once:
        print(json.dumps(load_once(asked.load_once)))
    elif asked.train_once:
        print(json.dumps(train_once(asked.train_once)))
    elif asked.table:
        write_between(STUDY, "table", table(load_result("import_scale")))
        write_between(STUDY, "training", training_table(load_result("import_scale")))
    else:
        for rows in asked.rows:
            for kind in asked.kinds:
                for how in asked.how:
                    row = measure(rows, kind, how, asked.folder)
                    known = (RESULTS / "import_scale.json").exists()
                    found = renewed("import_scale", [row], KEYS) if known else [row]
                    write_result("import_scale", {"rows": found, "slopes": slopes(found)})


if __name__ == "__main__":
    main()
