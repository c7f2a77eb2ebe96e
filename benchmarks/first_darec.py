"""LightGCN against LightGCN + DaRec on real data: the study behind docs/studies/first-darec.md.

    python -m benchmarks.first_darec data/toys data/games data/steam --runs runs/first-darec
    python -m benchmarks.first_darec data/toys data/games data/steam --runs runs/first-darec --report

Every run is a folder that is taken up where it stopped, so that several processes may share the work by data set.
rho is chosen on validation with seed 0; the chosen one is then run with the other seeds. The test split is read
by the report alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import RESULTS, write_between
from darec.api import fit
from darec.data.dataset import Dataset
from darec.evaluation.result import Evaluation
from darec.evaluation.significance import paired_bootstrap
from darec.run import Run

SEEDS = (0, 1, 2)
RHOS = (0.1, 0.3, 1.0)
LAMBDA = 0.1
BASE = {"backbone": "lightgcn", "options.threads": 1}
# At 1e-3 games still improves after 140 epochs, ten minutes and more a run; all methods take the same larger step.
PER_DATA: dict[str, dict[str, Any]] = {"games": {"train.lr": 5e-3}}
RHOS_PER_DATA = {"games": (0.1, 0.3)}
# The paper's form aligns every step and learns slowly: one seed shows its place. On games, where a run takes five
# minutes and more, neither it nor today's defaults were run.
LEFT_OUT = ("games",)
METRICS = ("recall@20", "ndcg@20", "items/1of3/recall@20")
# The defaults when this was run. What it showed of collapse is why parts are centred now.
LOSSES = {"alignment.start": "random", "alignment.smoothing": 0.0}  # all that there was
THEN = {**LOSSES, "alignment.matching": "greedy", "alignment.centre": False}
TODAY = {"alignment": "darec", **LOSSES}
NONE = {"alignment": "none"}
PAPER = {
    "alignment": "darec",
    "alignment.balance": "fixed",
    "alignment.strength": LAMBDA,
    "alignment.hidden": [64],
    "alignment.w_glo": 1.0,
    "alignment.entities": "together",
    "alignment.every": 1,
    **THEN,
}


def train(data: Path, runs: Path, label: str, settings: dict[str, Any], seed: int) -> Run:
    """One run, or what an earlier call made of it."""
    out = runs / data.name / f"{label}-seed{seed}"
    settings = {**BASE, **PER_DATA.get(data.name, {}), **settings, "options.seed": seed}
    run = fit(data, settings=settings, out=out, resume=True)
    valid, seconds = run.metrics["valid/recall@20"], run.metrics["seconds"]
    print(f"{out}: valid recall@20 {valid:.4f}, {seconds:.0f} s", flush=True)
    return run


def balanced(rho: float) -> dict[str, Any]:
    """Settings of DaRec at one rho."""
    return {"alignment": "darec", "alignment.rho": rho, **THEN}


def choose_rho(data: Path, runs: Path) -> float:
    """The rho of the best validation Recall@20 at seed 0."""

    def value(rho: float) -> float:
        run = train(data, runs, f"darec-rho{rho}", balanced(rho), 0)
        return float(run.metrics["valid/recall@20"])

    return max(rhos(data), key=value)


def rhos(data: Path) -> tuple[float, ...]:
    """What is tried on a data set: on games, where a run takes long, two values that did best elsewhere."""
    return RHOS_PER_DATA.get(data.name, RHOS)


def study(data: Path, runs: Path) -> dict[str, Any]:
    """All runs of one data set, and what they came to."""
    rho = choose_rho(data, runs)
    methods: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
        "LightGCN": ("none", NONE, SEEDS),
        f"+ DaRec, rho = {rho}": (f"darec-rho{rho}", balanced(rho), SEEDS),
    }
    if data.name not in LEFT_OUT:
        paper = f"+ DaRec, the paper's form, lambda = {LAMBDA} (seed 0 only)"
        methods[paper] = ("darec-paper", PAPER, SEEDS[:1])
        methods["+ DaRec, centred, optimal matching"] = ("darec-today", TODAY, SEEDS)
    found = {
        name: [train(data, runs, label, settings, seed) for seed in seeds]
        for name, (label, settings, seeds) in methods.items()
    }
    dataset = Dataset.load(data)
    result: dict[str, Any] = {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "rho": rho,
        "valid_recall@20_by_rho": {
            str(r): train(data, runs, f"darec-rho{r}", balanced(r), 0).metrics["valid/recall@20"]
            for r in rhos(data)
        },
        "methods": {},
    }
    for name, seeds in found.items():
        figures: dict[str, Any] = {"runs": len(seeds)}
        for metric in METRICS:
            values = [run.metrics[f"test/{metric}"] for run in seeds]
            figures[metric] = {
                "mean": statistics.mean(values),
                "sd": statistics.stdev(values) if len(values) > 1 else None,
                "values": values,
            }
        figures["best_epoch"] = [run.metrics["best_epoch"] for run in seeds]
        figures["diagnostics"] = {
            key.removeprefix("diagnostics/"): statistics.mean(run.metrics[key] for run in seeds)
            for key in seeds[0].metrics
            if key.startswith("diagnostics/")
        }
        if name != "LightGCN":
            by_user, base = users(seeds), users(found["LightGCN"][: len(seeds)])
            for metric in METRICS[:2]:
                compared = paired_bootstrap(by_user[metric], base[metric], seed=0)
                figures[f"{metric} minus LightGCN"] = {
                    "difference": compared.difference,
                    "low": compared.low,
                    "high": compared.high,
                }
        result["methods"][name] = figures
    return result


def users(runs: list[Run]) -> dict[str, np.ndarray]:
    """Each user's value, averaged over seeds, so that the interval is over users."""
    kept = [Evaluation.load(run.path / "users-test.parquet") for run in runs if run.path]
    return {name: np.mean([e.values(name) for e in kept], axis=0) for name in METRICS[:2]}


def page(results: dict[str, Any]) -> str:
    """The tables of the study, as Markdown."""
    lines = []
    for name, result in results.items():
        lines += [f"### {name} ({result['users']:,} users, {result['items']:,} items)", ""]
        by_rho = ", ".join(
            f"{rho}: {value:.4f}" for rho, value in result["valid_recall@20_by_rho"].items()
        )
        lines += [f"Validation Recall@20 at seed 0 by rho: {by_rho}; chosen: {result['rho']}.", ""]
        lines += [
            "| method | Recall@20 | NDCG@20 | Recall@20, least popular third of items "
            "| difference in Recall@20 (95% interval over users) |",
            "|---|---|---|---|---|",
        ]
        for method, figures in result["methods"].items():
            cells = [_shown(figures[metric]) for metric in METRICS]
            difference = figures.get("recall@20 minus LightGCN")
            cells.append(
                "{difference:+.4f} ({low:+.4f} to {high:+.4f})".format(**difference)
                if difference
                else ""
            )
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines += ["", "Diagnostics at the best epoch, mean over seeds:", ""]
        aligned = {m: f["diagnostics"] for m, f in result["methods"].items() if f["diagnostics"]}
        keys = list(next(iter(aligned.values())))
        lines += ["| method | " + " | ".join(keys) + " |", "|---|" + "---|" * len(keys)]
        for method, figures in aligned.items():
            lines.append(f"| {method} | " + " | ".join(f"{figures[k]:.4g}" for k in keys) + " |")
        lines.append("")
    return "\n".join(lines)


def _shown(figure: dict[str, Any]) -> str:
    mean = f"{figure['mean']:.4f}"
    return mean if figure["sd"] is None else f"{mean} ± {figure['sd']:.4f}"


def main() -> None:
    """Run what is missing; with --report, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="+", type=Path, help="encoded dataset folders")
    parser.add_argument("--runs", type=Path, default=Path("runs/first-darec"))
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    results = {data.name: study(data, arguments.runs) for data in arguments.data}
    if not arguments.report:
        return
    (RESULTS / "first_darec.json").write_text(json.dumps(results, indent=2) + "\n")
    document = RESULTS.parents[1] / "docs" / "studies" / "first-darec.md"
    write_between(document, "tables", page(results))


if __name__ == "__main__":
    main()
