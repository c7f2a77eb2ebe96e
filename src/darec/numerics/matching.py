"""Matching of the clusters of two sides."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darec.errors import ConfigError, RunError, did_you_mean

MatchingMethod = Literal["greedy", "optimal"]


@torch.no_grad()
def match_clusters(
    centres_C: Tensor, centres_L: Tensor, method: MatchingMethod = "greedy"
) -> Tensor:
    """Return the partner of each cluster, one to one.

    Args:
        centres_C: [K, d].
        centres_L: [K, d].
        method: ``greedy`` is the paper's adaptive preference matching: all K^2 distances sorted ascending, the
            closest pair whose members are both free is taken, and so on; equal distances go to the lower indices.
            ``optimal`` minimises ``sum_k ||c_k - l_pi(k)||^2``, the local structure loss itself (Hungarian
            assignment, O(K^3)).

    Returns:
        pi, [K] long on the centres' device: cluster k of C goes with cluster ``pi[k]`` of L.

    Raises:
        ConfigError: the method is unknown.
        ValueError: the shapes differ.
        RunError: a centre is not finite.
    """
    if method not in get_args(MatchingMethod):
        raise ConfigError(
            f"unknown matching {method!r}: {did_you_mean(method, get_args(MatchingMethod))}"
        )
    if centres_C.ndim != 2 or centres_C.shape != centres_L.shape:
        raise ValueError(
            f"centres {list(centres_C.shape)} and {list(centres_L.shape)}: expected [K, d] twice."
        )
    # Differences, not the expanded product: exact zeros for equal centres. K x K is small, so double costs nothing.
    distance = torch.cdist(
        centres_C.detach().cpu().double(),
        centres_L.detach().cpu().double(),
        compute_mode="donot_use_mm_for_euclid_dist",
    )
    cost: NDArray[np.float64] = distance.square().numpy()
    if not np.isfinite(cost).all():
        raise RunError(
            "cluster centres hold NaN or infinity: training has diverged; lower train.lr or the "
            "alignment's push."
        )
    partners = _greedy(cost) if method == "greedy" else _optimal(cost)
    return torch.from_numpy(partners).to(centres_C.device)


def _greedy(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    partners = np.empty(len(cost), np.int64)
    for _ in range(len(cost)):
        left, right = divmod(int(cost.argmin()), len(cost))
        partners[left] = right
        cost[left, :] = cost[:, right] = np.inf
    return partners


def _optimal(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    from scipy.optimize import linear_sum_assignment

    return np.asarray(linear_sum_assignment(cost)[1], np.int64)
