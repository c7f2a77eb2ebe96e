"""Fold new users into trained tables by one ridge step, whose penalty is chosen on validation.

With the item table Y fixed, a user's row is the solution of alternating least squares for the history (Hu et al. 2008,
eq. 4; :class:`darec.scoring.RidgeFolding`). A strong penalty gives the sum of the liked rows, in which the long rows of
popular items have most weight. A weak one divides by what all items have in common, mainly popularity, and keeps what
is particular to the history. Which is better depends on data and loss (docs/studies/fold-in.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from darec.config import TrainConfig
from darec.data.dataset import Dataset
from darec.evaluation.evaluate import validator
from darec.graph.filters import matrix_of
from darec.progress import counted
from darec.scoring import RidgeFolding, Scorer, TableScorer
from darec.types import IntArray, Tables

RIDGES: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
"""Candidates; with the last one, rows are practically the sum of the liked items' rows."""
DEFAULT: Final = 10.0
"""The penalty without validation and without an earlier choice; the best one over eight models in the study."""
UNOBSERVED: Final = 0.1
"""Weight of a pair that was not observed, beside 1 of one that was; .01 and 1 find the same within 1% in the study."""
CHOSEN: Final = "fold_in/ridge"
"""Name of the choice in a run's diagnostics."""
_TINY: Final = float(np.finfo(np.float32).tiny)
_JUDGES: Final = 2000  # largest number of validation users on whom the penalty is chosen


def fitted_folding(
    scorer: TableScorer,
    dataset: Dataset,
    config: TrainConfig,
    *,
    validate: bool,
    judged: Callable[[Scorer], Scorer] = lambda tables: tables,
) -> tuple[RidgeFolding, dict[str, float]]:
    """The folding of trained tables, and its diagnostics.

    Users of the validation split are folded in by their training items and evaluated like the tables. The rows are
    scaled to the spread of scores of the users' own rows, which is important if other scores are added to them.

    Args:
        scorer: the trained tables.
        dataset: the training dataset.
        config: has the metric of the choice, and the penalty if it is given.
        validate: whether the penalty may be chosen on the validation split.
        judged: the scorer of all users that is evaluated instead of the tables, if other scores are added to them.
    """
    pairs = dataset.valid if validate else dataset.train
    users = np.flatnonzero((pairs.user_degree > 0) & (dataset.train.user_degree > 0))
    users = np.sort(np.random.default_rng(0).permutation(users)[:_JUDGES])
    histories = matrix_of(dataset.train)[users]
    ridge, found = config.fold_ridge or DEFAULT, {}
    if config.fold_ridge is None and validate and len(users):
        metric, _, k = config.monitor.partition("@")
        judge = validator(dataset, int(k), users)
        for tried in counted(RIDGES, "choosing how new users are folded in"):
            tables = scorer.tables.users.cpu().float().clone()
            tables[users] = _folded(scorer, users, histories, tried)[1]
            folded = TableScorer(Tables(tables, scorer.tables.items), scorer.ties)
            found[tried] = judge.evaluate(judged(folded), (metric,)).summary()[config.monitor]
        ridge = max(found, key=lambda tried: found[tried])
    folding, _ = _folded(scorer, users, histories, ridge)
    told = {f"fold_in/valid@{tried:g}": value for tried, value in found.items()}
    return folding, {CHOSEN: ridge, **told}


def ridge_step(scorer: TableScorer, ridge: float) -> RidgeFolding:
    """Fold in by ridge regression on an item table.

    Args:
        scorer: the tables.
        ridge: the penalty, in units of the mean eigenvalue of the weighted Y'Y: its effect depends neither on the scale
            nor on the width of a table.
    """
    items = scorer.tables.items.cpu().double()
    unit = UNOBSERVED * float(items.square().sum()) / items.shape[1]
    return RidgeFolding(UNOBSERVED, max(ridge * unit, _TINY), 0.0)


def _folded(
    scorer: TableScorer, users: IntArray, histories: sparse.csr_array, ridge: float
) -> tuple[RidgeFolding, Tensor]:
    """The folding with its scale, and the rows [n, d] that it gives to users."""
    folding = ridge_step(scorer, ridge)
    items = scorer.tables.items.cpu().float()
    rows = torch.from_numpy(folding.rows(histories, items))
    if len(users):
        own = scorer.tables.users.cpu().float()[torch.from_numpy(users)]
        folding.scale = _spread(own, items) / max(_spread(rows, items), _TINY)
    return folding, folding.scale * rows


def _spread(users: Tensor, items: Tensor) -> float:
    """Standard deviation of a user's scores over all items, the mean over the users."""
    centred = (items - items.mean(dim=0)).double()
    covariance = centred.T @ centred / len(items)
    rows = users.double()
    return float(((rows @ covariance) * rows).sum(dim=1).clamp_min(0).sqrt().mean())
