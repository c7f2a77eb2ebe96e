"""The text report: coverage, shape, agreement, recall without training, regression, and the conclusion.

It is computed from training interactions and stored embeddings; recall is measured on the validation split. The test
split is never read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch

from darec.data.dataset import Dataset
from darec.diagnose.agreement import agreement, shuffled_neighbours
from darec.diagnose.assessment import Assessment, assess
from darec.diagnose.coverage import coverage, shape
from darec.diagnose.estimate import by_popularity
from darec.diagnose.figures import Figures
from darec.diagnose.recall import Chosen, Recalls
from darec.diagnose.regression import FOLDS, out_of_fold, regression
from darec.diagnose.scorers import (
    ScoreFunction,
    centred,
    inner,
    low_pass,
    neighbours,
    popularity,
    profile,
    unit,
)
from darec.errors import ConfigError, DataError
from darec.evaluation.metrics import Values
from darec.graph import Graph, shared_text, text_neighbours
from darec.progress import OnStage
from darec.types import TextTable

WIDTHS: Final = (64, 128, 256)
"""Widths of the collaborative tables; validation chooses one."""
FACTORS: Final = 128
"""Number of collaborative factors that are predicted from text."""


@dataclass(frozen=True)
class TextReport:
    """The figures, the conclusion, and their origin.

    Attributes:
        dataset: name of its folder.
        encoder: in the form of ``darec encode``.
        seed: of all draws.
        figures: the measurements.
        reading: the conclusion.
    """

    dataset: str
    encoder: str
    seed: int
    figures: Figures
    reading: Assessment

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def text_report(
    dataset: Dataset,
    text: TextTable,
    *,
    k: int = 10,
    max_users: int = 20_000,
    seed: int = 0,
    on_stage: OnStage = lambda stage: None,
) -> TextReport:
    """Measure how much the texts say about users' taste.

    Args:
        dataset: with training and validation interactions.
        text: E_L.
        k: number of neighbours of an item, in text and in co-interactions.
        max_users: the most users that are evaluated; they are drawn at random.
        seed: of all draws.
        on_stage: called with the name of each stage.

    Raises:
        ConfigError: k or ``max_users`` is below 1.
        DataError: there are no training or validation interactions, too few users or items, or too few items with text
            for k.
    """
    if k < 1 or max_users < 1:
        raise ConfigError(f"{k} neighbours, {max_users} users: choose at least 1 of each.")
    if not len(dataset.train):
        raise DataError("the dataset has no training interactions, and a report needs some.")
    recalls = Recalls(dataset, max_users, seed)
    rows = np.flatnonzero(text.item_mask)
    known = text.item_mask & (dataset.train.item_degree > 0)
    if len(rows) <= k:
        raise DataError(
            f"{len(rows)} items have text, too few for {k} neighbours: lower -k, or encode more."
        )
    if known.sum() < 2 * FOLDS:
        raise DataError(
            f"{known.sum()} items have both text and training users and at least {2 * FOLDS} are needed."
        )
    on_stage("neighbours in text")
    near, cosines = shuffled_neighbours(unit(text.items[rows]), k, seed)
    on_stage("neighbours in interactions")
    agreed = agreement(near, rows, dataset.train)
    trusted = shared_reliability(text, Graph(dataset.train), k)

    on_stage("closed forms of text and interactions")
    train, items = dataset.train, centred(text.items, text.item_mask)
    users_c, items_c = low_pass(train, max(WIDTHS), seed)
    widths = sorted({min(width, items_c.shape[1]) for width in WIDTHS})
    factors = items_c[:, :FACTORS]
    on_stage("regression from text to factors")
    predicted = out_of_fold(items, factors, known, text.item_mask, seed)

    of_text: dict[str, ScoreFunction] = {
        "profile": profile(items, train),
        "neighbours": neighbours(near, cosines, rows, items, train),
    }
    of_both: dict[str, ScoreFunction] = {
        f"width {width}": inner(users_c[:, :width], items_c[:, :width]) for width in widths
    }
    others = {
        "popular": popularity(train),
        "own": inner(users_c[:, :FACTORS], factors),
        "predicted": inner(users_c[:, :FACTORS], predicted),
    }
    found: dict[str, Values] = {}
    for name, scorer in (of_text | of_both | others).items():
        on_stage(f"recall of {name}")
        found[name] = recalls.of(scorer)
    found["random"] = recalls.at_random(found["popular"])
    text_best = recalls.best({name: found[name] for name in of_text})
    interactions = recalls.best({name: found[name] for name in of_both})
    alone = recalls.best({name: found[name] for name in of_text | of_both})
    total = _sum(recalls, found, of_text, of_both, text_best, interactions, on_stage)
    chosen = {"text": text_best, "interactions": interactions, "alone": alone, "sum": total}
    found |= {name: choice.columns for name, choice in chosen.items()}
    on_stage("intervals")
    figures = Figures(
        coverage=coverage(dataset, text, cosines[:, 0]),
        shape=shape(unit(text.items[rows])),
        agreement=agreed,
        reliability=trusted,
        regression=regression(factors, predicted, known, seed),
        recalls={
            name: by_popularity(columns) for name, columns in found.items() if name not in of_both
        },
        gain=by_popularity(total.columns - alone.columns),
        lead=by_popularity(text_best.columns - interactions.columns),
        chosen={name: choice.names for name, choice in chosen.items()},
        groups=recalls.evaluator.groups,
        users=len(recalls.users),
    )
    name = dataset.path.name if dataset.path else "dataset"
    return TextReport(name, text.name, seed, figures, assess(figures))


def shared_reliability(text: TextTable, graph: Graph, k: int) -> float:
    """Return the reliability of k neighbours in the shared part of the text; DaRec weighs them by it."""
    items, mask = (torch.from_numpy(np.array(array)) for array in (text.items, text.item_mask))
    near = text_neighbours(items, mask, graph, shared=shared_text(items, mask, graph), count=k)
    return 0.0 if near is None else near.reliability


def _sum(
    recalls: Recalls,
    found: dict[str, Values],
    of_text: dict[str, ScoreFunction],
    of_both: dict[str, ScoreFunction],
    text: Chosen,
    interactions: Chosen,
    on_stage: OnStage,
) -> Chosen:
    """Return the sum of the chosen scorers with the chosen weight of text; 0 and 1 are candidates too."""
    made: dict[tuple[str, str], Chosen] = {}
    pairs = list(zip(interactions.names, text.names, strict=True))
    for one, other in dict.fromkeys(pairs):
        on_stage(f"recall of sums of {one} and {other}")
        sums = recalls.of_sums(of_both[one], of_text[other])
        made[one, other] = recalls.best({"0": found[one], **sums, "1": found[other]})
    first, second = (made[pair] for pair in pairs)
    columns = np.where(recalls.first, first.columns, second.columns)
    return Chosen((first.names[0], second.names[1]), columns)
