"""darec beside its peers on one data set: ``python -m benchmarks.peers``.

LightGCN of RecBole and of PyTorch Geometric, ALS and BPR of implicit, and darec's LightGCN without edge dropout, at the
same width and batch, on one thread, each in a process of its own. Where there are language vectors, also RLMRec's
LightGCN with its contrastive alignment, and darec's LightGCN with ``contrastive``. Seconds are processor time of the
median epoch, without the first. Everyone's tables are judged by darec's evaluation.

The peers run in an environment of their own, which ``benchmarks/peers.sh`` makes; where it is not there they are left
out, and so is one that fails, with its reason. RLMRec's code is that of a checkout that the environment variable RLMREC
names (``git clone https://github.com/HKUDS/RLMRec``). Writes results/peers.json and the table of docs/studies/peers.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import (
    RESULTS,
    SHARED,
    load_result,
    shared_dataset,
    write_between,
    write_result,
)
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.evaluation import Evaluator
from darec.memory import keep_freed_memory, peak_rss_mb
from darec.scoring import TableScorer
from darec.text import embed
from darec.training.trainer import Trainer
from darec.types import Interactions, Tables, TextTable

OURS = {"darec": "none", "darec-contrastive": "contrastive"}
"""darec's contenders, with their alignments."""
NAMES = (*OURS, "recbole", "pyg", "implicit-als", "implicit-bpr", "rlmrec")
WITH_TEXT = ("darec-contrastive", "rlmrec")
WIDTHS, EPOCHS, BATCH = (32, 64), 10, 4096
PAGE = RESULTS.parents[1] / "docs" / "studies" / "peers.md"
WORKER = Path(__file__).with_name("peers_worker.py")
ENVIRONMENT = Path(__file__).with_name(".peers")


def ours(folder: Path, name: str, width: int, epochs: int) -> dict[str, Any]:
    """LightGCN as the peers have theirs: the mean of the layers, and no edge is dropped."""
    torch.set_num_threads(1)
    keep_freed_memory()
    before = peak_rss_mb()
    dataset = Dataset.load(folder / "data")
    settings = {
        "backbone": {"name": "lightgcn", "dim": width, "edge_keep": 1.0, "combine": "mean"},
        "alignment": OURS[name],
        "train.batch_size": BATCH,
    }
    text = None
    if name in WITH_TEXT:
        with np.load(folder / "text.npz") as file:
            users, items = file["users"], file["items"]
        masks = np.ones(len(users), np.bool_), np.ones(len(items), np.bool_)
        text = TextTable(users, items, *masks, "peers")
    trainer = Trainer(resolve_config(settings), dataset, text)
    seconds = []
    for _ in range(epochs):
        started = time.process_time()
        trainer.train_epoch()
        seconds.append(time.process_time() - started)
    tables = trainer.scorer().tables
    for side, table in (("users", tables.users), ("items", tables.items)):
        np.save(folder / f"{side}.npy", table.numpy())
    return {"seconds": seconds, "peak_mib": peak_rss_mb(), "before_mib": before}


def run_one(
    name: str,
    python: Path,
    dataset: Dataset,
    width: int,
    epochs: int,
    text: TextTable | None = None,
) -> dict[str, Any] | str:
    """One contender in a process of its own, judged; or why it is left out."""
    if name not in OURS and not python.exists():
        return f"no environment at {python.parents[1]}: run benchmarks/peers.sh"
    if name == "rlmrec" and not (Path(os.environ.get("RLMREC", "-")) / "encoder").is_dir():
        return "RLMREC names no checkout of https://github.com/HKUDS/RLMRec"
    if name in WITH_TEXT and text is None:
        return "there are no language vectors"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train = dataset.train
        np.savez(
            folder / "train.npz",
            users=train.users.astype(np.int64),
            items=train.items.astype(np.int64),
            n_users=train.n_users,
            n_items=train.n_items,
        )
        if text is not None:
            np.savez(folder / "text.npz", users=text.users, items=text.items)
        (folder / "data").symlink_to(Path(str(dataset.path)).resolve())
        if name in OURS:
            command = [sys.executable, "-m", "benchmarks.peers", "--ours", place, name]
            command += [str(width), str(epochs)]
        else:
            command = [str(python), str(WORKER), name, place, str(width), str(epochs), str(BATCH)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        if name not in OURS:
            environment.pop("PYTHONPATH", None)
        cwd = os.curdir if name in OURS else place  # where RecBole leaves its logs
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        users, items = (
            torch.from_numpy(np.load(folder / f"{side}.npy")) for side in ("users", "items")
        )
        recall = judged(Tables(users, items), dataset.test, train)
    later = told["seconds"][1:] or told["seconds"]
    return {
        "name": name,
        "width": width,
        "epochs": epochs,
        "epoch_seconds": round(statistics.median(later), 3),
        "fastest": round(min(later), 3),
        "slowest": round(max(later), 3),
        "peak_mib": round(told["peak_mib"]),
        "before_mib": round(told["before_mib"]),
        "recall": round(recall, 4),
    }


def judged(tables: Tables, test: Interactions, train: Interactions) -> float:
    """Recall@20 over the whole catalogue."""
    evaluator = Evaluator(test, train, train, (20,), user_groups=0, item_groups=0)
    return evaluator.evaluate(TableScorer(tables), ("recall",)).summary()["recall@20"]


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| data | d | | seconds an epoch | fastest to slowest | times darec | peak memory | Recall@20 after "
        f"{found['epochs']} epochs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        own = next(
            one
            for one in found["rows"]
            if (one["data"], one["width"], one["name"]) == (row["data"], row["width"], "darec")
        )
        lines.append(
            f"| {row['data']} | {row['width']} | {row['name']} | {row['epoch_seconds']:.2f} | {row['fastest']:.2f} to "
            f"{row['slowest']:.2f} | {row['epoch_seconds'] / own['epoch_seconds']:.1f} | {row['peak_mib']:,} MiB | "
            f"{row['recall']:.4f} |"
        )
    lines += [f"\nLeft out: {name}: {reason}." for name, reason in found["left_out"].items()]
    return "\n".join(lines)


def main() -> None:
    """Measure all, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="made by peers.sh")
    parser.add_argument("--data", nargs="+", default=["toys", "rlmrec-amazon"])
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--tables", action="store_true", help="only write the table")
    parser.add_argument(
        "--ours",
        nargs=4,
        metavar=("FOLDER", "NAME", "WIDTH", "EPOCHS"),
        help="one of darec's contenders",
    )
    options = parser.parse_args()
    if options.ours:
        folder, name, width, epochs = options.ours
        print(json.dumps(ours(Path(folder), name, int(width), int(epochs))))
        return
    if options.tables:
        write_between(PAGE, "peers", table(load_result("peers")))
        return
    python = options.environment.resolve() / "bin" / "python"
    found: dict[str, Any] = {"epochs": options.epochs, "batch": BATCH, "rows": [], "left_out": {}}
    with tempfile.TemporaryDirectory() as folder:
        for data in options.data:
            dataset = shared_dataset(data, Path(folder) / data)
            vectors = SHARED / data / "item_embeddings_minilm.npy"
            text = embed(dataset, f"file:{vectors}", progress=False) if vectors.exists() else None
            for width in options.widths:
                for name in options.names:
                    one = run_one(name, python, dataset, width, options.epochs, text)
                    print(name, one, flush=True)
                    if isinstance(one, str):
                        found["left_out"][name] = one
                    else:
                        found["rows"].append({"data": data, **one})
    write_result("peers", found)
    write_between(PAGE, "peers", table(found))


if __name__ == "__main__":
    main()
