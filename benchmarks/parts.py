"""Where to read the answer: what is scored of DaRec's parts. ``python -m benchmarks.parts NAME=COMPARISON ...``.

From the finished DaRec runs of comparisons: E_C, its shared and specific parts, the language's specific part L_sp, and
a table of the text alone in closed form (darec.alignments.darec.content_tables). Each is divided by the spread of its
scores and multiplied by a weight, so that a mixture is again an inner product of two tables. Weights are those of the
setting ``text_weight``, or the best on validation of a grid, or learned by gradient: a logistic regression (BPR) of the
parts' margins, over the training pairs or over those of validation. The table goes into docs/studies/parts.md.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import RESULTS, beside, percent, write_between, write_result
from benchmarks.target_32 import OURS, read
from darec.alignments.darec import DaRecConfig, content_tables
from darec.alignments.darec.text_input import score_spread
from darec.compare.gains import gain
from darec.data.dataset import Dataset
from darec.data.sampling import Sampler
from darec.evaluation.evaluate import Evaluator
from darec.evaluation.metrics import Values
from darec.graph import Graph
from darec.losses import bpr_loss
from darec.run import Run
from darec.scoring import TableScorer
from darec.types import Interactions, Tables
from darec.visualize.sides import restored_model

WEIGHTS: Final = (0.0, 0.15, 0.25, 0.4, 0.6, 1.0)
RECALL, TAIL = "recall@20", "items/1of3/recall@20"
METRICS: Final = (RECALL, TAIL)
N_PAIRS: Final = 100_000
PLAIN: Final = ("E_C", "")


def levelled(tables: Tables) -> Tables:
    """Tables whose scores spread by one."""
    return Tables(tables.users / score_spread(tables), tables.items)


class Reader:
    """Scores tables on a dataset's splits.

    Args:
        dataset: whose valid and test splits are looked at.
        seed: of the pairs that weights are learned from.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.sampler = Sampler(dataset.train)
        self.generator = torch.Generator().manual_seed(seed)
        self.evaluators = {
            name: Evaluator(
                dataset.split(name),
                dataset.train,
                dataset.train,
                (20,),
                user_groups=0,
                item_groups=3,
            )
            for name in ("valid", "test")
        }

    def values(self, tables: Tables, split: str) -> dict[str, Values]:
        """[n] values of each metric by user."""
        found = self.evaluators[split].evaluate(TableScorer(tables), ("recall",))
        return {metric: found.values(metric) for metric in METRICS}

    def chosen(self, parts: Sequence[Tables]) -> list[float]:
        """The weights of the grid that are best on validation, the first part's being one."""
        grid = [[1.0, *others] for others in itertools.product(WEIGHTS, repeat=len(parts) - 1)]
        on_validation = [
            self.values(beside(parts, weights), "valid")[RECALL].mean() for weights in grid
        ]
        return grid[int(np.argmax(on_validation))]

    def learned(self, parts: Sequence[Tables], split: Interactions) -> list[float]:
        """Weights of least BPR loss on a split's pairs, by LBFGS; convex, so the start does not matter."""
        rows = torch.randperm(len(split), generator=self.generator)[:N_PAIRS].numpy()
        users, items = torch.as_tensor(split.users[rows]), torch.as_tensor(split.items[rows])
        negatives = self.sampler.negatives(users, self.generator)
        margins = torch.stack([_margin(part, users, items, negatives) for part in parts], dim=1)
        weights = torch.ones(len(parts), requires_grad=True)
        optimiser = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = bpr_loss(margins @ weights)
            loss.backward()
            return loss

        optimiser.step(closure)
        return [float(weight) for weight in weights / weights[0].abs()]


def _margin(part: Tables, users: Tensor, items: Tensor, negatives: Tensor) -> Tensor:
    return (part.users[users] * (part.items[items] - part.items[negatives])).sum(1)


def readings(
    run: Run, reader: Reader
) -> Iterator[tuple[tuple[str, str], int, list[float], Tables]]:
    """(what is scored, how it is weighed), its width, the weights and the tables."""
    model, text = restored_model(run)
    with torch.no_grad():
        encoded = model.encode()
        parts = model.alignment.parts(encoded)
        E_C = levelled(model.ranking.scored(encoded))
    by_name = {
        name: levelled(Tables(parts["users"][name], parts["items"][name]))
        for name in ("C_sh", "C_sp", "L_sp")
    }
    sets: dict[str, list[Tables]] = {
        "C_sh, C_sp": [by_name["C_sh"], by_name["C_sp"]],
        "C_sh, C_sp, L_sp": list(by_name.values()),
        "E_C, L_sp": [E_C, by_name["L_sp"]],
    }
    config = cast(DaRecConfig, run.config.alignment)
    fixed = config.text_weight * model.diagnostics()["smoothing"] / config.smoothing
    mask = torch.as_tensor(text.item_mask)
    graph = Graph(run.dataset.train)
    width = E_C.items.shape[1]
    for columns in (32, 64):
        sets[f"E_C, text of {columns}"] = [
            E_C,
            content_tables(model.alignment.text.items, mask, graph, columns),
        ]
    yield PLAIN, width, [1.0], E_C
    for title, members in sets.items():
        ways: dict[str, list[float]] = {"chosen on validation": reader.chosen(members)}
        if "text" in title:
            ways = {"as by default": [1.0, fixed], **ways}
            yield (
                (title.removeprefix("E_C, "), "alone"),
                members[1].items.shape[1],
                [1.0],
                members[1],
            )
        ways["learned on training"] = reader.learned(members, run.dataset.train)
        ways["learned on validation"] = reader.learned(members, run.dataset.split("valid"))
        for how, weights in ways.items():
            tables = beside(members, weights)
            yield (title, how), tables.items.shape[1], weights, tables


def main() -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparisons", nargs="+", metavar="NAME=COMPARISON")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    lines = [
        "| data, backbone | scored | weights | width | Recall@20 | over E_C | least popular third |"
    ]
    lines.append("|---" * 7 + "|")
    for argument in options.comparisons:
        name, _, folder = argument.partition("=")
        for (backbone, alignment), runs in read(Path(folder)).items():
            if alignment != OURS:
                continue
            values: dict[tuple[str, str], list[Mapping[str, Values]]] = {}
            about: dict[tuple[str, str], tuple[int, list[list[float]]]] = {}
            seeds = tuple(seed for seed in options.seeds if seed in runs)
            for seed in seeds:
                run = Run.load(runs[seed].folder)
                reader = Reader(run.dataset, seed)
                for key, width, weights, tables in readings(run, reader):
                    values.setdefault(key, []).append(reader.values(tables, "test"))
                    about.setdefault(key, (width, []))[1].append(weights)
            plain = np.stack([member[RECALL] for member in values[PLAIN]])
            title = f"{name}, {backbone} of {about[PLAIN][0]}"
            for key, members in values.items():
                row = figures(members, plain, seeds, *about[key])
                found.setdefault(title, {})[": ".join(key)] = row
                lines.append(line(title, key, row))
    write_result("parts", {"grid": WEIGHTS, "data": found})
    write_between(RESULTS.parents[1] / "docs" / "studies" / "parts.md", "parts", "\n".join(lines))


def figures(
    members: Sequence[Mapping[str, Values]],
    plain: Values,
    seeds: tuple[int, ...],
    width: int,
    weights: list[list[float]],
) -> dict[str, Any]:
    """What one row of the table says."""
    mine = np.stack([member[RECALL] for member in members])
    against = gain(mine, plain, seeds)
    means = mine.mean(axis=1)
    return {
        "width": width,
        "weights": [round(x, 3) for x in np.mean(weights, axis=0)],
        RECALL: round(float(means.mean()), 5),
        "sd": round(statistics.stdev(means), 5) if len(means) > 1 else None,
        "gain": [round(100 * x, 2) for x in against.relative or (0.0, 0.0, 0.0)],
        TAIL: round(float(np.nanmean([member[TAIL] for member in members])), 5),
        "seeds": len(members),
    }


def line(title: str, key: tuple[str, str], row: Mapping[str, Any]) -> str:
    """One row of the table."""
    scored, how = key
    weights = ""
    if how and how != "alone":
        weights = f"{how}: {', '.join(f'{weight:.2f}' for weight in row['weights'])}"
    spread = "" if row["sd"] is None else f" ±{row['sd']:.4f}"
    over = "" if key == PLAIN else percent(row["gain"])
    return (
        f"| {title} | {scored} | {weights} | {row['width']} | {row[RECALL]:.4f}{spread} | {over} | "
        f"{row[TAIL]:.4f} |"
    )


if __name__ == "__main__":
    main()
