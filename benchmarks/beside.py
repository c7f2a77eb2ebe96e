"""A matrix beside trained tables, part by part: ``python -m benchmarks.beside NAME=RUN ...``.

RUN is the folder of a finished run without a matrix. For each, the tables alone, the matrix alone with the ridge that
validation chose, and the two added with the weight that validation chose. By default the matrix is that of L3AE, by the
entries of each column that are kept. With ``--shapes`` it has 50 entries, by how the text shapes it. The tables go into
docs/studies/beside.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch

from benchmarks.common import RESULTS, percent, write_between, write_result
from darec.backbones.ease import largest
from darec.compare.gains import gain
from darec.config import resolve_config
from darec.evaluation.evaluate import Evaluator
from darec.evaluation.result import Evaluation
from darec.run import Run
from darec.runtime import resolve_runtime
from darec.scoring import MatrixScorer, Scorer
from darec.training.beside import WEIGHTS
from darec.training.closed_form import ClosedFormTrainer
from darec.training.weighing import added, spread

ENTRIES: Final = (20, 50, 200, None)
L3AE: Final = {"l3ae": {"alignment": "l3ae"}}
SHAPES: Final[dict[str, dict[str, Any]]] = {
    **L3AE,
    **{
        f"collective, weight {weight}": {"alignment": "collective", "alignment.weight": weight}
        for weight in (30, 1000)
    },
}
METRICS: Final = ("recall@20", "ndcg@20", "items/1of3/recall@20")


def judged(scorer: Scorer, evaluators: dict[str, Evaluator]) -> dict[str, Evaluation]:
    """Both splits."""
    return {name: one.evaluate(scorer, ("recall", "ndcg")) for name, one in evaluators.items()}


Ways = dict[str, tuple[dict[str, Evaluation], dict[str, Any]]]


def matrices(
    run: Run, shapes: Mapping[str, Mapping[str, Any]], entries: Sequence[int | None]
) -> Iterator[tuple[str, MatrixScorer, dict[str, Any]]]:
    """Every matrix: the name that the table shows, the scorer, its ridge and the seconds to solve it."""
    for shape, settings in shapes.items():
        settings = {"backbone": "ease", "text.encoder": run.config.text.encoder, **settings}
        config, text = resolve_runtime(resolve_config(settings), run.dataset)
        trainer = ClosedFormTrainer(config, run.dataset, text)
        for candidate in trainer.candidates():
            begun = time.perf_counter()
            full = trainer.solve(candidate)
            seconds = round(time.perf_counter() - begun, 1)
            if not isinstance(full, MatrixScorer) or not isinstance(full.matrix, np.ndarray):
                raise TypeError("EASE without entries ends in a dense matrix")
            told = {"ridge": candidate.backbone.model_dump()["ridge"], "seconds": seconds}
            for number in entries:
                kept = f"{'all' if number is None else number} entries"
                label = f"{shape}, {kept}" if len(shapes) > 1 else kept
                if number is None:
                    yield label, full, told
                else:
                    some = largest(full.matrix, number)
                    yield label, MatrixScorer(some, full.histories, full.ties), told


def ways(run: Run, shapes: Mapping[str, Mapping[str, Any]], entries: Sequence[int | None]) -> Ways:
    """Each way to score, judged on both splits, and what validation chose for it.

    Args:
        run: a run without a matrix.
        shapes: settings of the alignment by the name that the table shows.
        entries: kept entries of each column; None keeps all.
    """
    data = run.dataset
    evaluators = {
        split: Evaluator(data.split(split), data.train, data.train, (20,), user_groups=0)
        for split in ("valid", "test")
    }
    found: Ways = {"tables alone": (judged(run.scorer, evaluators), {})}
    of_tables = spread(run.scorer, data)
    best: dict[str, float] = {}
    for label, matrix, told in matrices(run, shapes, entries):
        ratio = of_tables / spread(matrix, data)
        choices: list[tuple[str, float, Scorer]] = [(f"matrix alone, {label}", 0.0, matrix)]
        choices += [
            (f"both, {label}", weight, added(run.scorer, matrix, weight, ratio))
            for weight in WEIGHTS
        ]
        for name, weight, scorer in choices:
            value = evaluators["valid"].evaluate(scorer, ("recall",)).summary()["recall@20"]
            if value > best.get(name, -1.0):
                best[name] = value
                found[name] = judged(scorer, evaluators), {**told, "weight": weight}
    return found


def write(rows: list[dict[str, Any]], mark: str) -> None:
    """Write the rows so far."""
    command = "python -m benchmarks.beside" + (" --shapes" if mark == "shapes" else "")
    name = "beside_shapes" if mark == "shapes" else "beside"
    write_result(name, {"command": command, "rows": rows})
    lines = [
        "| data | scores | weight | ridge | valid Recall@20 | Recall@20 | over the tables | NDCG@20 "
        "| least popular third |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        ridge, weight = row.get("ridge"), row.get("weight") if "both" in row["way"] else None
        lines.append(
            f"| {row['data']} | {row['way']} | {'' if weight is None else f'{weight:g}'} | "
            f"{'' if ridge is None else f'{ridge:g}'} | {row['valid']:.4f} | {row['recall@20']:.4f} | "
            f"{percent(row['gain'])} | {row['ndcg@20']:.4f} | {row['items/1of3/recall@20']:.4f} |"
        )
    write_between(RESULTS.parents[1] / "docs" / "studies" / "beside.md", mark, "\n".join(lines))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--shapes", action="store_true", help="compare how the text shapes it")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for argument in asked.runs:
        name, _, folder = argument.partition("=")
        run = Run.load(folder)
        found = ways(run, SHAPES, (50,)) if asked.shapes else ways(run, L3AE, ENTRIES)
        plain = found["tables alone"][0]["test"].values("recall@20")
        for way, (evaluations, chosen) in found.items():
            mine = evaluations["test"]
            against = gain(mine.values("recall@20")[None], plain[None], (0,))
            relative = [100 * x for x in against.relative or (0.0, 0.0, 0.0)]
            rows.append(
                {
                    "data": name,
                    "way": way,
                    "valid": round(evaluations["valid"].summary()["recall@20"], 4),
                    **{metric: round(mine.summary()[metric], 4) for metric in METRICS},
                    "gain": [round(x, 1) for x in relative],
                    **chosen,
                }
            )
            print(rows[-1], flush=True)
        write(rows, "shapes" if asked.shapes else "beside")


if __name__ == "__main__":
    main()
