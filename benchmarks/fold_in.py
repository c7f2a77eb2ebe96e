"""Users who were not trained: the study behind docs/studies/fold-in.md.

    python -m benchmarks.fold_in [--data data] [--runs runs/fold-in]

A tenth of the users is left out of training altogether. They are folded in by their training items, or by one or three
of them, and their test items are looked for. Nothing is chosen on them: the penalty of the ridge step is what the run
chose on the validation items of the users whom it was trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import sparse

import darec
from benchmarks.common import RESULTS, SHARED, percent, shared_dataset, write_between, write_result
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import Evaluator
from darec.evaluation.significance import paired_bootstrap
from darec.graph.filters import matrix_of
from darec.run import Run
from darec.scoring import MeanFolding, Scorer, TableScorer, one_history
from darec.text import encode_dataset
from darec.training.fold_in import CHOSEN, fitted_folding
from darec.types import IntArray, Interactions, Tables

PAIRS: Final = {
    "toys": ("softmax", "softmax, DaRec"),
    "steam": ("softmax", "softmax, DaRec", "BPR", "BPR, DaRec"),
}
MODELS: Final[dict[str, tuple[str, dict[str, Any]]]] = {  # alignment and settings
    "softmax": ("none", {"loss": "softmax", "train.epochs": 10}),
    "softmax, DaRec": ("darec", {"loss": "softmax", "train.epochs": 10}),
    "BPR": ("none", {"train.lr": 3e-3, "train.epochs": 30}),
    "BPR, DaRec": ("darec", {"train.lr": 3e-3, "train.epochs": 30}),
}
SETTINGS: Final = {"backbone.dim": 64, "options.seed": 0, "options.threads": 1}
HISTORIES: Final = {"all": None, "3 items": 3, "1 item": 1}
METRIC: Final = "recall@20"
MEAN, RIDGE = "mean", "ridge step"
LIKED: Final = "Stardew Valley"


def dataset(name: str, folder: Path) -> Dataset:
    """A data set with the MiniLM vectors that lie beside it."""
    data = shared_dataset(name, folder / name)
    encode_dataset(data, f"file:{SHARED / name / 'item_embeddings_minilm.npy'}", progress=False)
    return data


def left_out(data: Dataset) -> IntArray:
    """[n] rows of a tenth of the users."""
    return np.sort(np.random.default_rng(0).permutation(data.n_users)[: data.n_users // 10])


def without(data: Dataset, users: IntArray) -> Dataset:
    """The data without the interactions of some users."""

    def rest(pairs: Interactions) -> Interactions:
        kept = ~np.isin(pairs.users, users)
        return Interactions.from_pairs(
            pairs.users[kept], pairs.items[kept], pairs.n_users, pairs.n_items
        )

    return replace(data, train=rest(data.train), valid=rest(data.valid), test=rest(data.test))


def shortened(histories: sparse.csr_array, n: int | None) -> sparse.csr_array:
    """At most n items of each, drawn at random."""
    if n is None:
        return histories
    rng = np.random.default_rng(1)
    found = [
        rng.permutation(row)[:n] for row in np.split(histories.indices, histories.indptr[1:-1])
    ]
    starts = np.cumsum([0, *map(len, found)])
    columns = np.concatenate(found)
    return sparse.csr_array((np.ones(len(columns), np.float32), columns, starts), histories.shape)


def recall(scorer: Scorer, data: Dataset, users: IntArray) -> np.ndarray[Any, Any]:
    """Of each user who has test items; validation items are candidates, as in all figures here."""
    train = data.train.of_users(users)
    judge = Evaluator(data.test.of_users(users), train, train, (20,), user_groups=0, item_groups=0)
    return judge.evaluate(scorer, ("recall",)).values(METRIC)


def study(run: Run, data: Dataset, held: IntArray) -> dict[str, Any]:
    """What each way to fold in finds."""
    tables, ties = run.tables, run.scorer.ties
    folding, told = fitted_folding(
        TableScorer(tables, ties), run.dataset, run.config.train, validate=True
    )
    ways: dict[str, Callable[[sparse.csr_array], Scorer]] = {
        MEAN: TableScorer(tables, ties, MeanFolding()).for_histories,
        RIDGE: TableScorer(tables, ties, folding).for_histories,
    }
    rest = np.setdiff1d(np.arange(data.n_users), held)
    sample = np.sort(np.random.default_rng(2).permutation(rest)[: len(held)])
    own = TableScorer(Tables(tables.users[sample], tables.items), ties)
    known = matrix_of(data.train)
    trained = {
        way: float(recall(fold(known[sample]), data, sample).mean()) for way, fold in ways.items()
    }
    found: dict[str, Any] = {
        "ridge": told[CHOSEN],
        "trained users": {"own row": float(recall(own, data, sample).mean()), **trained},
    }
    for label, n in HISTORIES.items():
        histories = shortened(known[held], n)
        values = {way: recall(fold(histories), data, held) for way, fold in ways.items()}
        gain = paired_bootstrap(values[RIDGE], values[MEAN], seed=0)
        share = 100 / values[MEAN].mean()
        found[label] = {
            **{way: float(value.mean()) for way, value in values.items()},
            "gain": [float(share * one) for one in (gain.difference, gain.low, gain.high)],
        }
    if LIKED in data.titles.to_list():
        row = np.array([data.names.row(LIKED)])
        one, has = (
            one_history(row, data.n_items),
            Interactions.from_pairs(row * 0, row, 1, data.n_items),
        )
        lists = {way: fold(one).top_k(k=6, exclude=has)[0][0] for way, fold in ways.items()}
        found[LIKED] = {
            way: [data.title(int(item)) for item in rows] for way, rows in lists.items()
        }
    return found


def page(results: dict[str, Any]) -> str:
    """The tables of the study, as Markdown."""
    lines = [
        "| data, model | ridge | trained users: own row | mean | ridge step | left out: mean | ridge step | gain |",
        "|---|---|---|---|---|---|---|---|",
    ]
    short = ["| data, model | history | mean | ridge step | gain |", "|---|---|---|---|---|"]
    liked = [f"| data, model | way | the first six for one who likes *{LIKED}* |", "|---|---|---|"]
    for name, found in results.items():
        trained, whole = found["trained users"], found["all"]
        figures = [trained["own row"], trained[MEAN], trained[RIDGE], whole[MEAN], whole[RIDGE]]
        cells = " | ".join(f"{figure:.4f}" for figure in figures)
        lines.append(f"| {name} | {found['ridge']:g} | {cells} | {percent(whole['gain'])} |")
        for label in ("3 items", "1 item"):
            mean, ridge, gain = (found[label][way] for way in (MEAN, RIDGE, "gain"))
            short.append(f"| {name} | {label} | {mean:.4f} | {ridge:.4f} | {percent(gain)} |")
        liked += [
            f"| {name} | {way} | {', '.join(titles)} |"
            for way, titles in found.get(LIKED, {}).items()
        ]
    return "\n".join([*lines, "", *short, "", *liked])


def main() -> None:
    """Train, fold in, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/fold-in"))
    arguments = parser.parse_args()
    results = {}
    for name, models in PAIRS.items():
        data = dataset(name, arguments.data)
        held = left_out(data)
        fewer = without(data, held)
        for model in models:
            alignment, settings = MODELS[model]
            run = darec.fit(
                fewer,
                alignment=alignment,
                settings={**SETTINGS, **settings},
                out=arguments.runs / f"{name}-{model.replace(', ', '-').lower()}",
                resume=True,
                progress=False,
            )
            results[f"{name}, {model}"] = study(run, data, held)
            print(name, model, results[f"{name}, {model}"], flush=True)
    write_result("fold_in", {"results": results})
    document = RESULTS.parents[1] / "docs" / "studies" / "fold-in.md"
    write_between(document, "tables", page(results))


if __name__ == "__main__":
    main()
