"""Diagnostics of two aligned tables: their rank, their spread, the gap between them, and whether they have collapsed.

An alignment that learns on both sides has a trivial optimum, in which all rows are equal (docs/architecture.md,
"Collapse"). These figures show it. All are computed in float64 and O(n d^2) time from d x d sums over rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from darec.numerics.rows import check_same_rows, chunks, inverse_norms
from darec.types import Tables


@torch.no_grad()
def effective_rank(x: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values (Roy & Vetterli 2007).

    The rows are not centred. A collapse onto one row has rank one, but centring would leave only its rounding errors
    and give full rank.

    Args:
        x: [n, d] float.

    Returns:
        Between 1 and ``min(n, d)``; 1 if all rows lie on one line through the origin; 0 for a matrix of zeros.
    """
    gram = x.new_zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    for (part,) in chunks(x):
        wide = part.double()
        gram += wide.T @ wide
    singular = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    if not singular.sum() > 0:
        return 0.0
    share = singular / singular.sum()
    return float(torch.special.entr(share).sum().exp())


@torch.no_grad()
def mean_similarity(x: Tensor) -> float:
    """Mean cosine of two distinct rows, in [-1, 1]: 1 if all rows have the same direction.

    Args:
        x: [n, d] float, at least two rows.
    """
    return _similarity_moments(x)[0]


@torch.no_grad()
def similarity_spread(x: Tensor) -> float:
    """Standard deviation of the cosine over all pairs of distinct rows, which measures the structure in S.

    It is 0 if all pairs are equally similar, as after a collapse (or among orthogonal rows). Values below about 1e-8
    are rounding errors.

    Args:
        x: [n, d] float, at least two rows.
    """
    mean, mean_square = _similarity_moments(x)
    return float(
        max(mean_square - mean**2, 0.0) ** 0.5
    )  # the clamp only hides rounding errors of 1e-16


@torch.no_grad()
def representation_gap(C: Tensor, L: Tensor) -> float:
    """Mean squared distance between the two sides' unit rows, point by point: 0 if equal, 4 if opposite.

    Args:
        C: [n, d] float.
        L: [n, d] float, the same entities in the same order.

    Raises:
        ValueError: shapes differ.
    """
    check_same_rows(C, L, same_width=True)
    parts = zip(_unit_chunks(C), _unit_chunks(L), strict=True)
    return sum(float((a - b).square().sum()) for a, b in parts) / len(C)


def is_collapsed(x: Tensor, *, max_similarity: float = 0.99, min_rank: float = 1.5) -> bool:
    """Whether the rows have become (nearly) one direction or one line.

    Args:
        x: [n, d] float, at least two rows.
        max_similarity: collapsed if the mean cosine of two rows is above it. At 0.99 rows are about 8 degrees apart.
        min_rank: collapsed if the effective rank is below it, which also catches two opposite points.
    """
    return mean_similarity(x) > max_similarity or effective_rank(x) < min_rank


def _unit_chunks(x: Tensor) -> Iterator[Tensor]:
    for (part,) in chunks(x):
        wide = part.double()
        yield wide * inverse_norms(wide)


def _similarity_moments(x: Tensor) -> tuple[float, float]:
    """Mean and mean square of the off-diagonal of S = A A^T, from A^T A and the sum of A's rows."""
    n, d = x.shape
    if n < 2:
        raise ValueError(f"similarity needs two rows, got {n}.")
    gram = x.new_zeros(d, d, dtype=torch.float64)
    total = x.new_zeros(d, dtype=torch.float64)
    diagonal = x.new_zeros((), dtype=torch.float64)  # rows of zeros have 0 there, all others 1
    for unit in _unit_chunks(x):
        gram += unit.T @ unit
        total += unit.sum(0)
        diagonal += unit.any(1).sum()
    pairs = n * (n - 1)
    mean = float(total.square().sum() - diagonal) / pairs
    mean_square = float(gram.square().sum() - diagonal) / pairs
    return mean, mean_square


def alignment_figures(C: Tables, L: Tables) -> dict[str, float]:
    """Diagnostics of two tables that are pulled together: rank, spread and gap, averaged over users and items.

    ``collapsed`` is 1 if the users or items of a side have become a single direction.

    Args:
        C: [U, d] and [I, d], the collaborative side.
        L: [U, d] and [I, d], the language side, of one width with ``C``.
    """
    pairs = [(C.users, L.users), (C.items, L.items)]
    figures = [
        {
            "rank/C": effective_rank(c),
            "rank/L": effective_rank(language),
            "spread/C": similarity_spread(c),
            "gap/points": representation_gap(c, language),
        }
        for c, language in pairs
    ]
    means = {name: sum(side[name] for side in figures) / len(figures) for name in figures[0]}
    return {**means, "collapsed": float(any(is_collapsed(side) for pair in pairs for side in pair))}
