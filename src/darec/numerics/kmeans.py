"""K-means without gradient, which is cheap to repeat when the rows move during training.

Lloyd's iterations from a greedy k-means++ start (Arthur & Vassilvitskii 2007; several candidates for each centre, the
best kept, as scikit-learn does), or from the centres of the previous step. No cluster stays empty: rows that are
farthest from their centres are assigned to empty clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from darec.errors import ConfigError
from darec.numerics.rows import full_precision, sample_rows, widen


@dataclass(frozen=True)
class Clusters:
    """A partition of rows.

    Attributes:
        centres: [K, d] the mean of each cluster's rows.
        assignments: [n] long, each row's cluster; every cluster has at least one row.
        n_iterations: number of iterations.
        n_reseeded: number of times that an empty cluster got a row.
    """

    centres: Tensor
    assignments: Tensor
    n_iterations: int
    n_reseeded: int


@torch.no_grad()
@full_precision
def kmeans(
    x: Tensor,
    n_clusters: int,
    *,
    generator: torch.Generator,
    centres: Tensor | None = None,
    n_iterations: int = 20,
    tol: float = 1e-4,
    n_sampled: int | None = None,
    chunk_size: int = 4096,
) -> Clusters:
    """Partition rows into clusters of small squared distance to their mean.

    The same rows and generator state give the same clusters (on a GPU, up to the order in which atomic additions
    happen unless torch's deterministic algorithms are on). Memory O(chunk_size * K + n log K) beside the input.

    Args:
        x: [n, d] float.
        n_clusters: K.
        generator: source of the start and of ``n_sampled`` rows; not used if neither is needed.
        centres: [K, d] to start from, in place of k-means++.
        n_iterations: largest number of iterations; 1 with ``centres`` is the cheap update during training.
        tol: stop when no centre moves farther than this share of the centres' RMS distance from their mean.
        n_sampled: compute the centres on this number of rows, drawn without replacement, then assign all rows in one
            more pass. None iterates over all rows.
        chunk_size: number of rows whose distances are in memory at once.

    Raises:
        ConfigError: there are more clusters than rows (or than ``n_sampled``), or a setting is not positive.
        ValueError: ``centres`` has another shape.
    """
    n = len(x)
    drawn = n if n_sampled is None else min(n_sampled, n)
    if min(n_clusters, n_iterations, drawn, chunk_size) < 1:
        raise ConfigError(
            f"n_clusters={n_clusters}, n_iterations={n_iterations}, rows={drawn}, chunk_size={chunk_size}: "
            "k-means needs at least 1 of each."
        )
    if n_clusters > drawn:
        raise ConfigError(
            f"{n_clusters} clusters of {drawn} rows: choose at most as many clusters as there are rows."
        )
    x = widen(x.detach())
    if centres is not None and centres.shape != (n_clusters, x.shape[1]):
        raise ValueError(f"centres {list(centres.shape)}: expected {[n_clusters, x.shape[1]]}.")
    rows = x if drawn == n else x.index_select(0, sample_rows(n, drawn, generator, x.device))
    if centres is None:
        centres = _plus_plus(rows, n_clusters, generator)
    centres = centres.detach().to(x)
    n_done = n_reseeded = 0
    while n_done < n_iterations:
        before = centres
        centres, assignments, reseeded = _iterate(rows, before, chunk_size)
        n_done, n_reseeded = n_done + 1, n_reseeded + reseeded
        moved = (centres - before).square().sum(1).max()
        spread = (centres - centres.mean(0)).square().sum(1).mean()
        if moved <= tol**2 * spread:
            break
    if rows is not x:
        centres, assignments, reseeded = _iterate(x, centres, chunk_size)
        n_reseeded += reseeded
    return Clusters(centres, assignments, n_done, n_reseeded)


def cluster_means(x: Tensor, assignments: Tensor, counts: Tensor) -> Tensor:
    """[K, d] mean of each cluster's rows, with gradient to the rows.

    Args:
        x: [n, d].
        assignments: [n] long in 0..K-1.
        counts: [K] number of rows of each cluster, none of them 0.
    """
    sums = x.new_zeros(len(counts), x.shape[1]).index_add(0, assignments, x)
    return sums / counts[:, None].to(x.dtype)


def _iterate(x: Tensor, centres: Tensor, chunk_size: int) -> tuple[Tensor, Tensor, int]:
    """Assign each row to the nearest centre, fill empty clusters, and move the centres to their means."""
    # |x - c|^2 minus a term that is equal for every c, relative to the centres' mean m: |c - m|^2 - 2 (x - m)(c - m).
    # With the small c - m, centres can be distinguished even if all are far from the origin.
    middle = centres.mean(0)
    offsets = centres - middle
    bias = offsets.square().sum(1) + 2 * offsets @ middle
    nearest = [
        torch.addmm(bias, part, offsets.T, alpha=-2).min(1).indices for part in x.split(chunk_size)
    ]
    assignments = torch.cat(nearest)
    counts = torch.bincount(assignments, minlength=len(centres))
    reseeded = _fill_empty(x, centres, assignments, counts, chunk_size)
    return cluster_means(x, assignments, counts), assignments, reseeded


def _fill_empty(
    x: Tensor, centres: Tensor, assignments: Tensor, counts: Tensor, chunk_size: int
) -> int:
    """Give each empty cluster the farthest row of a larger cluster, in place; return the number of empty clusters."""
    empty = (counts == 0).nonzero().flatten().tolist()
    if not empty:
        return 0
    pairs = zip(x.split(chunk_size), assignments.split(chunk_size), strict=True)
    distance = torch.cat([(part - centres[own]).square().sum(1) for part, own in pairs])
    # Of 2K rows at most K are the last of their cluster, so that K are left for at most K empty clusters.
    farthest = distance.topk(min(len(x), 2 * len(centres))).indices
    candidates = iter(zip(farthest.tolist(), assignments[farthest].tolist(), strict=True))
    left = counts.tolist()
    for cluster in empty:
        row, donor = next((row, own) for row, own in candidates if left[own] > 1)
        left[donor] -= 1
        assignments[row] = cluster
    counts.copy_(torch.bincount(assignments, minlength=len(counts)))
    return len(empty)


def _plus_plus(x: Tensor, n_clusters: int, generator: torch.Generator) -> Tensor:
    """[K, d] rows far apart: each drawn with probability proportional to its squared distance to those before."""

    def uniform(size: int) -> Tensor:
        draw = torch.rand(size, generator=generator, device=generator.device, dtype=torch.float64)
        return draw.to(x.device)

    middle = x.mean(0)
    x = x - middle  # squared lengths about the middle lose fewer digits when subtracted
    squared = x.square().sum(1)
    trials = 2 + int(math.log(n_clusters))
    chosen = [int(uniform(1) * len(x))]
    nearest = (x - x[chosen[0]]).square().sum(1)
    for _ in range(1, n_clusters):
        cumulative = nearest.cumsum(0, dtype=torch.float64)
        drawn = torch.searchsorted(cumulative, uniform(trials) * cumulative[-1], right=True)
        drawn = drawn.clamp(max=len(x) - 1)
        distance = squared - 2 * x[drawn] @ x.T + squared[drawn, None]
        candidates = torch.minimum(distance.clamp_(min=0), nearest)
        best = int(candidates.sum(1).argmin())
        chosen.append(int(drawn[best]))
        nearest = candidates[best]
    return x[chosen] + middle
