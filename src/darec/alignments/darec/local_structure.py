"""Local structure: the centres of matched clusters of both sides should be close."""

from __future__ import annotations

import torch
from torch import Tensor

from darec.numerics.kmeans import cluster_means
from darec.numerics.rows import full_precision, widen


@full_precision
def local_structure_loss(
    C_sh: Tensor, L_sh: Tensor, clusters_C: Tensor, clusters_L: Tensor, matching: Tensor
) -> Tensor:
    """``(1/K) sum_k ||c_k - l_pi(k)||^2`` over matched cluster centres (DaRec, the local structure term).

    The assignments are given (from :func:`~darec.numerics.kmeans`, without gradient); the centres c and l are computed
    again from their members, so that the gradient reaches every row. Rows are not scaled to unit length: this term,
    unlike the global one, also aligns lengths.

    Args:
        C_sh: [n, d] float.
        L_sh: [m, d] float, of the same width.
        clusters_C: [n] long, the cluster of each row of C_sh, in 0..K-1.
        clusters_L: [m] long, the cluster of each row of L_sh.
        matching: [K] long, pi: partner of each C cluster (from :func:`~darec.alignments.darec.match_clusters`).

    Returns:
        Scalar, at least 0.

    Raises:
        ValueError: the widths differ, or a cluster has no row and therefore no centre.
    """
    if C_sh.ndim != 2 or L_sh.ndim != 2 or C_sh.shape[1] != L_sh.shape[1]:
        raise ValueError(f"shapes {list(C_sh.shape)} and {list(L_sh.shape)}: expected one width.")
    centres_C = _centres(widen(C_sh), clusters_C, len(matching))
    centres_L = _centres(widen(L_sh), clusters_L, len(matching))
    return (centres_C - centres_L.index_select(0, matching)).square().sum(1).mean()


def _centres(x: Tensor, assignments: Tensor, n_clusters: int) -> Tensor:
    counts = torch.bincount(assignments, minlength=n_clusters)
    if len(counts) > n_clusters or not counts.all():
        raise ValueError(
            f"every one of the {n_clusters} clusters needs a row, and every row a cluster below {n_clusters}."
        )
    return cluster_means(x, assignments, counts)
