"""Gains over the baseline and their tests.

Gains are paired: both sides have the same seeds and users. Over users, the interval is a percentile bootstrap and the
p-value that of a permutation test (see darec.evaluation.significance); both use each user's mean over the seeds. Over
seeds, the interval is Student's and the p-value that of the exact sign-flip test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from darec.compare.figures import CONFIDENCE, Gain
from darec.compare.kinds import Title
from darec.evaluation.metrics import Values
from darec.evaluation.result import Evaluation
from darec.evaluation.significance import (
    holm,
    paired_bootstrap,
    permutation_test,
    student_half_width,
)

_BOOTSTRAPS: Final = 2_000  # enough for the ends of an interval
PERMUTATIONS: Final = 10_000
"""Number of permutations. P-values are multiplied by the number of variants, so they must be more precise."""


def gains_over(
    base: Mapping[int, Evaluation],
    mine: Mapping[int, Evaluation],
    metrics: Iterable[str],
    *,
    permutations: int = PERMUTATIONS,
) -> dict[str, Gain]:
    """A variant's gain in each metric over the seeds that both sides have, with uncorrected p-values.

    Args:
        base: the evaluations of the baseline, by seed.
        mine: the evaluations of the variant, by seed.
        metrics: names of :meth:`Evaluation.names`; those without any user are left out.
        permutations: number of permutations for each p-value, which is at least one in so many.
    """
    seeds = tuple(seed for seed in mine if seed in base)
    gains = {}
    for metric in metrics if seeds else ():
        if metric not in mine[seeds[0]].names():
            continue  # a group of items that is no test user's target
        a = np.stack([mine[seed].values(metric) for seed in seeds])
        b = np.stack([base[seed].values(metric) for seed in seeds])
        counted = ~np.isnan(a[0])
        if counted.any():
            gains[metric] = gain(a[:, counted], b[:, counted], seeds, permutations=permutations)
    return gains


def gain(a: Values, b: Values, seeds: tuple[int, ...], *, permutations: int = PERMUTATIONS) -> Gain:
    """The gain of ``a`` over ``b``, with uncorrected p-values.

    Args:
        a: [seeds, users] values of a variant.
        b: [seeds, users] values of the baseline, for the same seeds and users.
        seeds: the seeds.
        permutations: number of permutations for each p-value.
    """
    users_a, users_b = a.mean(axis=0), b.mean(axis=0)
    over_users = paired_bootstrap(users_a, users_b, n_resamples=_BOOTSTRAPS, confidence=CONFIDENCE)
    p_users = permutation_test(users_a, users_b, n_resamples=permutations)
    by_seed = (a - b).mean(axis=1)
    low = high = p_seeds = None
    half = student_half_width(by_seed, CONFIDENCE)
    if half is not None:
        low, high = float(by_seed.mean()) - half, float(by_seed.mean()) + half
        p_seeds = permutation_test(by_seed, np.zeros_like(by_seed), n_resamples=permutations)
    return Gain(
        difference=over_users.difference,
        base=float(b.mean()),
        low=over_users.low,
        high=over_users.high,
        n_users=over_users.n_users,
        p_users=p_users,
        p_users_holm=p_users,
        seeds=seeds,
        by_seed=tuple(by_seed.tolist()),
        seeds_low=low,
        seeds_high=high,
        p_seeds=p_seeds,
        p_seeds_holm=p_seeds,
    )


def correct(gains: dict[Title, dict[str, Gain]]) -> None:
    """Holm's correction: over the variants for a metric of all users, over variants and groups for one by group."""
    families: dict[tuple[str, str], list[tuple[Title, str]]] = {}
    for title, by_metric in gains.items():
        for metric in by_metric:
            kind, slash, _ = metric.partition("/")  # "users" or "items" of users/1of3/recall@20
            family = (kind if slash else "", metric.rpartition("/")[2])
            families.setdefault(family, []).append((title, metric))
    for members in families.values():
        found = [gains[title][metric] for title, metric in members]
        users = holm([gain.p_users for gain in found])
        some = [gain.p_seeds for gain in found if gain.p_seeds is not None]
        seeds = iter(holm(some))
        for (title, metric), gain, p_users in zip(members, found, users, strict=True):
            p_seeds = None if gain.p_seeds is None else float(next(seeds))
            gains[title][metric] = replace(gain, p_users_holm=float(p_users), p_seeds_holm=p_seeds)
