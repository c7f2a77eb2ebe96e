"""Somebody who is words alone: the study behind docs/studies/about.md.

    python -m benchmarks.about [--data data] [--runs runs/about]

*Match.* A query is two words that 5 to 100 items of the catalogue have in common: tags on steam ("farming sim relaxing
games"), words of the text on toys. Relevant are the items that hold both. The share of the ten best that are relevant,
and the share of the relevant among the twenty best.

*Taste.* A query is the title (steam) or the text (toys) of an item that a user has in training. Relevant is what the
user has in test; what they have in training is left out. Recall@20.

The weight is chosen on one half of the queries of the first kind, and the figures are those of the other half.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

import darec
from benchmarks.common import RESULTS, SHARED, shared_dataset, write_between, write_result
from darec.cold import ColdStart
from darec.data.dataset import Dataset
from darec.run import Run
from darec.scoring import MeanFolding, Scorer, TableScorer, one_history
from darec.scoring.extending import folded
from darec.text import encode_dataset
from darec.types import IntArray

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "steam": {"train.lr": 3e-3, "train.epochs": 9},
    "toys": {"loss": "softmax", "train.epochs": 6},
}
COMMON: Final = {
    "backbone.dim": 64,
    "text.encoder": "minilm",
    "options.seed": 0,
    "options.threads": 1,
}
WEIGHTS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
QUERIES, USERS = 600, 1000
_EVERYWHERE: Final = {
    "toys",
    "games",
    "title",
    "categories",
    *["the", "of", "a", "and", "to", "for", "in", "with"],
}


def words_of(name: str, data: Dataset) -> list[set[str]]:
    """[I] the tags of each item, or the words of its text."""
    if name == "toys":
        return [set(text.split()) - _EVERYWHERE for text in data.catalogue["text"].fill_null("")]
    lines = (SHARED / name / "items.jsonl").read_text().splitlines()
    tags = {item["item_id"]: set(item.get("tags") or ()) for item in map(json.loads, lines)}
    return [tags.get(item, set()) for item in data.items.texts]


def pairs_of(words: list[set[str]]) -> list[tuple[tuple[str, str], IntArray]]:
    """Pairs of words that some items have in common, drawn at random, and the rows of these items."""
    found: dict[tuple[str, str], list[int]] = {}
    for row, some in enumerate(words):
        for pair in combinations(sorted(some), 2):
            found.setdefault(pair, []).append(row)
    kept = [(pair, np.array(rows)) for pair, rows in found.items() if 5 <= len(rows) <= 100]
    order = np.random.default_rng(0).permutation(len(kept))[:QUERIES]
    return [kept[place] for place in order]


def scores_of(cold: ColdStart, run: Run, texts: list[str]) -> dict[str, Tensor]:
    """[n, I] of texts by each way: what ``ColdStart.recommend_about`` adds up, and what it was before."""
    vectors = cold._vectors(texts, None)
    n, ties = run.dataset.n_items, run.scorer.ties
    history = one_history(np.array([n]), n + 1)
    weights = sparse.csr_array(np.zeros((1, n), np.float32))

    def learned(scorer: Scorer) -> Tensor:
        rows = [
            folded(scorer, cold._mapped(words[None]), weights, history).score(np.zeros(1, np.int64))
            for words in vectors
        ]
        return torch.from_numpy(np.concatenate(rows))

    S = learned(run.scorer)
    C = F.normalize(torch.from_numpy(vectors), dim=1) @ torch.from_numpy(cold._unit_texts).T
    ratio = S.std(dim=1, keepdim=True) / C.std(dim=1, keepdim=True)
    found = {f"{weight:g}": (1 - weight) * S + weight * ratio * C for weight in WEIGHTS}
    return found | {"before": learned(TableScorer(run.tables, ties, MeanFolding()))}


def matched(scores: Tensor, relevant: list[IntArray]) -> tuple[float, float]:
    """Precision@10 and recall@20."""
    top = scores.topk(20, dim=1).indices.numpy()
    hits = [np.isin(row, rows) for row, rows in zip(top, relevant, strict=True)]
    recall = [hit.sum() / min(len(rows), 20) for hit, rows in zip(hits, relevant, strict=True)]
    return float(np.mean([hit[:10].mean() for hit in hits])), float(np.mean(recall))


def study(name: str, run: Run) -> dict[str, Any]:
    """What each weight finds."""
    data, cold = run.dataset, ColdStart(run).fit()
    queries = pairs_of(words_of(name, data))
    more = " games" if name == "steam" else ""
    scores = scores_of(cold, run, [f"{' '.join(pair)}{more}".lower() for pair, _ in queries])
    halves = [slice(0, None, 2), slice(1, None, 2)]
    rng, train, test = np.random.default_rng(1), data.train, data.test
    users = np.flatnonzero((train.user_degree > 0) & (test.user_degree > 0))
    users = rng.permutation(users)[:USERS].tolist()
    titles = data.titles if name == "steam" else data.catalogue["text"]
    liked = [titles[int(rng.choice(train.of_user(user)))] for user in users]
    of_users = scores_of(cold, run, liked)
    found: dict[str, Any] = {}
    for way, values in scores.items():
        tried, told = (
            matched(values[half], [rows for _, rows in queries[half]]) for half in halves
        )
        mine = of_users[way].clone()
        for row, user in enumerate(users):
            mine[row, train.of_user(user)] = -torch.inf
        top = mine.topk(20, dim=1).indices.numpy()
        hits = [np.isin(top[row], test.of_user(user)).sum() for row, user in enumerate(users)]
        recall = np.array(hits) / test.user_degree[users]
        found[way] = {
            "chosen by": tried[0],
            "precision@10": told[0],
            "recall@20": told[1],
            "taste": float(recall.mean()),
        }
    return found


def page(results: dict[str, Any]) -> str:
    """The tables, as Markdown."""
    lines = []
    names = {
        "before": "map, mean of unit rows (before)",
        "0": "0, map and ridge step",
        "1": "1, text alone",
    }
    for name, found in results.items():
        lines += [
            f"## {name}",
            "",
            "| weight of the text | precision@10 | recall@20 | taste: recall@20 |",
        ]
        lines.append("|---|---|---|---|")
        for way in ("before", *(f"{weight:g}" for weight in WEIGHTS)):
            figures = [found[way][figure] for figure in ("precision@10", "recall@20", "taste")]
            cells = " | ".join(f"{figure:.4f}" for figure in figures)
            lines.append(f"| {names.get(way, way)} | {cells} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def main() -> None:
    """Train, ask, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/about"))
    arguments = parser.parse_args()
    results = {}
    for name, settings in SETTINGS.items():
        data = shared_dataset(name, arguments.data / name)
        encode_dataset(data, "minilm", progress=False)
        run = darec.fit(
            data,
            alignment="darec",
            settings={**COMMON, **settings},
            out=arguments.runs / name,
            resume=True,
            progress=False,
        )
        results[name] = study(name, run)
    enough = [
        weight
        for weight in WEIGHTS
        if all(
            found[f"{weight:g}"]["chosen by"] >= found["1"]["chosen by"]
            for found in results.values()
        )
    ]
    write_result("about", {"chosen": min(enough), "results": results})
    document = RESULTS.parents[1] / "docs" / "studies" / "about.md"
    write_between(document, "tables", page(results))


if __name__ == "__main__":
    main()
