"""What is left beside DaRec's table: ``python -m benchmarks.mixtures NAME=COMPARISON ...``.

From the finished runs of comparisons, several of one name read as one: DaRec's table beside that of another seed, and
of the bare backbone and of rivals (``--beside``), mixed as in :mod:`benchmarks.towers`: the weight chosen on
validation, and the oracle's, each user's best weight on the *test* split, which is a bound and not a method. Another
seed of DaRec itself tells what mixing is worth where nothing new is said. The table goes into
docs/studies/target-32.md. With ``--renew`` the rows of tables that a call does not read stay as they were
measured last.
"""

from __future__ import annotations

import argparse
from typing import Any, Final

import numpy as np

from benchmarks.common import RESULTS, percent, renewed, write_between, write_result
from benchmarks.target_32 import OURS, Pair, Trained, pooled, rivals_of, titled
from benchmarks.towers import ALONE, ONE_WEIGHT, ORACLE, mixtures
from darec.compare.gains import gain
from darec.run import Run

SEED: Final = 0


def beside_ours(
    name: str, pairs: dict[Pair, dict[int, Trained]], mixed: list[str]
) -> list[dict[str, Any]]:
    """A row for every backbone and every table that DaRec's is mixed with."""
    rows = []
    for backbone in [pair[0] for pair in pairs if pair[1] == OURS]:
        mine = pairs[backbone, OURS]
        ours = Run.load(mine[SEED].folder)
        other = next(seed for seed in sorted(mine) if seed != SEED)
        others = {"DaRec of another seed": mine[other]}
        for pair in rivals_of(backbone, pairs):
            if (title := titled(pair, backbone)) in mixed:
                others[title] = pairs[pair][min(pairs[pair])]
        for title, run in others.items():
            found = mixtures(ours.dataset, ours.tables, Run.load(run.folder).tables)
            row: dict[str, Any] = {"data": name, "backbone": backbone, "beside": title}
            for how in (ONE_WEIGHT, ORACLE):
                over = gain(found[how][None], found[ALONE][None], (SEED,)).relative
                row[how] = [round(100 * x, 2) for x in over or (0.0, 0.0, 0.0)]
            row["ours"] = round(float(np.mean(found[ALONE])), 5)
            print(row, flush=True)
            rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| data, backbone | DaRec alone | beside it | weight by validation | oracle |",
        "|---" * 5 + "|",
    ]
    lines += [
        f"| {row['data']}, {row['backbone']} | {row['ours']:.4f} | {row['beside']} | {percent(row[ONE_WEIGHT])} | "
        f"{row[ORACLE][0]:+.1f}% |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Mix and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparisons", nargs="+", metavar="NAME=COMPARISON")
    parser.add_argument("--beside", nargs="+", default=["none", "contrastive", "alpharec"])
    parser.add_argument("--renew", action="store_true", help="Keep the last call's other rows.")
    options = parser.parse_args()
    rows = [
        row
        for name, pairs in pooled(options.comparisons).items()
        for row in beside_ours(name, pairs, options.beside)
    ]
    if options.renew:
        rows = renewed("mixtures", rows, ("data", "backbone", "beside"))
    write_result("mixtures", {"rows": rows})
    write_between(RESULTS.parents[1] / "docs" / "studies" / "target-32.md", "mixtures", table(rows))


if __name__ == "__main__":
    main()
