"""Short tables of sweeps, ablations and comparisons for a study's page.

python -m benchmarks.study_tables PAGE MARK=COMPARISON ...

Writes between ``<!-- MARK -->`` and ``<!-- end -->`` of docs/studies/PAGE.md, and the same figures to
results/PAGE_tables.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, markdown, write_between
from darec.compare.figures import Spread
from darec.compare.result import Comparison, Variant


def shown(spread: Spread | None) -> str:
    """``.1234 ±.0012``."""
    if spread is None:
        return ""
    return f"{spread.mean:.4f}" + (f" ±{spread.sd:.4f}" if spread.sd is not None else "")


def row(variant: Variant, comparison: Comparison) -> dict[str, Any]:
    """The figures of one variant, as cells."""
    metric = comparison.headline[0]
    gain = variant.gains.get(metric)
    relative = gain.relative if gain else None
    cell = ""
    if gain and relative:
        share, low, high = (100 * value for value in relative)
        cell = f"{share:+.1f}%{'*' if gain.significant else ''} [{low:+.1f}, {high:+.1f}]"
    return {
        comparison.words.one: variant.name if comparison.kind == "pairs" else variant.row,
        f"valid {comparison.monitor}": shown(variant.valid.get(comparison.monitor)),
        f"test {metric}": shown(variant.test.get(metric)),
        "test ndcg@20": shown(variant.test.get(comparison.headline[1])),
        f"difference to {comparison.baseline}": cell,
        "seeds": len(variant.seeds),
    }


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page")
    parser.add_argument("comparisons", nargs="+", metavar="MARK=COMPARISON")
    options = parser.parse_args()
    file = RESULTS / f"{options.page}_tables.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    for argument in options.comparisons:
        mark, _, folder = argument.partition("=")
        comparison = Comparison.load(Path(folder))
        rows = [row(variant, comparison) for variant in comparison.variants]
        content = markdown(list(rows[0]), [[str(cell) for cell in one.values()] for one in rows])
        page = RESULTS.parents[1] / "docs" / "studies" / f"{options.page}.md"
        write_between(page, mark, content)
        command = comparison.command.replace(f"{RESULTS.parents[1]}/", "")
        found[mark] = {"command": command, "machine": comparison.machine, "rows": rows}
    file.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
