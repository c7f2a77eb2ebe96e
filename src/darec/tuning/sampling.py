"""Draw the settings of a trial from a search space."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from darec.config import RunConfig
from darec.dimensions import Choice, Dimension
from darec.search import active, depends_on

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial


def sampler(space: Mapping[str, Dimension], *, random: int, seed: int) -> BaseSampler:
    """A multivariate tree-structured Parzen estimator.

    Args:
        space: the search space. If some dimensions depend on others, they are modelled in groups.
        random: number of random trials before the estimator is used.
        seed: seed of the draws of one trial.
    """
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():  # Optuna marks grouping as experimental
        warnings.simplefilter("ignore")
        return TPESampler(
            n_startup_trials=max(1, random),
            multivariate=True,
            group=len(always(space)) < len(space),
            constant_liar=True,  # avoids settings on which other processes are working
            warn_independent_sampling=False,
            seed=seed % 2**32,
        )


def always(space: Mapping[str, Dimension]) -> list[str]:
    """The dimensions that are drawn in every trial."""
    return [key for key, dimension in space.items() if depends_on(key, dimension) not in space]


def suggest(trial: Trial, space: Mapping[str, Dimension], config: RunConfig) -> dict[str, Any]:
    """The settings of a trial, by dotted key. Dimensions whose condition is false are not drawn.

    Args:
        trial: from ``study.ask()``.
        space: dimensions; conditions come before the dimensions that depend on them.
        config: has the settings that are not searched.
    """
    values: dict[str, Any] = {}
    for key, dimension in space.items():
        if not active(key, dimension, values, config):
            continue
        if isinstance(dimension, Choice):
            values[key] = trial.suggest_categorical(key, dimension.values)
        elif dimension.integer:
            low, high = int(dimension.low), int(dimension.high)
            values[key] = trial.suggest_int(key, low, high, log=dimension.log)
        else:
            low_, high_ = dimension.low, dimension.high
            values[key] = trial.suggest_float(key, low_, high_, log=dimension.log)
    return values
