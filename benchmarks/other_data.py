"""darec's default on data sets by which nothing was chosen: ``python -m benchmarks.other_data NAME=COMPARISON ...``.

Reads the finished runs of comparisons' folders as :mod:`benchmarks.target` does, with the same tests, and writes the
tables of docs/studies/other-data.md.
"""

from __future__ import annotations

import argparse

import torch

from benchmarks.common import RESULTS, write_between, write_result
from benchmarks.target import against, measured_all, table
from benchmarks.target_32 import correct
from darec.memory import keep_freed_memory


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparisons", nargs="+", metavar="NAME=COMPARISON")
    comparisons = parser.parse_args().comparisons
    torch.set_num_threads(1)
    keep_freed_memory()
    models, gains = measured_all(comparisons)
    correct(gains)
    write_result("other_data", {"models": models, "gains": gains})
    document = RESULTS.parents[1] / "docs" / "studies" / "other-data.md"
    write_between(document, "best", against(gains))
    write_between(document, "all", table(models))


if __name__ == "__main__":
    main()
