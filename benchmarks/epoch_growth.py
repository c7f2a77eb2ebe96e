"""What a training step costs as the data grow, part by part: ``python -m benchmarks.epoch_growth``.

LightGCN (3 layers, BPR, edge dropout) with and without DaRec's losses, on synthetic data whose users and items both
follow a power law: 20 interactions a user and 80 an item. One dimension grows with the others fixed: E, the
interactions (N grows with them); N, the entities, with E fixed; d, the width. Each point runs in a process of its own,
on one thread, and counts processor time of the fastest round. Slopes are of log seconds in log size.

From 3 x 10^7 interactions on, a part is timed once, after a round that warms up, and the alignment's losses are left
out: the smaller sizes show that they do not depend on E.

Writes results/epoch_growth.json and the tables of docs/studies/complexity.md. ``--tables`` only writes the tables,
``--only ALONG`` measures one dimension anew, and ``--from SIZE`` its points from a size on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.common import RESULTS, load_result, resident_mb, write_between, write_result
from benchmarks.traffic import best_of
from darec.config import resolve_config
from darec.memory import keep_freed_memory
from darec.model import Model
from darec.types import Encoded, Interactions, TextTable

BATCH, TEXT, WIDTH, ROUNDS, ALIGNED = 4096, 32, 8, 3, 8
BLOCK = 1 << 22  # pairs that are drawn at once
LARGE = 30_000_000  # interactions from which on parts are timed once
SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)
PARTS = ("sampling", "propagation", "loss", "optimiser", "step", "alignment")
POINTS: dict[str, list[tuple[int, int, int]]] = {  # E, N, d
    "E": [(e, e // 16, WIDTH) for e in SIZES],
    "N": [(1_000_000, n, WIDTH) for n in (10_000, 30_000, 100_000, 300_000, 1_000_000)],
    "d": [(300_000, 300_000 // 16, d) for d in (8, 16, 32, 64, 128, 256)],
}
PAGE = RESULTS.parents[1] / "docs" / "studies" / "complexity.md"


def synthetic(edges: int, entities: int) -> Interactions:
    """About so many pairs of a fifth as many items as entities; both sides by a power law."""
    draw = np.random.default_rng(0)
    n_items = entities // 5
    n_users = entities - n_items
    users, items = np.empty(edges, np.int32), np.empty(edges, np.int32)
    # By blocks: numbers of 64 bits for all pairs of 10^8 are 0.8 GB in each step of the computation.
    for rows, size, power in ((users, n_users, 1.5), (items, n_items, 2.0)):
        for start in range(0, edges, BLOCK):
            part = rows[start : start + BLOCK]
            part[:] = size * draw.random(len(part)) ** power
    return Interactions.from_pairs(users, items, n_users, n_items)


def one(edges: int, entities: int, width: int) -> dict[str, Any]:
    """Measure one point, in this process."""
    torch.set_num_threads(1)
    keep_freed_memory()
    train = synthetic(edges, entities)
    settings = {"backbone.dim": width, "train.batch_size": BATCH}
    rounds = ROUNDS if edges < LARGE else 1
    model = Model(resolve_config(settings), train, None, torch.Generator().manual_seed(0))
    found = parts(model, rounds)
    point = {
        "edges": len(train),
        "entities": entities,
        "width": width,
        "rounds": rounds,
        "peak_mib": round(resident_mb("VmHWM")),
    }
    del model
    if edges < LARGE:
        found["alignment"] = aligning(aligned(train, settings))
    milliseconds = {name: round(1e3 * seconds, 4) for name, seconds in found.items()}
    return {**point, "milliseconds": milliseconds}


def aligned(train: Interactions, settings: dict[str, Any]) -> Model:
    """The same with DaRec's losses, and text of random numbers."""
    draw = np.random.default_rng(0)
    text = TextTable(
        draw.standard_normal((train.n_users, TEXT), np.float32),
        draw.standard_normal((train.n_items, TEXT), np.float32),
        np.ones(train.n_users, bool),
        np.ones(train.n_items, bool),
        "synthetic",
    )
    darec = {"name": "darec", "smoothing": 0.0, "start": "random"}
    config = resolve_config({**settings, "alignment": darec})
    return Model(config, train, text, torch.Generator().manual_seed(0))


def parts(model: Model, rounds: int) -> dict[str, float]:
    """Seconds of a step, and of its parts by themselves."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    started = time.process_time()
    users, items = next(iter(model.sampler.epoch(BATCH, generator)))
    order = time.process_time() - started
    draws = {"generator": generator, "alignment_generator": generator}
    batch = model.ranking.batch(users, items, 0, **draws)
    encoded = model.encode(batch, generator)
    outputs = [encoded.users, encoded.items]
    cut = [output.detach().requires_grad_() for output in outputs]

    def loss() -> None:
        for leaf in cut:
            leaf.grad = None
        model.backbone.losses(Encoded(cut[0], cut[1]), batch)["ranking"].backward()

    loss()
    grads = [leaf.grad for leaf in cut]

    def propagation() -> None:
        optimizer.zero_grad(set_to_none=True)
        fresh = model.encode(batch, generator)
        torch.autograd.backward([fresh.users, fresh.items], grads)

    propagation()
    optimizer.step()  # the first one makes its tables
    return {
        "order": order,
        "sampling": best_of(lambda: model.ranking.batch(users, items, 0, **draws), rounds)
        + order * BATCH / len(model.sampler),
        "propagation": best_of(propagation, rounds),
        "loss": best_of(loss, rounds),
        "optimiser": best_of(optimizer.step, rounds),
        "step": stepping(model, rounds),
    }


def stepping(model: Model, rounds: int) -> float:
    """Seconds of a whole step."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    users, items = next(iter(model.sampler.epoch(BATCH, generator)))

    def run() -> None:
        model.train_step(
            users, items, optimizer, step=1, generator=generator, alignment_generator=generator
        )

    run()
    return best_of(run, rounds)


def aligning(model: Model) -> float:
    """Seconds a step of the alignment's losses and their gradients at E_C; of several, as not each has all terms."""
    generator = torch.Generator().manual_seed(0)
    users, items = next(iter(model.sampler.epoch(BATCH, generator)))
    draws = {"generator": generator, "alignment_generator": generator}
    batch = model.ranking.batch(users, items, 0, **draws)
    encoded = model.encode()
    cut = [table.detach().requires_grad_() for table in (encoded.users, encoded.items)]

    def run() -> None:
        for step in range(ALIGNED):
            model.alignment.on_step(step, generator)
            terms = model.alignment.losses(Encoded(cut[0], cut[1]), replace(batch, step=step))
            if terms:
                torch.stack(list(terms.values())).sum().backward()

    run()
    return best_of(run, ROUNDS) / ALIGNED


def slopes(points: list[dict[str, Any]], along: str) -> dict[str, tuple[float, float]]:
    """Of every part: over all sizes, and between the two largest."""
    key = {"E": "edges", "N": "entities", "d": "width"}[along]
    found = {}
    for part in PARTS:
        measured = [point for point in points if part in point["milliseconds"]]
        sizes = [point[key] for point in measured]
        values = [max(point["milliseconds"][part], 1e-4) for point in measured]
        fit = stats.linregress(np.log(sizes), np.log(values))
        last = np.log(values[-1] / values[-2]) / np.log(sizes[-1] / sizes[-2])
        found[part] = (round(float(fit.slope), 2), round(float(last), 2))
    return found


def table(points: list[dict[str, Any]], along: str) -> str:
    """Markdown, a row a point, and the slopes under them."""
    lines = [
        f"| E | N | d | {' | '.join(f'{part}, ms' for part in PARTS)} | most of a step | epoch, B = {BATCH:,} | "
        "peak, MiB |",
        "|---|---|---|" + "---|" * (len(PARTS) + 3),
    ]
    for point in points:
        times = point["milliseconds"]
        shares = {part: times[part] for part in PARTS if part not in ("step", "alignment")}
        cells = [f"{times[part]:.3g}" if part in times else "" for part in PARTS]
        most = max(shares, key=lambda part: shares[part])
        seconds = times["step"] / 1e3 * -(-point["edges"] // BATCH)
        lines.append(
            f"| {point['edges']:,} | {point['entities']:,} | {point['width']} | "
            + " | ".join(cells)
            + f" | {most} ({shares[most] / sum(shares.values()):.0%}) | {seconds:,.3g} s | {point['peak_mib']:,} |"
        )
    if len(points) > 1:
        fitted = slopes(points, along)
        for name, place in (("slope", 0), ("between the two largest", 1)):
            lines.append(
                f"| {name} | | | "
                + " | ".join(f"{fitted[part][place]:.2f}" for part in PARTS)
                + " | | | |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure each point in its own process, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*POINTS], help="measure one dimension anew")
    parser.add_argument("--from", dest="least", type=int, default=0, help="only larger points")
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    parser.add_argument(
        "--one", type=int, nargs=3, metavar=("E", "N", "D"), help="one point, as JSON"
    )
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one)))
        return
    known = (RESULTS / "epoch_growth.json").exists()
    found: dict[str, Any] = load_result("epoch_growth")["points"] if known else {}
    for along, points in POINTS.items():
        if options.tables or options.only not in (None, along):
            continue
        place = list(POINTS).index(along)
        new = [point for point in points if point[place] >= options.least]
        found[along] = found.get(along, [])[: len(points) - len(new)]
        for point in new:
            command = [sys.executable, "-m", "benchmarks.epoch_growth", "--one", *map(str, point)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[along].append(json.loads(output.splitlines()[-1]))
            print(found[along][-1], flush=True)
        fitted = {name: slopes(rows, name) for name, rows in found.items()}
        write_result("epoch_growth", {"batch": BATCH, "slopes": fitted, "points": found})
    for along, rows in found.items():
        write_between(PAGE, f"growth in {along}", table(rows, along))


if __name__ == "__main__":
    main()
