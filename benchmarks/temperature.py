"""What the temperature of the loss changes, and whether one epoch shows it.

Called as ``python -m benchmarks.temperature NAME=FOLDER ...``. Reads the finished runs of sweeps over
``loss.temperature`` or of comparisons, several of one data set's NAME as one. Writes the tables of
docs/studies/temperature.md: of tables without a matrix, and of the default, with a fixed temperature and a chosen one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, finished, markdown, named_rows, write_between, write_result
from benchmarks.target import spread
from benchmarks.target_32 import METRICS
from darec.recommended import WIDTH

Row = dict[str, Any]


def read(name: str, folder: Path) -> list[Row]:
    """A row for each finished run of a folder that has tables of the recommended width."""
    rows = []
    for run, config, metrics in finished(folder):
        assert config.beside is not None  # the settings of these runs add popularity
        if config.backbone.model_dump()["dim"] != WIDTH:
            continue
        first = json.loads((run / "history.jsonl").read_text().partition("\n")[0])
        rows.append(
            {
                "data": name,
                "matrix": config.beside.backbone is not None,
                "chosen": metrics.get("diagnostics/chosen/loss.temperature"),
                "temperature": config.loss.model_dump()["temperature"],
                "seed": config.options.seed,
                "first": first["valid/recall@20"],
                "best": metrics["valid/recall@20"],
                "epochs": metrics["best_epoch"],
                "popularity": metrics["diagnostics/beside/popularity"],
                **{metric: metrics[f"test/{metric}"] for metric in METRICS.values()},
            }
        )
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: every temperature on every data set."""
    head = ["data", "temperature", "valid after one epoch", "valid at the best epoch", "that epoch"]
    head += ["weight of popularity", *METRICS]
    lines = []
    for row in rows:
        cells = [row["data"], f"{row['temperature']:g}", f"{row['first']:.4f}"]
        cells += [f"{row['best']:.4f}", str(row["epochs"]), f"{row['popularity']:g}"]
        cells += [f"{row[metric]:.4f}" for metric in METRICS.values()]
        lines.append(cells)
    return markdown(head, lines)


def defaults(rows: list[Row]) -> str:
    """Markdown: the default with each setting of the temperature, means and standard deviations over seeds."""
    head = ["data", "temperature", "seeds", *METRICS]
    lines = []
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kind = f"{row['temperature']:g}" if row["temperature"] else "chosen"
        groups.setdefault((row["data"], kind), []).append(row)
    for (data, kind), group in groups.items():
        taken = sorted({row["chosen"] for row in group if row["chosen"]})
        note = f" ({', '.join(f'{one:g}' for one in taken)})" if taken else ""
        cells = [data, kind + note, str(len(group))]
        cells += [spread([row[metric] for row in group]) for metric in METRICS.values()]
        lines.append(cells)
    return markdown(head, lines)


def main() -> None:
    """Read, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="NAME=FOLDER")
    folders = parser.parse_args().folders
    rows = named_rows(folders, read, key=lambda row: row["temperature"] or 1.0)
    write_result("temperature", {"rows": rows})
    page = RESULTS.parents[1] / "docs" / "studies" / "temperature.md"
    write_between(page, "temperature", table([row for row in rows if not row["matrix"]]))
    write_between(page, "default", defaults([row for row in rows if row["matrix"]]))


if __name__ == "__main__":
    main()
