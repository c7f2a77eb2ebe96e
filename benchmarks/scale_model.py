"""Memory, time and traffic of an epoch at any size, on paper: ``python -m benchmarks.scale_model``.

A step of LightGCN is bytes over bandwidth (:mod:`benchmarks.traffic`). Three constants are measured in the same run:
the bandwidth of streaming, and the rates at which propagation adds up random rows of a table that fits into the cache
and of one that does not. The model is compared with the steps that results/epoch_growth.json and
results/epoch_cost.json hold, then told for 10^6 to 10^10 interactions on 1 to 64 processes in two layouts: column
shards and row shards.

Writes results/scale_model.json, the tables of docs/scale.md and docs/scale.svg. ``--tables`` measures nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from benchmarks.common import RESULTS, load_result, write_between, write_result
from benchmarks.traffic import FLOAT, Shape, step_bytes, summed, triad

DOCS = RESULTS.parents[1] / "docs"
EDGES: Final = tuple(10**k for k in range(6, 11))
PROCESSES: Final = (1, 4, 16, 64)
WIDTH, LAYERS, ENTITIES = 64, 3, 16  # ENTITIES: interactions for each of N
STEPS: Final = 500  # an epoch's, with a batch that grows with the data
CACHED, BEYOND = 4 << 20, 512 << 20  # bytes of the two tables from which rows are read
ROWS: Final = (8, 32, 64, 256)
CACHE: Final = 16 << 20  # what a core may take of the last cache, its half here
SKEW: Final = 0.6  # share s of the rows, those most often read, has share s^0.6 of the reads, as in the synthetic data
LATENCY: Final = 50e-6  # seconds of a message between processes


@dataclass(frozen=True)
class Machine:
    """What the model knows of a machine.

    Attributes:
        name: for tables.
        stream: bytes a second of one process that reads and writes in order.
        rows: bytes a second of random rows by their width, from a cache and from beyond it.
        memory: bytes that a process has.
        link: bytes a second between processes.
        cache: bytes of a table that stay in a cache.
    """

    name: str
    stream: float
    rows: dict[int, tuple[float, float]]
    memory: float
    link: float
    cache: float = CACHE

    def row_rate(self, width: int, table: float) -> float:
        """Bytes a second of random rows, by the log of the width; narrower ones than were measured take as long."""
        widths = sorted(self.rows)
        narrow = min(1.0, width / widths[0])
        cached, beyond = (
            narrow
            * np.interp(np.log(width), np.log(widths), [self.rows[at][place] for at in widths])
            for place in (0, 1)
        )
        hit = min(1.0, self.cache / table) ** SKEW
        return float(1 / (hit / cached + (1 - hit) / beyond))


def constants() -> dict[str, Any]:
    """This machine's, on one thread."""
    torch.set_num_threads(1)
    rates = {
        width: [summed(width, size // (FLOAT * width)) for size in (CACHED, BEYOND)]
        for width in ROWS
    }
    return {"stream": triad(), "rows": rates}


def step_seconds(shape: Shape, machine: Machine) -> float:
    """Of one step on one process."""
    parts = step_bytes(shape)
    rows = 2 * shape.layers * 2 * shape.edges * shape.width * shape.stored
    ordered = sum(parts.values()) - rows
    rate = machine.row_rate(shape.width, shape.table * shape.stored / FLOAT)
    return ordered / machine.stream + rows / rate


def layout(shape: Shape, machine: Machine, processes: int, kind: str) -> dict[str, float]:
    """Seconds, bytes of memory a process and bytes sent a process, of one step.

    Column shards: a process has all of the graph and d / P columns; it sends a number for each pair of the batch.
    Row shards: a process has N / P rows and their entries; before each product it gets the rows that it needs of the
    others, at most all of them.
    """
    graph = (
        2 * shape.edges * 3 * FLOAT + shape.edges * 6 * FLOAT
    )  # entries, and the pairs to draw from
    tables = (
        10 * shape.table
    )  # parameter, gradient, two moments; E_C, its gradient and what is on the way
    share = 1 - 1 / processes
    if kind == "columns":
        part = Shape(
            shape.edges, shape.entities, max(1, shape.width // processes), shape.layers, shape.batch
        )
        sent = 2 * share * shape.batch * FLOAT  # one number a pair, summed
        memory = graph + tables / processes
        seconds = step_seconds(part, machine)
        messages = 2
    else:
        part = Shape(
            shape.edges // processes,
            shape.entities // processes,
            shape.width,
            shape.layers,
            shape.batch // processes,
        )
        needed = min(shape.entities * share, 2 * shape.edges / processes)
        sent = 2 * shape.layers * needed * shape.width * FLOAT if processes > 1 else 0.0
        halo = needed * shape.width * FLOAT if processes > 1 else 0.0
        memory = (graph + tables) / processes + halo
        seconds = step_seconds(part, machine)
        messages = 2 * shape.layers
    if processes > 1:
        seconds += sent / machine.link + messages * LATENCY
    return {"seconds": seconds, "memory": memory, "sent": sent}


def machines(found: dict[str, Any]) -> list[Machine]:
    """The one that was measured, and one on paper."""
    rows = {int(width): (one, other) for width, (one, other) in found["rows"].items()}
    here = Machine("one core, constants measured", found["stream"], rows, 8e9, 1.25e9)
    # NVIDIA's data sheet of the H100 SXM (80 GB, 3.35 TB/s, 450 GB/s each way over NVLink); random rows at half of it.
    paper = dict.fromkeys(ROWS, (3.35e12, 1.675e12))
    gpu = Machine("H100, constants of the data sheet", 3.35e12, paper, 80e9, 450e9, cache=50e6)
    return [here, gpu]


def checked(machine: Machine) -> list[dict[str, Any]]:
    """The model beside the steps that were measured."""
    rows = []
    growth = load_result("epoch_growth")["points"]
    for along, points in growth.items():
        for point in points:
            shape = Shape(point["edges"], point["entities"], point["width"])
            rows.append(
                {
                    "from": f"growth in {along}",
                    "edges": shape.edges,
                    "entities": shape.entities,
                    "width": shape.width,
                    "measured_ms": point["milliseconds"]["step"],
                    "model_ms": round(1e3 * step_seconds(shape, machine), 3),
                }
            )
    for cost in load_result("epoch_cost")["costs"]:
        if cost["stored"] == "float32":
            shape = Shape(**cost["shape"])
            rows.append(
                {
                    "from": "toys",
                    "edges": shape.edges,
                    "entities": shape.entities,
                    "width": shape.width,
                    "measured_ms": cost["milliseconds"],
                    "model_ms": round(1e3 * step_seconds(shape, machine), 3),
                }
            )
    return rows


def planned(machine: Machine) -> list[dict[str, Any]]:
    """Every size, number of processes and layout."""
    rows = []
    for edges in EDGES:
        shape = Shape(edges, edges // ENTITIES, WIDTH, LAYERS, max(4096, edges // STEPS))
        for processes in PROCESSES:
            for kind in ("columns", "rows"):
                if processes == 1 and kind == "rows":
                    continue
                one = layout(shape, machine, processes, kind)
                rows.append(
                    {
                        "machine": machine.name,
                        "edges": edges,
                        "processes": processes,
                        "layout": kind if processes > 1 else "one process",
                        "epoch_seconds": one["seconds"] * shape.steps,
                        "memory_gb": one["memory"] / 1e9,
                        "sent_gb": one["sent"] * shape.steps / 1e9,
                        "fits": one["memory"] < machine.memory,
                    }
                )
    return rows


def duration(seconds: float) -> str:
    """As people say it."""
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:,.2g} s"


def amount(gigabytes: float) -> str:
    """Two digits in the unit that fits."""
    for size, name in ((1e3, "TB"), (1, "GB")):
        if gigabytes >= size:
            value = gigabytes / size
            return f"{value:,.0f} {name}" if value >= 10 else f"{value:,.1f} {name}"
    return f"{1e3 * gigabytes:,.0f} MB"


def plan_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a row a size and layout, a column a number of processes."""
    lines = [
        "| interactions | layout | " + " | ".join(f"P = {p}" for p in PROCESSES) + " |",
        "|---|---|" + "---|" * len(PROCESSES),
    ]
    by_key = {(row["edges"], row["processes"], row["layout"]): row for row in rows}
    for edges in EDGES:
        for kind in ("columns", "rows"):
            cells = []
            for processes in PROCESSES:
                row = by_key[edges, processes, kind if processes > 1 else "one process"]
                memory, sent = amount(row["memory_gb"]), amount(row["sent_gb"])
                memory = memory if row["fits"] else f"~~{memory}~~"
                cells.append(f"{duration(row['epoch_seconds'])}; {memory}; {sent}")
            lines.append(f"| 10^{round(np.log10(edges))} | {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def check_table(rows: list[dict[str, Any]]) -> str:
    """Markdown, and the spread of the ratios."""
    lines = [
        "| from | E | N | d | step measured | step by the model | measured / model |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['from']} | {row['edges']:,} | {row['entities']:,} | {row['width']} | "
            f"{row['measured_ms']:,.1f} ms | {row['model_ms']:,.1f} ms | {row['measured_ms'] / row['model_ms']:.2f} |"
        )
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]]) -> None:
    """docs/scale.svg: seconds of an epoch by interactions, a panel a machine; hollow where memory does not suffice."""
    from darec.report.drawing import COLOURS, empty_panels, svg

    names = list(dict.fromkeys(row["machine"] for row in rows))
    figure, panels = empty_panels(1, len(names), height=3.4)
    for name, axes in zip(names, panels, strict=True):
        for place, processes in enumerate(PROCESSES):
            for kind, style in (("columns", "-"), ("rows", "--"), ("one process", "-")):
                found = [
                    row
                    for row in rows
                    if (row["machine"], row["processes"], row["layout"]) == (name, processes, kind)
                ]
                if not found:
                    continue
                sizes, seconds = zip(
                    *((row["edges"], row["epoch_seconds"]) for row in found), strict=True
                )
                label = f"{processes} {'process' if processes == 1 else kind}"
                colour = COLOURS[place]
                axes.plot(sizes, seconds, style, lw=1, color=colour, label=label)
                for row in found:
                    face = colour if row["fits"] else "white"
                    axes.plot(row["edges"], row["epoch_seconds"], "o", ms=4, mec=colour, mfc=face)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("interactions")
        axes.set_ylabel("seconds an epoch")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=6.5, frameon=False)
    (DOCS / "scale.svg").write_text(svg(figure) + "\n")


def main() -> None:
    """Measure the constants, unless only the tables are asked for, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    options = parser.parse_args()
    found = load_result("scale_model")["constants"] if options.tables else constants()
    here, gpu = machines(found)
    checks, plans = checked(here), planned(here) + planned(gpu)
    write_result("scale_model", {"constants": found, "checks": checks, "plans": plans})
    write_between(DOCS / "scale.md", "checks", check_table(checks))
    for machine, mark in ((here, "cores"), (gpu, "gpus")):
        own = [row for row in plans if row["machine"] == machine.name]
        write_between(DOCS / "scale.md", mark, plan_table(own))
    draw(plans)


if __name__ == "__main__":
    main()
