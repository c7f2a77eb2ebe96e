"""The divided validation: two processes of one thread against one process of one thread.

    python -m benchmarks.validation [toys] [--rounds 5] [--dim 64 256]

Tables of random numbers are judged on the validation users of a data set, as after an epoch of training
(:mod:`darec.evaluation.shared`), without the training. Both contenders are there at once and take turns, A B A B.
Seconds by the clock, and seconds of the processor that the busiest process takes: on a machine that does other work,
two processes get twice the share of its cores that one gets, so that the clock flatters them.

Writes results/validation.json and the table of docs/scale-out.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import RESULTS, ratio, shared_dataset, spread, write_between, write_result
from benchmarks.processes import Contender
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import validator
from darec.evaluation.shared import SharedRanking
from darec.memory import keep_freed_memory
from darec.processes.joining import joined
from darec.scoring import TableScorer
from darec.types import Tables

CONTENDERS = {"one process": 1, "two processes": 2}
K = 20
PAGE = RESULTS.parents[1] / "docs" / "scale-out.md"


def work(folder: Path, dim: int, threads: int) -> None:
    """Validate as often as each line of the standard input says; print seconds, processor seconds and bytes sent."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    dataset = Dataset.load(folder)
    draw = torch.Generator().manual_seed(0)
    users, items = (torch.randn(n, dim, generator=draw) for n in (dataset.n_users, dataset.n_items))
    scorer = TableScorer(Tables(users, items), dataset.items.tie_order)
    with joined() as group:
        sharing = None
        if group.size > 1:
            ranked = np.flatnonzero(dataset.valid.user_degree)
            sharing = SharedRanking(ranked, dataset.train, group)
        evaluator = validator(dataset, K)
        evaluator.sharing = sharing
        print("ready", flush=True)
        for line in sys.stdin:
            began, worked, sent = time.perf_counter(), time.process_time(), group.sent
            for _ in range(int(line)):
                with sharing.open() if sharing else nullcontext():
                    if group.leads:
                        evaluator.evaluate(scorer, ("recall",))
            took = time.perf_counter() - began, time.process_time() - worked
            print(*took, group.sent - sent, flush=True)


def measured(folder: Path, dim: int, rounds: int, repeats: int) -> dict[str, Any]:
    """Seconds of a validation by the clock and by the busiest processor, and bytes sent, of each contender."""
    words = [str(folder), f"--work={dim}"]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contenders = {}
        for name, size in CONTENDERS.items():
            contenders[name] = Contender(words, size, 1, place / name, "benchmarks.validation")
            stack.callback(contenders[name].close)
        clock: dict[str, list[float]] = {name: [] for name in contenders}
        busy: dict[str, list[float]] = {name: [] for name in contenders}
        sent = 0.0
        for round_ in range(-1, rounds):
            for name, contender in contenders.items():
                took, worked, bytes_ = contender.figures(repeats)
                sent = max(sent, sum(bytes_) / repeats)
                if round_ >= 0:
                    clock[name].append(max(took) / repeats)
                    busy[name].append(max(worked) / repeats)
    return {
        "seconds": {name: spread(values) for name, values in clock.items()},
        "times": {name: ratio(clock["one process"], values) for name, values in clock.items()},
        "cpu_seconds": {name: spread(values) for name, values in busy.items()},
        "cpu_times": {name: ratio(busy["one process"], values) for name, values in busy.items()},
        "bytes_sent": round(sent),
    }


def table(found: list[dict[str, Any]]) -> str:
    """A line a width and contender."""
    lines = [
        "| data, users, items, d | contender | seconds | times less | processor seconds of the busiest | times less |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        what = f"{row['data']}, {row['users']:,}, {row['items']:,}, {row['dim']}"
        for name in CONTENDERS:
            cells = []
            for figure, times in (("seconds", "times"), ("cpu_seconds", "cpu_times")):
                cells.append(f"{row[figure][name]['median']:.3f}")
                cells.append("{median} ({min} to {max})".format(**row[times][name]))
            lines.append(f"| {what} | {name} | {' | '.join(cells)} |")
        lines.append(f"| {what} | bytes sent | {row['bytes_sent']:,} | | | |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write, or be a contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", default="toys")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="validations a round")
    parser.add_argument("--dim", type=int, nargs="+", default=(64, 256))
    parser.add_argument("--work", type=int, help="be a contender, over tables of so many columns")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.work:
        work(Path(options.data), options.work, options.threads)
        return
    found = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / options.data
        dataset = shared_dataset(options.data, folder)
        about = {
            "data": options.data,
            "users": int((dataset.valid.user_degree > 0).sum()),
            "items": dataset.n_items,
        }
        for dim in options.dim:
            figures = measured(folder, dim, options.rounds, options.repeats)
            found.append({**about, "dim": dim, **figures})
            print(found[-1], flush=True)
    write_result("validation", {"rows": found})
    write_between(PAGE, "validation", table(found))


if __name__ == "__main__":
    main()
