"""Nearest neighbours in text, exact against faiss' lists: ``python -m benchmarks.text_neighbours``.

Vectors are synthetic: 384 columns in clusters within clusters, with noise longer than what the rows of a cluster have
in common, so that the nearest rows are not simply those of the cluster. Each size and way runs in a process of its own,
whose peak memory is told beside that of the vectors alone. Beyond 20,000 items exact comparison is timed for 2,000 rows
and told in proportion, since its time is so many times that of a row. Seconds are processor time.

Writes results/text_neighbours.json and the table of docs/studies/text-neighbours.md; a size that is not measured anew
keeps its figures. ``--tables`` only writes the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import torch

from benchmarks.common import RESULTS, load_result, write_between, write_result
from darec.graph import nearest, nearest_neighbours
from darec.memory import peak_rss_mb

SIZES, WIDTH, COUNT, TIMED = (10_000, 100_000), 384, 10, 2_000
PAGE = RESULTS.parents[1] / "docs" / "studies" / "text-neighbours.md"


def vectors(n: int) -> torch.Tensor:
    """[n, 384] float32: a topic, a subject in it and noise."""
    draw = np.random.default_rng(0)
    topics = draw.standard_normal((100, WIDTH), np.float32)
    subjects = topics[draw.integers(100, size=max(200, n // 50))]
    subjects += draw.standard_normal(subjects.shape, np.float32)
    x = draw.standard_normal((n, WIDTH), np.float32)
    x *= 1.5
    for start in range(0, n, 4096):
        part = x[start : start + 4096]
        part += subjects[draw.integers(len(subjects), size=len(part))]
    return torch.from_numpy(x)


def one(n: int, way: str) -> dict[str, Any]:
    """Measure one size and way, in this process."""
    torch.set_num_threads(1)
    x = vectors(n)
    before = peak_rss_mb()
    started = time.process_time()
    told: dict[str, Any] = {}
    if way == "exact":
        timed = n if n <= 2 * nearest.EXACT / 5 else TIMED
        nearest_neighbours(x, COUNT, None if timed == n else x[:timed])
        told = {"rows_timed": timed}
        seconds = (time.process_time() - started) * n / timed
    else:
        nearest.EXACT = 0  # type: ignore[misc]
        found = nearest.find_neighbours(x, COUNT)
        seconds = time.process_time() - started
        told = {"recall": round(found.recall or 0.0, 4), "of_all": round(checked(x, found), 4)}
    peak = peak_rss_mb()
    return {
        "items": n,
        "way": way,
        "seconds": round(seconds, 1),
        "vectors_mib": round(x.numel() * 4 / 2**20),
        "peak_mib": round(peak),
        "before_mib": round(before),
        **told,
    }


def checked(x: torch.Tensor, found: nearest.Neighbours) -> float:
    """Recall over 1,000 other rows than those by which it was measured."""
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))[:1000]
    _, exact = nearest_neighbours(x, COUNT + 1, x[rows])
    return float((found.cosines[rows] >= exact[:, -1:] - 1e-5).double().mean())


def table(found: list[dict[str, Any]]) -> str:
    """Markdown, a row a size."""
    lines = [
        "| items | vectors | exact | faiss | times faster | recall told | recall of 1,000 others | "
        "memory beside the vectors, exact | faiss |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    by_key = {(case["items"], case["way"]): case for case in found}
    for n in sorted({case["items"] for case in found}):
        exact, lists = by_key.get((n, "exact")), by_key.get((n, "faiss"))
        if exact is None or lists is None:
            continue
        scaled = "" if exact["rows_timed"] == n else " (scaled)"
        lines.append(
            f"| {n:,} | {exact['vectors_mib']:,} MiB | {exact['seconds']:,.1f} s{scaled} | {lists['seconds']:,.1f} s | "
            f"{exact['seconds'] / lists['seconds']:.1f} | {lists['recall']:.3f} | {lists['of_all']:.3f} | "
            f"{exact['peak_mib'] - exact['before_mib']:,} MiB | {lists['peak_mib'] - lists['before_mib']:,} MiB |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure each size and way in its own process, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--tables", action="store_true", help="only write the table")
    parser.add_argument("--one", nargs=2, metavar=("N", "WAY"), help="one case, as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(int(options.one[0]), options.one[1])))
        return
    known = RESULTS / "text_neighbours.json"
    found = load_result("text_neighbours")["cases"] if known.exists() else []
    for n in () if options.tables else options.sizes:
        for way in ("exact", "faiss"):
            command = [sys.executable, "-m", "benchmarks.text_neighbours", "--one", str(n), way]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            case = json.loads(output.splitlines()[-1])
            found = [one for one in found if (one["items"], one["way"]) != (n, way)] + [case]
            print(case, flush=True)
            write_result("text_neighbours", {"width": WIDTH, "count": COUNT, "cases": found})
    write_between(PAGE, "text-neighbours", table(found))


if __name__ == "__main__":
    main()
