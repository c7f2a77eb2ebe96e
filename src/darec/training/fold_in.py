"""How trained tables fold in users who are only lists of items: one ridge step, its penalty chosen on validation.

With the item table Y fixed, a user's row is what alternating least squares would make of the history (Hu et al. 2008,
eq. 4; :class:`darec.scoring.RidgeFolding`). A strong penalty leaves the sum of the liked rows, in which long rows,
those of popular items, count most. A weak one divides by what all items have in common, popularity above all, and
leaves what is particular to the history. Which is better depends on data and loss (docs/studies/fold-in.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from scipy import sparse

from darec.config import TrainConfig
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import Evaluator
from darec.graph.filters import matrix_of
from darec.progress import counted
from darec.scoring import RidgeFolding, TableScorer
from darec.types import IntArray

RIDGES: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
"""Tried; with the last, rows are the sum of the liked items' for all practical purposes."""
DEFAULT: Final = 10.0
"""Where nothing is validated and no earlier run has chosen; the best over eight models in the study."""
UNOBSERVED: Final = 0.1
"""Weight of a pair that was not observed, beside 1 of one that was; .01 and 1 find the same within 1% in the study."""
CHOSEN: Final = "fold_in/ridge"
"""Where the choice stands among a run's diagnostics."""
_TINY: Final = float(np.finfo(np.float32).tiny)
_JUDGES: Final = 2000  # users of the validation split by whom the penalty is chosen, at most


def fitted_folding(
    scorer: TableScorer, dataset: Dataset, config: TrainConfig, *, validate: bool
) -> tuple[RidgeFolding, dict[str, float]]:
    """The folding of trained tables, and what to say of it.

    Users of the validation split are folded in by their training items and judged as the tables are. The rows are
    brought to the spread of scores that the users' own rows have, which matters where a matrix stands beside tables.

    Args:
        scorer: the trained tables.
        dataset: what they were trained on.
        config: with the metric that chooses, and the penalty where it is given.
        validate: whether the validation split may choose.
    """
    pairs = dataset.valid if validate else dataset.train
    users = np.flatnonzero((pairs.user_degree > 0) & (dataset.train.user_degree > 0))
    users = np.sort(np.random.default_rng(0).permutation(users)[:_JUDGES])
    histories = matrix_of(dataset.train)[users]
    ridge, told = config.fold_ridge or DEFAULT, {}
    if config.fold_ridge is None and validate and len(users):
        found = _judged(scorer, dataset, users, histories, config.monitor)
        ridge = max(found, key=lambda tried: found[tried])
        told = {f"fold_in/valid@{tried:g}": value for tried, value in found.items()}
    folding = ridge_step(scorer, ridge)
    if len(users):
        items = scorer.tables.items.cpu().float()
        own = scorer.tables.users.cpu().float()[torch.from_numpy(users)]
        folded = torch.from_numpy(folding.rows(histories, items))
        folding.scale = _spread(own, items) / max(_spread(folded, items), _TINY)
    return folding, {CHOSEN: ridge, **told}


def ridge_step(scorer: TableScorer, ridge: float) -> RidgeFolding:
    """Fold in by ridge regression on an item table.

    Args:
        scorer: the tables.
        ridge: the penalty, in units of the mean eigenvalue of the weighted Y'Y: neither the scale nor the width of a
            table changes what it does.
    """
    items = scorer.tables.items.cpu().double()
    unit = UNOBSERVED * float(items.square().sum()) / items.shape[1]
    return RidgeFolding(UNOBSERVED, max(ridge * unit, _TINY), 0.0)


def _judged(
    scorer: TableScorer,
    dataset: Dataset,
    users: IntArray,
    histories: sparse.csr_array,
    monitor: str,
) -> dict[float, float]:
    """What the validation split says of each penalty."""
    metric, _, k = monitor.partition("@")
    train, valid = dataset.train.of_users(users), dataset.valid.of_users(users)
    judge = Evaluator(valid, train, train, (int(k),), user_groups=0, item_groups=0)
    found = {}
    for ridge in counted(RIDGES, "choosing how new users are folded in"):
        folding = ridge_step(scorer, ridge)
        folded = TableScorer(scorer.tables, scorer.ties, folding).for_histories(histories)
        found[ridge] = judge.evaluate(folded, (metric,)).summary()[monitor]
    return found


def _spread(users: torch.Tensor, items: torch.Tensor) -> float:
    """Standard deviation of a user's scores over all items, the mean over the users."""
    centred = (items - items.mean(dim=0)).double()
    covariance = centred.T @ centred / len(items)
    rows = users.double()
    return float(((rows @ covariance) * rows).sum(dim=1).clamp_min(0).sqrt().mean())
