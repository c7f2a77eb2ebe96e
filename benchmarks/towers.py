"""What two tables scored together would give: ``python -m benchmarks.towers NAME=COMPARISON ...``.

From the finished runs of comparisons, several of one name read as one: an id table (LightGCN), a text table (AlphaRec)
and DaRec's, seed by seed. Two tables are set side by side, each divided by the spread of its scores and the second
multiplied by a weight, so that a mixture is again an inner product of two tables. The weight is chosen on validation,
for all users or for each third of them by activity; the oracle takes each user's best weight on the *test* split and is
a bound, not a method. The table goes into docs/studies/towers.md.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any, Final

import numpy as np

from benchmarks.common import RESULTS, beside, percent, write_between, write_result
from benchmarks.target_32 import Trained, pooled
from darec.compare.gains import gain
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import Evaluator
from darec.evaluation.metrics import Values
from darec.run import Run
from darec.scoring import TableScorer
from darec.types import IntArray, Tables

WEIGHTS: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
METRIC: Final = "recall@20"
ID, TEXT, OURS = ("lightgcn", "none"), ("alpharec", "none"), ("lightgcn", "darec")
THIRDS: Final = 3
ALONE, ONE_WEIGHT = "the first alone", "one weight"
ORACLE = "oracle, each user's best weight"


def levelled(tables: Tables) -> Tables:
    """Tables whose scores spread by one over the items of a user, on average."""
    users = tables.users[:: max(1, len(tables.users) // 2000)]
    spread = (users @ tables.items.T).std(dim=1).mean()
    return Tables(tables.users / spread, tables.items)


class Split:
    """Recall@20 of each user on one split."""

    def __init__(self, dataset: Dataset, name: str) -> None:
        self.evaluator = Evaluator(
            dataset.split(name),
            dataset.train,
            dataset.train,
            (20,),
            user_groups=THIRDS,
            item_groups=0,
        )

    def of(self, tables: Tables) -> tuple[Values, IntArray]:
        """[n] values, and the third of each user by activity."""
        found = self.evaluator.evaluate(TableScorer(tables), ("recall",))
        return found.values(METRIC), found.user_group


def mixtures(dataset: Dataset, first: Tables, second: Tables) -> dict[str, Values]:
    """[n] test values by user: the first alone, mixtures by a chosen weight, and the oracle's."""
    valid, test = Split(dataset, "valid"), Split(dataset, "test")
    first, second = levelled(first), levelled(second)
    on_valid, on_test = [], []
    for weight in WEIGHTS:
        both = beside([first, second], [1.0, weight])
        (of_valid, valid_thirds), (of_test, test_thirds) = valid.of(both), test.of(both)
        on_valid.append(of_valid)
        on_test.append(of_test)
    by_weight = np.stack(on_test)
    best = int(np.argmax([values.mean() for values in on_valid]))
    by_third = [
        int(np.argmax([values[valid_thirds == third].mean() for values in on_valid]))
        for third in range(THIRDS)
    ]
    return {
        ALONE: by_weight[0],
        ONE_WEIGHT: by_weight[best],
        "a weight by activity": by_weight[np.array(by_third)[test_thirds], np.arange(len(of_test))],
        ORACLE: by_weight.max(axis=0),
    }


def main() -> None:
    """Mix and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparisons", nargs="+", metavar="NAME=COMPARISON")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    lines = ["| data | tables | how | width | Recall@20 | over LightGCN |", "|---" * 6 + "|"]
    for name, pairs in pooled(options.comparisons).items():
        values: dict[tuple[str, str], list[Values]] = {}
        widths: dict[str, int] = {}
        for seed in options.seeds:
            other = next(found_seed for found_seed in sorted(pairs[ID]) if found_seed != seed)

            def tables_of(runs: dict[int, Trained], seed: int) -> tuple[Dataset, Tables]:
                run = Run.load(runs[seed].folder)
                return run.dataset, run.tables

            dataset, ids = tables_of(pairs[ID], seed)
            _, text = tables_of(pairs[TEXT], seed)
            _, ours = tables_of(pairs[OURS], seed)
            _, again = tables_of(pairs[ID], other)
            for title, first, second in (
                ("LightGCN + AlphaRec", ids, text),
                ("LightGCN + LightGCN of another seed", ids, again),
                ("LightGCN with DaRec + AlphaRec", ours, text),
            ):
                widths[title] = first.users.shape[1] + second.users.shape[1]
                for how, by_user in mixtures(dataset, first, second).items():
                    values.setdefault((title, how), []).append(by_user)
        plain = np.stack(values["LightGCN + AlphaRec", ALONE])
        for (title, how), members in values.items():
            mine = np.stack(members)
            against = gain(mine, plain, tuple(options.seeds))
            spread = statistics.stdev(mine.mean(axis=1)) if len(mine) > 1 else None
            relative = [100 * x for x in against.relative or (0.0, 0.0, 0.0)]
            row = {
                "recall@20": round(float(mine.mean()), 5),
                "sd": None if spread is None else round(spread, 5),
                "gain": [round(x, 2) for x in relative],
            }
            found.setdefault(name, {})[f"{title}: {how}"] = row
            alone = how == ALONE
            lines.append(
                f"| {name} | {title.partition(' + ')[0] if alone else title} | {'alone' if alone else how} | "
                f"{widths[title] // 2 if alone else widths[title]} | {row['recall@20']:.4f}"
                f"{'' if spread is None else f' ±{spread:.4f}'} | "
                f"{percent(relative)} |"
            )
    write_result("towers", {"weights": WEIGHTS, "seeds": options.seeds, "data": found})
    unique = list(dict.fromkeys(lines))
    write_between(
        RESULTS.parents[1] / "docs" / "studies" / "towers.md", "towers", "\n".join(unique)
    )


if __name__ == "__main__":
    main()
