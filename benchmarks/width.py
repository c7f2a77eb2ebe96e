"""What the width of the tables is worth, and what it costs: ``python -m benchmarks.width NAME=SWEEP ...``.

Reads the finished runs of ``darec sweep --param backbone.dim=...``, several sweeps of one name as one. The table goes
into docs/studies/width.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, load_result, write_between, write_result
from benchmarks.target_32 import METRICS
from darec.config import resolve_config


def rows_of(name: str, sweep: Path) -> list[dict[str, Any]]:
    """A row for each finished run."""
    rows = []
    for folder in sorted((sweep / "runs").iterdir()):
        if not (folder / "metrics.json").is_file():
            continue
        metrics = json.loads((folder / "metrics.json").read_text())
        config = resolve_config(file=folder / "config.yaml")
        rows.append(
            {
                "data": name,
                "alignment": config.alignment.name,
                "width": config.backbone.model_dump()["dim"],
                "seed": config.options.seed,
                "seconds": metrics["seconds_per_epoch"],
                "epochs": metrics["best_epoch"],
                "mb": (folder / "scorer.safetensors").stat().st_size / 2**20,
                "valid/recall@20": metrics["valid/recall@20"],
                **{metric: metrics[f"test/{metric}"] for metric in METRICS.values()},
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line a data set, alignment and width."""
    lines = [
        "| data | alignment | width | valid Recall@20 | "
        + " | ".join(METRICS)
        + " | best epoch | s an epoch | MB |",
        "|---" * 10 + "|",
    ]
    keys = sorted({(row["data"], row["alignment"], row["width"]) for row in rows})
    for key in keys:
        group = [row for row in rows if (row["data"], row["alignment"], row["width"]) == key]

        def shown(name: str, form: str, group: list[dict[str, Any]] = group) -> str:
            return format(statistics.fmean(row[name] for row in group), form)

        cells = [*map(str, key), shown("valid/recall@20", ".4f")]
        cells += [shown(metric, ".4f") for metric in METRICS.values()]
        cells += [shown("epochs", ".0f"), shown("seconds", ".1f"), shown("mb", ".1f")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweeps", nargs="*", metavar="NAME=SWEEP")
    parser.add_argument("--tables", action="store_true", help="only write the table")
    options = parser.parse_args()
    if options.tables:
        rows = load_result("width")["rows"]
    else:
        rows = []
        for argument in options.sweeps:
            name, _, folder = argument.partition("=")
            rows += rows_of(name, Path(folder))
        write_result("width", {"rows": rows})
    write_between(RESULTS.parents[1] / "docs" / "studies" / "width.md", "width", table(rows))


if __name__ == "__main__":
    main()
