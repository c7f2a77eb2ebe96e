"""EASE over candidates against SANSA, a sparse EASE of others: ``python -m benchmarks.sansa NAME=DATASET ...``.

SANSA (Spisak et al., RecSys 2023) factorizes X'X + ridge I sparsely and inverts the factor approximately. Its library
builds against SuiteSparse, so it is no extra of darec's:

    apt install libsuitesparse-dev && pip install 'scikit-sparse<0.5' sansa

For each ridge and density the whole matrix B is multiplied out and scored like any item-item matrix. Both models choose
their ridge on validation. Writes results/sansa.json and the table of docs/studies/ease-sparse.md.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from scipy import sparse

from benchmarks.common import load_result, write_between, write_result
from benchmarks.ease_sparse import PAGE
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import Evaluator
from darec.graph import matrix_of
from darec.scoring import MatrixScorer, Scorer
from darec.training import make_trainer

RIDGES: Final = (100.0, 300.0, 1000.0)
DENSITIES: Final = (0.002, 0.01)
METRICS: Final = ("recall@20", "ndcg@20", "items/1of3/recall@20")
Row = dict[str, Any]


def sansa(data: Dataset, ridge: float, density: float) -> tuple[Scorer, float, int]:
    """SANSA's matrix as a scorer, the seconds that it took, and the numbers that SANSA itself would keep."""
    from sansa import (
        SANSA,
        CHOLMODGramianFactorizerConfig,
        SANSAConfig,
        UMRUnitLowerTriangleInverterConfig,
    )

    logging.disable(logging.INFO)
    X = matrix_of(data.train)
    config = SANSAConfig(
        l2=ridge,
        weight_matrix_density=density,
        gramian_factorizer_config=CHOLMODGramianFactorizerConfig(),
        lower_triangle_inverter_config=UMRUnitLowerTriangleInverterConfig(),
    )
    started = time.perf_counter()
    left, right = SANSA(config).fit(sparse.csr_matrix(X)).weights
    seconds = time.perf_counter() - started
    B = sparse.csr_array((left @ right).tocoo().astype(np.float32))
    B.setdiag(0)
    B.eliminate_zeros()
    return MatrixScorer(B, X, data.items.tie_order), seconds, left.nnz + right.nnz


def ease_sparse(data: Dataset, ridge: float) -> tuple[Scorer, float, int]:
    """The same of ours, with its default of 500 candidates."""
    config = resolve_config(
        {"backbone": {"name": "ease_sparse", "ridge": ridge}, "options.threads": 1}
    )
    trainer = make_trainer(config, data)
    trainer.fit()
    return trainer.scorer(), trainer.state.total_seconds, trainer.n_parameters


def measured(name: str, data: Dataset) -> list[Row]:
    """A row for each model, ridge and density."""
    evaluators = {
        split: Evaluator(data.split(split), data.train, data.train, (20,), user_groups=0)
        for split in ("valid", "test")
    }
    asked = [("sansa", ridge, density) for density in DENSITIES for ridge in RIDGES]
    rows = []
    for model, ridge, density in [*asked, *(("ease_sparse", ridge, None) for ridge in RIDGES)]:
        found = ease_sparse(data, ridge) if density is None else sansa(data, ridge, density)
        scorer, seconds, numbers = found
        row = {"data": name, "model": model, "ridge": ridge, "density": density}
        row |= {"seconds": round(seconds, 1), "numbers": numbers}
        for split, evaluator in evaluators.items():
            summary = evaluator.evaluate(scorer, ("recall", "ndcg")).summary()
            row |= {f"{split}/{metric}": round(summary[metric], 4) for metric in METRICS}
        rows.append(row)
        print(row, flush=True)
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: of each model and density, the ridge that validation chooses."""
    lines = [
        "| data | model | density | ridge | valid Recall@20 | Recall@20 | NDCG@20 | least popular third | seconds | "
        "numbers kept |",
        "|---" * 10 + "|",
    ]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["data"], row["model"], row["density"]), []).append(row)
    for (data, model, density), group in groups.items():
        best = max(group, key=lambda row: row["valid/recall@20"])
        figures = [best["valid/recall@20"], *(best[f"test/{metric}"] for metric in METRICS)]
        cells = [data, model, f"{density:g}" if density else "", f"{best['ridge']:g}"]
        cells += [f"{figure:.4f}" for figure in figures]
        lines.append(
            "| " + " | ".join([*cells, str(best["seconds"]), f"{best['numbers']:,}"]) + " |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", metavar="NAME=DATASET")
    parser.add_argument("--tables", action="store_true", help="only write the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.tables:
        rows = load_result("sansa")["rows"]
    else:
        rows = []
        for argument in options.datasets:
            name, _, folder = argument.partition("=")
            rows += measured(name, Dataset.load(Path(folder)))
        write_result("sansa", {"rows": rows})
    write_between(PAGE, "sansa", table(rows))


if __name__ == "__main__":
    main()
