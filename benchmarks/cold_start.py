"""Items that have only text: the study behind docs/studies/cold-start.md.

    python -m benchmarks.cold_start --splits 0 1 2
    python -m benchmarks.cold_start --splits 0 1 2 --report

A tenth of the items is held out with all its interactions (``darec import --split cold-items``), half for validation
and half for test; LightGCN never meets them. Then they get rows by their text and are ranked among themselves for every
user who has one. Runs are taken up where they stopped. The test items are read by the report alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.common import RESULTS, SHARED, write_between
from darec.api import fit
from darec.cold import MAPS, ColdStart, evaluate_cold
from darec.cold.maps import TextMap
from darec.data.build import import_dataset
from darec.data.cold import PARTS, HeldOut
from darec.data.dataset import Dataset
from darec.evaluation.metrics import Values
from darec.evaluation.significance import paired_bootstrap
from darec.run import Run
from darec.scoring import TableScorer
from darec.text import encode_dataset, load_text
from darec.text.new import NewTexts
from darec.types import FloatArray, Tables

DATA = ("toys", "steam")
ALIGNMENTS = ("none", "darec")
K = 20
METRICS = (f"recall@{K}", f"ndcg@{K}")
CHOSEN_BY = f"ndcg@{K}"
RANDOM, TEXT = "random order (expected)", "text neighbours, no training"
SETTINGS = {  # the loss is BPR by default
    "backbone.dim": 64,
    "train.lr": 2e-3,
    "options.seed": 0,
    "options.threads": 1,
}


def cold_dataset(name: str, seed: int, folder: Path) -> Dataset:
    """A data set with cold items, encoded."""
    out = folder / f"{name}-{seed}"
    if not (out / "manifest.json").is_file():
        import_dataset(
            SHARED / name / "interactions.csv",
            items=SHARED / name / "items.jsonl",
            split="cold-items",
            seed=seed,
            users_without_train="drop",
            out=out,
        )
    encode_dataset(out, "minilm")
    return Dataset.load(out)


def trained(data: Dataset, alignment: str, folder: Path) -> Run:
    """One run, or what an earlier call made of it."""
    assert data.path
    run = fit(
        data,
        backbone="lightgcn",
        alignment=alignment,
        settings=SETTINGS,
        out=folder / f"{data.path.name}-{alignment}",
        resume=True,
    )
    valid, seconds = run.metrics["valid/recall@20"], run.metrics["seconds"]
    print(f"{run.path}: valid recall@20 of warm items {valid:.4f}, {seconds:.0f} s", flush=True)
    return run


def values_of(
    data: Dataset, runs: dict[str, Run]
) -> tuple[dict[tuple[str, str], dict[str, Values]], dict[str, float]]:
    """Each user's metrics, [U] with NaN where they have no cold item, by method and part; what each map explains."""
    encoder, stored = NewTexts(data, "minilm"), load_text(data, "minilm")
    unit = F.normalize(torch.from_numpy(stored.items), dim=1)
    # The inner product with a mean of unit rows is the mean cosine.
    tastes = torch.zeros(data.n_users, unit.shape[1])
    tastes.index_add_(0, torch.from_numpy(data.train.users), unit[data.train.items])
    tastes /= torch.from_numpy(data.train.user_degree)[:, None]
    fitted: dict[str, tuple[Run, TextMap]] = {}
    for alignment, run in runs.items():
        for how in MAPS:
            text_map = ColdStart(run, how=how).fit().map_
            if text_map is None:
                raise TypeError("these runs score by tables")
            fitted[f"LightGCN + {alignment}, {how}"] = run, text_map
    found: dict[tuple[str, str], dict[str, Values]] = {}
    for name in PARTS:
        part = data.cold[name]
        vectors, _ = encoder.encode(part.catalogue["text"].to_list())
        cosines = F.normalize(torch.from_numpy(vectors), dim=1)
        found[RANDOM, name] = expected_at_random(part)
        found[TEXT, name] = by_user(tastes, cosines, part)
        for method, (run, text_map) in fitted.items():
            rows = torch.from_numpy(text_map.predict(vectors))
            found[method, name] = by_user(run.tables.users, rows, part)
    return found, {method: text_map.explained_ for method, (_, text_map) in fitted.items()}


def by_user(users: torch.Tensor, rows: torch.Tensor, part: HeldOut) -> dict[str, Values]:
    """The metrics of tables."""
    evaluation = evaluate_cold(TableScorer(Tables(users, rows)), part, (K,))
    return {name: spread(evaluation.values(name), evaluation.users, part) for name in METRICS}


def expected_at_random(part: HeldOut) -> dict[str, Values]:
    """What a random order comes to on average: every place is hit with the share of items that are relevant."""
    users = np.flatnonzero(part.pairs.user_degree)
    relevant = part.pairs.user_degree[users]
    n = part.pairs.n_items
    discount = 1 / np.log2(np.arange(2, K + 2))
    ideal = np.cumsum(discount)[np.minimum(relevant, K) - 1]
    recall = np.full(len(users), K / n)
    ndcg = discount.sum() * relevant / n / ideal
    return {
        name: spread(values, users, part)
        for name, values in zip(METRICS, (recall, ndcg), strict=True)
    }


def spread(values: Values, users: np.ndarray[Any, Any], part: HeldOut) -> Values:
    """[U], NaN for users without a cold item."""
    everyone = np.full(part.pairs.n_users, np.nan)
    everyone[users] = values
    return everyone


def study(name: str, splits: list[int], folder: Path, out: Path) -> dict[str, Any]:
    """All runs of one data set, and what they came to."""
    found, sizes = [], []
    explained: dict[str, list[float]] = {}
    for seed in splits:
        data = cold_dataset(name, seed, folder)
        runs = {alignment: trained(data, alignment, out) for alignment in ALIGNMENTS}
        values_here, explained_here = values_of(data, runs)
        found.append((data.users.ids, values_here))
        for method, share in explained_here.items():
            explained.setdefault(method, []).append(share)
        sizes.append({part: len(held.catalogue) for part, held in data.cold.items()})
        sizes[-1]["users"] = int((data.cold["test"].pairs.user_degree > 0).sum())
    assert all(ids == found[0][0] for ids, _ in found), "other users in another split"
    values = {
        (method, part, metric): np.stack([split[method, part][metric] for _, split in found])
        for method, part in found[0][1]
        for metric in METRICS
    }
    methods = list(dict.fromkeys(method for method, _, _ in values))
    chosen = {
        alignment: max(
            (f"LightGCN + {alignment}, {how}" for how in MAPS),
            key=lambda method: np.nanmean(values[method, "valid", CHOSEN_BY]),
        )
        for alignment in ALIGNMENTS
    }
    pairs = [(chosen[alignment], TEXT) for alignment in ALIGNMENTS]
    pairs += [(chosen["darec"], chosen["none"])]
    return {
        "splits": sizes,
        "chosen_on_validation": chosen,
        "explained": explained,
        "methods": {
            method: {
                part: {metric: figure(values[method, part, metric]) for metric in METRICS}
                for part in PARTS
            }
            for method in methods
        },
        "differences": [
            {
                "of": a,
                "minus": b,
                **{m: interval(values[a, "test", m], values[b, "test", m]) for m in METRICS},
            }
            for a, b in pairs
        ],
    }


def over_splits(values: FloatArray | Values) -> Values:
    """Each user's mean over the splits in which they have a cold item; users who never have one left out."""
    counted = ~np.isnan(values)
    seen = counted.any(axis=0)
    means: Values = np.nansum(values, axis=0)[seen] / counted.sum(axis=0)[seen]
    return means


def interval(a: Values, b: Values) -> dict[str, float]:
    """Mean difference and its 95% bootstrap interval over users."""
    compared = paired_bootstrap(over_splits(a), over_splits(b), seed=0)
    return {"mean": compared.difference, "low": compared.low, "high": compared.high}


def figure(values: Values) -> dict[str, Any]:
    """A mean with its interval, and the mean of each split."""
    by_split = [float(np.nanmean(row)) for row in values]
    return {**interval(values, np.where(np.isnan(values), np.nan, 0.0)), "by_split": by_split}


def page(results: dict[str, Any]) -> str:
    """The tables of the study, as Markdown."""
    lines = []
    for name, result in results.items():
        counts = "; ".join(
            f"{s['test']} cold test items, {s['users']:,} users" for s in result["splits"]
        )
        lines += [
            f"## {name} ({counts})",
            "",
            f"| method | explained | valid {METRICS[1]} | test {METRICS[0]} | test {METRICS[1]} "
            f"| {METRICS[0]}, split by split |",
            "|---|---|---|---|---|---|",
        ]
        for method, figures in result["methods"].items():
            mark = "**" if method in result["chosen_on_validation"].values() else ""
            recall, ndcg = (figures["test"][metric] for metric in METRICS)
            splits = ", ".join(f"{value:.4f}" for value in recall["by_split"])
            shares = result["explained"].get(method)
            cells = [f"{np.mean(shares):.0%}" if shares else ""]
            cells += [f"{figures['valid'][METRICS[1]]['mean']:.4f}", shown(recall), shown(ndcg)]
            lines.append(f"| {mark}{method}{mark} | {' | '.join(cells)} | {splits} |")
        lines += ["", "| difference on test | recall@20 | ndcg@20 |", "|---|---|---|"]
        for row in result["differences"]:
            cells = [shown(row[metric], "+") for metric in METRICS]
            lines.append(f"| {row['of']} minus {row['minus']} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).strip()


def shown(value: dict[str, float], sign: str = "") -> str:
    """A mean with its interval."""
    return "{mean:{s}.4f} ({low:{s}.4f} to {high:{s}.4f})".format(**value, s=sign)


def main() -> None:
    """Train what is missing; with --report, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/cold-start"))
    parser.add_argument("--runs", type=Path, default=Path("runs/cold-start"))
    parser.add_argument(
        "--splits", type=int, nargs="+", default=[0], help="seeds of the cold items"
    )
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        for name in DATA:
            for seed in arguments.splits:
                data = cold_dataset(name, seed, arguments.data)
                for alignment in ALIGNMENTS:
                    trained(data, alignment, arguments.runs)
        return
    results = {name: study(name, arguments.splits, arguments.data, arguments.runs) for name in DATA}
    (RESULTS / "cold_start.json").write_text(json.dumps(results, indent=2) + "\n")
    document = RESULTS.parents[1] / "docs" / "studies" / "cold-start.md"
    write_between(document, "tables", page(results))


if __name__ == "__main__":
    main()
