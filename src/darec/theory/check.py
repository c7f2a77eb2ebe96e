"""Estimate, from a dataset, the information of interactions and of text about held-out preferences.

The target Y says whether a pair of user and item is a *validation* interaction or a random item that the user has in
neither training nor validation, one of each, so that H(Y) = log 2. A logistic regression on the features of one side
(:mod:`darec.theory.features`: training interactions, or text) is fitted to some users and judged on others. Its gain,
log 2 minus its cross-entropy on users it has not seen, is in expectation at most the information between that side and
Y, because no predictor beats the conditional entropy (Barber & Agakov, NeurIPS 2003). So

- each of the three *gains* (interactions, text, both) is a lower bound, which is only as good as its predictor;
- *differences* of gains (the gap, the information of only one side, that of both) are estimates and not bounds: a side
  with a poorer predictor than the other seems to have less information than it has.

The intervals are percentiles over resampled users with fixed predictors. They show how much another sample of users
could differ. They do not cover better predictors or other kinds of held-out items. The test split is not used.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError
from darec.progress import OnStage
from darec.theory.features import Features, interaction_features, text_features
from darec.types import IntArray, Interactions, TextTable

Negatives = Literal["uniform", "popularity"]
SIDES: Final = ("interactions", "text", "both")
LEAST_USERS: Final = 50
"""Least number of users with held-out preferences; fewer would show nothing."""
_RESAMPLES: Final = 2000
# It limits the products with a thousand pairs, and has no noticeable effect with tens of thousands.
_INVERSE_PENALTY: Final = 0.01
_ROUNDS: Final = 100  # number of attempts to draw an item that a user does not have


@dataclass(frozen=True)
class InformationEstimate:
    """A figure with its 95% bootstrap interval over users."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class InformationCheck:
    """The estimates for a dataset, in nats; H(Y) = log 2 = 0.693.

    Attributes:
        interactions: gain of the training interactions alone.
        text: gain of the text alone.
        both: gain of both together.
        gap: interactions minus text; its magnitude estimates delta_p.
        only_interactions: both minus text.
        only_text: both minus interactions.
        shared: interactions plus text minus both: the information that the sides share, minus that of only their
            combination.
        price: both minus the weaker side, as a share of both: an estimate of the least share of the information that an
            exactly aligned pair must lose, which is the theorem's bound plus I(W;Y|S).
        n_pairs: number of judged pairs, half of them validation interactions.
        n_users: number of users with any.
        encoder: the encoder of the text.
        negatives: how the items that were not chosen were drawn.
    """

    interactions: InformationEstimate
    text: InformationEstimate
    both: InformationEstimate
    gap: InformationEstimate
    only_interactions: InformationEstimate
    only_text: InformationEstimate
    shared: InformationEstimate
    price: InformationEstimate
    n_pairs: int
    n_users: int
    encoder: str
    negatives: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def check(
    dataset: Dataset,
    text: TextTable,
    *,
    max_pairs: int = 50_000,
    negatives: Negatives = "uniform",
    folds: int = 5,
    seed: int = 0,
    on_stage: OnStage = lambda stage: None,
) -> InformationCheck:
    """Estimate the information of each side about the validation interactions.

    Args:
        dataset: training interactions make the features, validation interactions the target.
        text: E_L.
        max_pairs: largest number of validation interactions to use, drawn at random.
        negatives: draw items uniformly, or in proportion to their training users, which removes popularity as a source
            of information.
        folds: number of folds of the cross-validation over users.
        seed: seed of all draws.
        on_stage: called with the name of each stage.

    Raises:
        DataError: too few users have validation interactions, or there are no training interactions.
        ConfigError: the kind of negatives is unknown, or there are fewer than two folds or no pairs.
    """
    if negatives not in ("uniform", "popularity"):
        raise ConfigError(f"unknown negatives {negatives!r}: choose uniform or popularity.")
    if folds < 2 or max_pairs < 1:
        raise ConfigError(f"{folds} folds of {max_pairs} pairs: give at least 2 folds and 1 pair.")
    if not len(dataset.train):
        raise DataError(
            "the dataset has no training interactions, so nothing can be estimated from them."
        )
    rng = np.random.default_rng(seed)
    users, items, target = held_out(dataset, max_pairs, negatives, rng)
    n_users = len(np.unique(users))
    if n_users < max(LEAST_USERS, folds):
        raise DataError(
            f"{n_users} users have validation interactions, but at least {LEAST_USERS} are needed: import with a "
            "split that has validation interactions, or more data."
        )
    on_stage("features of interactions")
    of_D = interaction_features(dataset.train, users, items, seed=seed)
    on_stage("features of text")
    of_T = text_features(text, dataset.train, users, items)
    fold = (rng.permutation(dataset.n_users) % folds)[users]
    gains = []
    for name, features in zip(SIDES, (of_D, of_T, np.column_stack([of_D, of_T])), strict=True):
        on_stage(f"predictor from {name}")
        gains.append(np.log(2) - log_losses(features, target, fold))
    on_stage("intervals")
    found = _estimates(np.stack(gains, axis=1), users, rng)
    return InformationCheck(
        **found, n_pairs=len(users), n_users=n_users, encoder=text.name, negatives=negatives
    )


def held_out(
    dataset: Dataset, max_pairs: int, negatives: Negatives, rng: np.random.Generator
) -> tuple[IntArray, IntArray, IntArray]:
    """[2n] users, items and whether they are validation interactions: the n that are, then as many that are not."""
    train, valid = dataset.train, dataset.valid
    chosen = np.sort(rng.permutation(len(valid))[:max_pairs])
    users, items = (rows[chosen].astype(np.int64) for rows in (valid.users, valid.items))
    known = train.union(valid)
    others = _not_chosen(known, train, users, negatives, rng)
    kept = others >= 0
    users, items, others = users[kept], items[kept], others[kept]
    target = np.repeat([1, 0], len(users))
    return np.tile(users, 2), np.concatenate([items, others]), target


def log_losses(features: Features, target: IntArray, fold: IntArray) -> Features:
    """[n] cross-entropy of each pair, in nats, by a predictor that was fitted to the other folds.

    Args:
        features: [n, k]; squares and products are added, so that a predictor of both sides can weigh one by the other.
        target: [n] 0 or 1.
        fold: [n].
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    losses = np.empty(len(target))
    for out in np.unique(fold):
        test = fold == out
        model = make_pipeline(
            StandardScaler(),
            PolynomialFeatures(2, include_bias=False),
            StandardScaler(),
            LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000),
        )
        model.fit(features[~test], target[~test])
        chances = model.predict_log_proba(features[test])
        losses[test] = -chances[np.arange(len(chances)), target[test]]
    return losses


def _not_chosen(
    known: Interactions,
    train: Interactions,
    users: IntArray,
    negatives: Negatives,
    rng: np.random.Generator,
) -> IntArray:
    """[n] an item for each user that is not known of it; -1 where none was found (the user has nearly all)."""
    weights = train.item_degree if negatives == "popularity" else np.ones(train.n_items)
    ends = np.cumsum(weights) / weights.sum()
    drawn = np.full(len(users), -1)
    for _ in range(_ROUNDS):
        open_ = np.flatnonzero(drawn < 0)
        if not len(open_):
            break
        items = np.minimum(np.searchsorted(ends, rng.random(len(open_)), "right"), len(ends) - 1)
        fresh = ~known.contains(users[open_], items)
        drawn[open_[fresh]] = items[fresh]
    return drawn


def _estimates(
    gains: Features, users: IntArray, rng: np.random.Generator
) -> dict[str, InformationEstimate]:
    """Every figure with its interval. ``gains``: [n, 3] gains of the pairs, for interactions, text and both."""
    _, user = np.unique(users, return_inverse=True)
    n = int(user.max()) + 1
    sums = np.zeros((n, 4))
    np.add.at(sums, user, np.column_stack([gains, np.ones(len(gains))]))
    resampled = np.stack([sums[rng.integers(n, size=n)].sum(0) for _ in range(_RESAMPLES)])
    observed = _derived(sums.sum(0, keepdims=True))
    bands = {name: np.quantile(v, [0.025, 0.975]) for name, v in _derived(resampled).items()}
    return {
        name: InformationEstimate(float(value[0]), *map(float, bands[name]))
        for name, value in observed.items()
    }


def _derived(sums: Features) -> dict[str, Features]:
    """The figures from sums over pairs, [r, 4] with the number of pairs last."""
    D, T, both = (sums[:, :3] / sums[:, 3:]).T
    # If both together gain nothing, there is no share to lose.
    share = np.divide(both - np.minimum(D, T), both, out=np.zeros_like(both), where=both > 0)
    return {
        "interactions": D,
        "text": T,
        "both": both,
        "gap": D - T,
        "only_interactions": both - T,
        "only_text": both - D,
        "shared": D + T - both,
        "price": np.clip(share, 0, 1),
    }
