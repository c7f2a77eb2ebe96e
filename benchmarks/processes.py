"""Two processes of one thread against one process of one thread, and against one of two threads.

Two processes of half the width that know nothing of each other are the bound: they divide all work and send nothing.

    python -m benchmarks.processes [DATASET] [--steps 8] [--rounds 5] [--dim 256] [--shards columns]

LightGCN by sampled softmax, alone and with DaRec, on toys or on an encoded dataset folder. All contenders are there
at once and take their steps in turn, A B C A B C, so that a drift of the machine meets all alike. Seconds and
bytes a step. ``benchmarks.shards`` compares the layouts, with their memory.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import (
    RESULTS,
    ratio,
    resident_mb,
    shared_dataset,
    spread,
    write_between,
    write_result,
)
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.memory import keep_freed_memory
from darec.model import Model
from darec.processes.choice import SHARDS, Shards, chosen_layout
from darec.processes.joining import STORE, joined
from darec.testing.suites import tiny_text
from darec.text import load_text, stored_encoders
from darec.types import Interactions, TextTable

TEXT_DIM = 384
CONTENDERS = {"one process": (1, 1), "one of two threads": (1, 2), "two processes": (2, 1)}
"""Processes, and threads of each."""
APART = "two of half the width, apart"


def sources(folder: Path, alignment: str) -> tuple[Interactions, TextTable | None]:
    """The training pairs of a dataset, with its text if that is read; or those of :mod:`benchmarks.shards`."""
    if (folder / "pairs.json").is_file():
        users, items = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("users", "items")
        )
        return Interactions(users, items, **json.loads((folder / "pairs.json").read_text())), None
    dataset = Dataset.load(folder)
    if alignment == "none":
        return dataset.train, None
    known = bool(stored_encoders(dataset))
    return dataset.train, load_text(dataset) if known else tiny_text(dataset, TEXT_DIM)


def work(folder: Path, alignment: str, dim: int, threads: int, shards: Shards) -> None:
    """Take as many steps as each line of the standard input says, and print their seconds, bytes and memory."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    before = resident_mb("VmHWM")
    train, text = sources(folder, alignment)
    config = resolve_config(
        {
            "backbone": {"name": "lightgcn", "dim": dim},
            "alignment": alignment,
            "loss": {"name": "softmax", "n_negatives": 1024},
        }
    )
    generator = torch.Generator().manual_seed(0)
    with joined() as group:
        layout = chosen_layout(shards, group, dim, train)
        model = Model(config, train, text, generator, layout)
        optimizer = torch.optim.Adam(
            model.parameter_groups(config.train.l2, decoupled=False), lr=1e-3, fused=True
        )
        draws = [torch.Generator().manual_seed(seed) for seed in (1, 2)]

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            while True:
                yield from model.sampler.epoch(config.train.batch_size, draws[0])

        source, count = batches(), itertools.count()
        print("ready", flush=True)
        for line in sys.stdin:
            began, sent = time.perf_counter(), group.sent
            for _ in range(int(line)):
                users, items = next(source)
                model.train_step(
                    users,
                    items,
                    optimizer,
                    step=next(count),
                    generator=draws[0],
                    alignment_generator=draws[1],
                )
            took = time.perf_counter() - began
            print(took, group.sent - sent, before, resident_mb("VmHWM"), flush=True)


class Contender:
    """Processes that take steps when they are told to; apart from each other if they have no store.

    Attributes:
        before: MiB of a process before it reads anything, after :meth:`run`.
        peak: the most MiB that a process has had, after :meth:`run`.
    """

    def __init__(
        self,
        words: list[str],
        size: int,
        threads: int,
        store: Path | None,
        module: str = "benchmarks.processes",
    ) -> None:
        self.before = self.peak = 0.0
        self.processes = []
        for rank in range(size):
            ranks = {"RANK": str(rank), "WORLD_SIZE": str(size), STORE: str(store)}
            environment = {**os.environ, **(ranks if size > 1 and store else {})}
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", module, *words, f"--threads={threads}"],
                    env={**environment, "OMP_NUM_THREADS": str(threads)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        for process in self.processes:
            assert process.stdout is not None and process.stdout.readline().strip() == "ready"

    def figures(self, steps: int) -> list[tuple[float, ...]]:
        """What the processes print after so many steps: of each figure, that of every process."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{steps}\n")
            process.stdin.flush()
        found = []
        for process in self.processes:
            assert process.stdout is not None
            found.append([float(word) for word in process.stdout.readline().split()])
        return list(zip(*found, strict=True))

    def run(self, steps: int) -> tuple[float, float]:
        """Seconds and bytes sent by a process, both a step; the most of its processes."""
        seconds, sent, before, peak = (max(figures) for figures in self.figures(steps))
        self.before, self.peak = before, peak
        return seconds / steps, sent / steps

    def close(self) -> None:
        """Let the processes end."""
        for process in self.processes:
            process.communicate()


def measured(
    folder: Path, alignment: str, options: argparse.Namespace
) -> tuple[dict[str, list[float]], float]:
    """Seconds a step of each contender, round by round, and bytes a step."""
    words = ["--work", alignment, str(folder), f"--shards={options.shards}"]
    whole, half = [*words, f"--dim={options.dim}"], [*words, f"--dim={options.dim // 2}"]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contenders = {}
        for name, (size, threads) in CONTENDERS.items():
            contenders[name] = Contender(whole, size, threads, place / name.replace(" ", "-"))
        contenders[APART] = Contender(half, 2, 1, None)
        for contender in contenders.values():
            stack.callback(contender.close)
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        sent = 0.0
        for round_ in range(-1, options.rounds):
            for name, contender in contenders.items():
                took, bytes_ = contender.run(options.steps)
                sent = max(sent, bytes_)
                if round_ >= 0:
                    seconds[name].append(took)
    return seconds, sent


def table(found: Mapping[str, Any]) -> str:
    """A line a pair and contender."""
    lines = [
        "| pair | contender | seconds a step | times as fast as one process |",
        "|---|---|---|---|",
    ]
    for pair, figures in found.items():
        for name in (*CONTENDERS, APART):
            seconds = figures["seconds_a_step"][name]["median"]
            times = "{median} ({min} to {max})".format(**figures["times_one_process"][name])
            lines.append(f"| {pair} | {name} | {seconds:.3f} | {times} |")
        lines.append(
            f"| {pair} | bytes a step, sent by each | {figures['bytes_sent_a_step_by_each']:,} | |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and write, or be a contender."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, default=8)  # a multiple of those between DaRec's
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--shards", choices=SHARDS, default="columns")
    parser.add_argument("--work")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    if options.work:
        work(options.dataset, options.work, options.dim, options.threads, options.shards)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = options.dataset
        if folder is None:
            folder = Path(place) / "toys"
            shared_dataset("toys", folder)
        found: dict[str, Any] = {}
        for alignment in ("none", "darec"):
            seconds, sent = measured(folder, alignment, options)
            base = seconds["one process"]
            found[f"lightgcn + {alignment}"] = {
                "seconds_a_step": {name: spread(values) for name, values in seconds.items()},
                "times_one_process": {name: ratio(base, one) for name, one in seconds.items()},
                "bytes_sent_a_step_by_each": round(sent),
            }
            print(f"lightgcn + {alignment}: {found[f'lightgcn + {alignment}']}")
    if not options.dry and options.shards == "columns":
        what = f"seconds a step, d = {options.dim}, sampled softmax of 1,024 negatives"
        write_result("processes", {"what": what, "pairs": found})
        page = RESULTS.parents[1] / "docs" / "scale-out.md"
        write_between(page, "processes", f"{what[0].upper()}{what[1:]}:\n\n{table(found)}")


if __name__ == "__main__":
    main()
