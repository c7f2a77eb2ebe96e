"""What the default gains by an early epoch, and by weights that are chosen with the least popular items in mind.

Called as ``python -m benchmarks.tail NAME=FOLDER ...``. Reads the finished runs of comparisons with different
``train.min_gain`` and ``beside.tail``, several of one data set's NAME as one. Writes the table of docs/studies/tail.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, finished, markdown, named_rows, write_between, write_result
from benchmarks.target import spread
from benchmarks.target_32 import METRICS

Row = dict[str, Any]


def read(name: str, folder: Path) -> list[Row]:
    """A row for each finished run of a folder."""
    rows = []
    for _, config, metrics in finished(folder):
        assert config.beside is not None  # the default adds popularity and a matrix
        rows.append(
            {
                "data": name,
                "min_gain": config.train.min_gain,
                "tail": config.beside.tail,
                "seed": config.options.seed,
                "kept": metrics["best_epoch"],
                **{metric: metrics[f"test/{metric}"] for metric in METRICS.values()},
            }
        )
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: each pair of settings on every data set, means and standard deviations over seeds."""
    head = ["data", "`train.min_gain`", "`beside.tail`", "seeds", "kept epochs", *METRICS]
    lines = []
    groups: dict[tuple[str, float, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["data"], row["min_gain"], row["tail"]), []).append(row)
    for (data, least, tail), group in groups.items():
        seeds = ", ".join(str(row["seed"]) for row in group)
        kept = ", ".join(str(row["kept"]) for row in group)
        cells = [data, f"{least:g}", f"{tail:g}", seeds, kept]
        cells += [spread([row[metric] for row in group]) for metric in METRICS.values()]
        lines.append(cells)
    return markdown(head, lines)


def main() -> None:
    """Read, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="NAME=FOLDER")
    folders = parser.parse_args().folders
    rows = named_rows(folders, read, key=lambda row: (row["min_gain"], row["tail"], row["seed"]))
    write_result("tail", {"rows": rows})
    page = RESULTS.parents[1] / "docs" / "studies" / "tail.md"
    write_between(page, "tail", table(rows))


if __name__ == "__main__":
    main()
