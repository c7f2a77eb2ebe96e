"""Principal components of embeddings, which become the columns of tables that start from text."""

from __future__ import annotations

import torch
from torch import Tensor


def principal_directions(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The mean and the leading principal directions, in order of variance, in float64.

    Args:
        x: [n, d].
        count: largest number of directions; there are at most as many as the numerical rank of the centred rows.

    Returns:
        [d] and [d, k], k <= count; the largest weight of a direction is positive.
    """
    mean = x.double().mean(0)
    centred = x.double() - mean
    variances, directions = torch.linalg.eigh(centred.T @ centred)
    variances, directions = variances.flip(0)[:count], directions.flip(1)[:, :count]
    known = variances > 1e-9 * variances[0].clamp_min(torch.finfo(x.dtype).tiny)
    directions = directions[:, known]
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return mean, directions * largest.sign()


def principal_components(x: Tensor, count: int) -> Tensor:
    """The rows' scores on :func:`principal_directions`, [n, k] in float64."""
    mean, directions = principal_directions(x, count)
    return (x.double() - mean) @ directions


def replace_columns(rows: Tensor, values: Tensor, scale: float = 1.0) -> Tensor:
    """A table whose leading columns are ``values``, scaled to the length of the replaced columns.

    Args:
        rows: [n, d] random values; columns after the k-th are kept.
        values: [n, k], k <= d.
        scale: length of ``values`` relative to the length (Frobenius norm) of the replaced columns.
    """
    count = values.shape[1]
    values = values.to(rows.dtype)
    replaced = torch.linalg.vector_norm(rows[:, :count])
    length = torch.linalg.vector_norm(values).clamp_min(torch.finfo(rows.dtype).tiny)
    return torch.cat([values * (scale * replaced / length), rows[:, count:]], dim=1)
