"""Columns against rows against one process: seconds, bytes and memory.

    python -m benchmarks.shards [--steps 4] [--rounds 3] [--only NAME]

LightGCN by sampled softmax of 1,024 negatives, on toys with 256 columns, and on synthetic graphs with 64 columns whose
users and items follow power laws, in random order. Processes have one thread each. Those of one and of two processes
take their steps in turn; four are measured for their memory and bytes alone, since the machine has fewer cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    RESULTS,
    load_result,
    shared_dataset,
    spread,
    write_between,
    write_result,
)
from benchmarks.processes import Contender
from darec.types import Interactions

CONTENDERS = {
    "one process": (1, "columns"),
    "two by columns": (2, "columns"),
    "two by rows": (2, "rows"),
    "four by columns": (4, "columns"),
    "four by rows": (4, "rows"),
}
"""Processes, and how they divide tables."""
TIMED = 2  # processes at most
GRAPHS = {
    "toys": (256, 0, 0),
    "sparse": (64, 2_000_000, 16),
    "dense": (64, 4_000_000, 64),
}
"""Columns; of a synthetic graph also about how many pairs it has, and how many for each user or item."""


def synthetic(edges: int, each: int, folder: Path) -> Interactions:
    """About so many pairs, ``each`` as many as users and items, mapped from files."""
    draw = np.random.default_rng(0)
    n_items = edges // each // 5
    n_users = 4 * n_items
    users = draw.permutation(n_users)[(n_users * draw.random(edges) ** 1.5).astype(np.int64)]
    items = draw.permutation(n_items)[(n_items * draw.random(edges) ** 2.0).astype(np.int64)]
    pairs = Interactions.from_pairs(users, items, n_users, n_items)
    folder.mkdir()
    np.save(folder / "users.npy", pairs.users)
    np.save(folder / "items.npy", pairs.items)
    (folder / "pairs.json").write_text(json.dumps({"n_users": n_users, "n_items": n_items}))
    return pairs


def measured(folder: Path, dim: int, options: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Figures of each contender: those that are timed together, then each other alone."""
    found: dict[str, Any] = {}
    timed = [name for name, (size, _) in CONTENDERS.items() if size <= TIMED]
    for names in (timed, *([name] for name in CONTENDERS if name not in timed)):
        there = {}
        for name in names:
            size, shards = CONTENDERS[name]
            words = ["--work", "none", str(folder), f"--dim={dim}", f"--shards={shards}"]
            store = place / f"{folder.name}-{name.replace(' ', '-')}"
            there[name] = Contender(words, size, 1, store)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for round_ in range(-1, options.rounds if names is timed else 0):
            for name, contender in there.items():
                took, sent = contender.run(options.steps)
                found[name] = {
                    "before_mib": round(contender.before),
                    "peak_mib": round(contender.peak),
                    "bytes_sent_a_step": round(sent),
                }
                if round_ >= 0:
                    seconds[name].append(took)
        for name, contender in there.items():
            contender.close()
            if seconds[name]:
                found[name]["seconds_a_step"] = spread(seconds[name])
    return found


def table(found: Mapping[str, Any]) -> str:
    """A line for each graph and contender."""
    lines = [
        "| graph | contender | memory of a process, before it reads and at its peak | bytes a step | seconds a step |",
        "|---|---|---|---|---|",
    ]
    for name, figures in found.items():
        graph = f"{name}: {figures['edges'] / 1e6:.1f} M pairs, {figures['entities']:,} rows, d = {figures['dim']}"
        for contender, one in figures["contenders"].items():
            seconds = one.get("seconds_a_step")
            time = "{median:.2f} ({min:.2f} to {max:.2f})".format(**seconds) if seconds else ""
            memory = f"{one['before_mib']:,} MiB, {one['peak_mib']:,} MiB"
            lines.append(
                f"| {graph} | {contender} | {memory} | {one['bytes_sent_a_step']:,} | {time} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=GRAPHS, help="measure one graph anew")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    found: dict[str, Any] = load_result("shards")["graphs"] if options.only else {}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for name in [options.only] if options.only else GRAPHS:
            dim, edges, each = GRAPHS[name]
            folder = place / name
            pairs = synthetic(edges, each, folder) if edges else shared_dataset(name, folder).train
            found[name] = {
                "edges": len(pairs),
                "entities": pairs.n_users + pairs.n_items,
                "dim": dim,
                "contenders": measured(folder, dim, options, place),
            }
            print(table(found), flush=True)
    if not options.dry:
        what = (
            "LightGCN of three layers, sampled softmax of 1,024 negatives, processes of one thread"
        )
        write_result("shards", {"what": what, "graphs": found})
        page = RESULTS.parents[1] / "docs" / "scale-out.md"
        write_between(page, "shards", f"{what}:\n\n{table(found)}")


if __name__ == "__main__":
    main()
