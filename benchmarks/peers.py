"""darec beside its peers: ``python -m benchmarks.peers``.

LightGCN of RecBole, of PyTorch Geometric and of RLMRec's code, ALS and BPR of implicit, and darec's LightGCN without
edge dropout, at the same width and batch, on one thread, each in a process of its own. Where there are language
vectors, also RLMRec's LightGCN with its contrastive alignment, and darec's LightGCN with ``contrastive``. Seconds are
processor time of the median epoch, without the first. Everyone's tables are judged by darec's evaluation.

The peers run in an environment of their own, which ``benchmarks/peers.sh`` makes; where it is not there they are left
out, and so is one that fails, with its reason. RLMRec's code is that of a checkout that the environment variable RLMREC
names (``git clone https://github.com/HKUDS/RLMRec``). Writes results/peers.json and the table of docs/studies/peers.md;
``--data``, ``--widths`` and ``--names`` measure some, and the other rows stay.
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
    resident_mb,
    shared_dataset,
    write_between,
    write_result,
)
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.evaluation import Evaluator
from darec.memory import keep_freed_memory
from darec.scoring import TableScorer
from darec.text import embed
from darec.training.trainer import Trainer
from darec.types import Interactions, Tables, TextTable

OURS = {
    "darec": ("none", "mean"),
    "darec-sum": ("none", "sum"),
    "darec-contrastive": ("contrastive", "mean"),
}
"""darec's contenders: their alignment, and how they combine the layers; RLMRec adds them, the other peers do not."""
WITH_TEXT = ("darec-contrastive", "rlmrec-contrastive")
NAMES = (
    "darec",
    "darec-sum",
    "recbole",
    "pyg",
    "rlmrec",
    "implicit-als",
    "implicit-bpr",
    *WITH_TEXT,
)
TEXT_WIDTH = 32  # the only one with text, whose epochs take many times as long
DATA, WIDTHS, EPOCHS, BATCH = ("toys", "rlmrec-amazon"), (32, 64), 10, 4096
PAGE = RESULTS.parents[1] / "docs" / "studies" / "peers.md"
WORKER = Path(__file__).with_name("peers_worker.py")
ENVIRONMENT = Path(__file__).with_name(".peers")


def ours(folder: Path, name: str, width: int, epochs: int) -> dict[str, Any]:
    """LightGCN as the peers have theirs: no edge is dropped."""
    torch.set_num_threads(1)
    keep_freed_memory()
    before = resident_mb("VmHWM")
    dataset = Dataset.load(folder / "data")
    alignment, combine = OURS[name]
    settings = {
        "backbone": {"name": "lightgcn", "dim": width, "edge_keep": 1.0, "combine": combine},
        "alignment": alignment,
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
    return {"seconds": seconds, "peak_mib": resident_mb("VmHWM"), "before_mib": before}


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
    if name.startswith("rlmrec") and not (Path(os.environ.get("RLMREC", "-")) / "encoder").is_dir():
        return "RLMREC names no checkout of https://github.com/HKUDS/RLMRec"
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
    """Markdown; each row beside darec's row of the same data, width and use of text."""
    lines = [
        "| data | d | | seconds an epoch | fastest to slowest | times darec | peak memory | Recall@20 after "
        f"{found['epochs']} epochs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    own = {_key(row): row["epoch_seconds"] for row in found["rows"]}
    for row in found["rows"]:
        beside = "darec-contrastive" if row["name"] in WITH_TEXT else "darec"
        times = row["epoch_seconds"] / own[row["data"], row["width"], beside]
        lines.append(
            f"| {row['data']} | {row['width']} | {row['name']} | {row['epoch_seconds']:.2f} | {row['fastest']:.2f} to "
            f"{row['slowest']:.2f} | {times:.1f} | {row['peak_mib']:,} MiB | {row['recall']:.4f} |"
        )
    lines += [f"\nLeft out: {name}: {reason}." for name, reason in found["left_out"].items()]
    return "\n".join(lines)


def _key(row: dict[str, Any]) -> tuple[str, int, str]:
    return row["data"], row["width"], row["name"]


def keep(row: dict[str, Any] | None, left_out: dict[str, str], epochs: int) -> None:
    """Put a row in place of the one that it renews, and write the results and the table with what is left out."""
    last = load_result("peers") if (RESULTS / "peers.json").exists() else {}
    # Rows of other numbers of epochs are no equals in recall.
    rows = last["rows"] if last.get("epochs") == epochs else []
    by_key = {_key(one): one for one in [*rows, *([row] if row else [])]}
    order = sorted(by_key, key=lambda key: (DATA.index(key[0]), key[1], NAMES.index(key[2])))
    rows = [by_key[key] for key in order]
    found = {"epochs": epochs, "batch": BATCH, "rows": rows, "left_out": left_out}
    write_result("peers", found)
    write_between(PAGE, "peers", table(found))


def main() -> None:
    """Measure all, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="made by peers.sh")
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
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
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for data in options.data:
            dataset = shared_dataset(data, Path(folder) / data)
            vectors = SHARED / data / "item_embeddings_minilm.npy"
            text = embed(dataset, f"file:{vectors}", progress=False) if vectors.exists() else None
            for width in options.widths:
                for name in options.names:
                    if name in WITH_TEXT and (text is None or width != TEXT_WIDTH):
                        continue
                    one = run_one(name, python, dataset, width, options.epochs, text)
                    print(data, name, one, flush=True)
                    if isinstance(one, str):
                        left_out[f"{name} on {data}"] = one
                        keep(None, left_out, options.epochs)
                    else:
                        keep({"data": data, **one}, left_out, options.epochs)


if __name__ == "__main__":
    main()
