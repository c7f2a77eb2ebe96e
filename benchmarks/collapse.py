"""What became of the shared parts in some runs: the table of docs/studies/collapse.md, from the runs' histories.

python -m benchmarks.collapse NAME=RUN NAME=RUN ...
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, markdown, write_between

EPOCHS = (3, 21, 60, 120, 180)
FIGURES = {
    "rank of C_sh": "diagnostics/rank/C_sh",
    "rank of L_sh": "diagnostics/rank/L_sh",
    "spread of S_C": "diagnostics/spread/C_sh",
    "spread of S_L": "diagnostics/spread/L_sh",
    "global term": "loss/global",
    "valid Recall@20": "valid/recall@20",
}


def main() -> None:
    """Read the histories and write the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    rows: list[dict[str, Any]] = []
    for argument in parser.parse_args().runs:
        name, _, folder = argument.partition("=")
        for line in (Path(folder) / "history.jsonl").read_text().splitlines():
            evaluated = json.loads(line)
            if evaluated["epoch"] in EPOCHS:
                figures = {title: round(evaluated[key], 4) for title, key in FIGURES.items()}
                rows.append({"run": name, "epoch": int(evaluated["epoch"]), **figures})
    (RESULTS / "collapse.json").write_text(json.dumps(rows, indent=2) + "\n")
    content = markdown(list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    document = RESULTS.parents[1] / "docs" / "studies" / "collapse.md"
    write_between(document, "table", content)


if __name__ == "__main__":
    main()
