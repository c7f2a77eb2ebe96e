"""Low-pass filters on the item graph of the interactions: collaborative filtering in closed form.

Items are the nodes, and users who have two items connect them. The output of a low-pass filter varies little between
connected items.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from darec.numerics.gram import gram_matrix
from darec.types import FloatArray, Interactions


def matrix_of(train: Interactions) -> sparse.csr_array:
    """X, [U, I] ones at the training pairs, float32."""
    ones = np.ones(len(train), np.float32)
    return sparse.csr_array((ones, train.items, train.indptr), (train.n_users, train.n_items))


def item_graph(train: Interactions, users: float = 0.5, items: float = 0.5) -> sparse.csr_array:
    """The weighted graph of items, ``R'R`` with ``R = D_U^-users X D_I^-items``.

    Args:
        train: the training pairs.
        users: exponent of the users' degrees.
        items: exponent of the items' degrees.

    Returns:
        [I, I] compressed rows, float32, the diagonal included.
    """
    by_user, by_item = (
        np.maximum(degree, 1).astype(np.float32) ** -exponent
        for degree, exponent in ((train.user_degree, users), (train.item_degree, items))
    )
    scaled = sparse.diags_array(by_user) @ matrix_of(train) @ sparse.diags_array(by_item)
    return gram_matrix(scaled.tocsr(), "tying items")


def ideal_low_pass(train: Interactions, width: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """The ideal low-pass filter, which keeps the smoothest directions unchanged and removes all others.

    With V the first right singular vectors of ``D_U^-1/2 X D_I^-1/2``, the filter is ``D_I^-1/2 V V' D_I^1/2`` (GF-CF,
    Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021, arXiv 2108.07567, equation 7 and
    its ideal low-pass term).

    Args:
        train: the training pairs.
        width: number of kept directions; at most one less than the numbers of users and items.
        seed: seed of the randomised SVD.

    Returns:
        Two tables [I, width], the filter being the first times the second transposed. A user's row is the sum of the
        rows of their items in the first. Leading columns are those of a narrower filter.
    """
    from sklearn.utils.extmath import randomized_svd

    matrix = matrix_of(train)
    by_user, by_item = (
        1 / np.sqrt(np.maximum(degree, 1)) for degree in (train.user_degree, train.item_degree)
    )
    scaled = sparse.diags_array(by_user) @ matrix @ sparse.diags_array(by_item)
    _, _, axes = randomized_svd(scaled, min(width, min(matrix.shape) - 1), random_state=seed)
    V = np.asarray(axes.T)
    return (
        (V * by_item[:, None]).astype(np.float32),
        (V / by_item[:, None]).astype(np.float32),
    )
