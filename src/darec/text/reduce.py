"""Reduce the number of dimensions: keep the first coordinates, or principal components of the items' text vectors.

- *first*: the first N coordinates, scaled to the original length of the row. Only models trained for this (Matryoshka
  representation learning, Kusupati et al. 2022) keep their quality; other models lose more than with PCA.
- *pca*: ``(x - mean) @ W``, W the N leading eigenvectors of the covariance of the distinct item texts' vectors. The
  rows are not rescaled.

Rows of zeros (the encoder found nothing in the text) stay zero and are left out of the fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from darec.errors import ConfigError
from darec.types import FloatArray

BLOCK: Final = 65_536
"""Number of rows processed at once, so that a table larger than the memory can be read from its file."""


@dataclass(frozen=True)
class Reduction:
    """A reduction to ``dim`` coordinates by the method ``kind``."""

    kind: Literal["first", "pca"]
    dim: int

    @classmethod
    def choose(cls, dimensions: int | None, pca: int | None) -> Reduction | None:
        """The reduction of one of the two options, or None.

        Raises ``ConfigError`` for both, or for less than one dimension.
        """
        if dimensions is not None and pca is not None:
            raise ConfigError("--dimensions and --pca cannot be combined: choose one.")
        if min(dimensions or 1, pca or 1) < 1 or 0 in (dimensions, pca):
            raise ConfigError("at least 1 dimension must remain: raise --dimensions or --pca.")
        if dimensions is not None:
            return cls("first", dimensions)
        return None if pca is None else cls("pca", pca)

    def apply(
        self, matrix: NDArray[Any], fit_on: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """The reduced table and its description for the store's metadata.

        Args:
            matrix: [n, d] float16 or float32.
            fit_on: [n] True for texts of items.

        Returns:
            [n, dim] of the same type; kind, dim and, for PCA, the explained share of the variance, in total
            (``explained``) and for each component (``ratios``).

        Raises:
            ConfigError: there are fewer dimensions than wanted or, for PCA, the texts span fewer.
        """
        reduced, about = self.fit(matrix, fit_on)
        table = np.zeros((len(matrix), self.dim), matrix.dtype)
        for rows, block in _blocks(matrix):
            table[rows] = reduced(block)
        return table, about

    def fit(
        self, matrix: NDArray[Any], fit_on: NDArray[np.bool_]
    ) -> tuple[Callable[[FloatArray], FloatArray], dict[str, Any]]:
        """The map from [m, d] to [m, dim] float64 rows, for any m; otherwise like :meth:`apply`."""
        d = matrix.shape[1]
        if self.dim > d:
            raise ConfigError(f"{self.dim} dimensions of {d}: keep {d} at most.")
        about: dict[str, Any] = {"kind": self.kind, "dim": self.dim, "of": d}
        if self.kind == "first":
            return self._first, about
        mean, values, axes = principal_axes(matrix, fit_on)
        spanned = int((values > 1e-9 * values.max(initial=0.0)).sum())
        if self.dim > spanned:
            raise ConfigError(
                f"the items' texts span {spanned} dimensions: --pca {self.dim} is too much."
            )
        ratios = values[: self.dim] / values.sum()
        about |= {"explained": float(ratios.sum()), "ratios": [float(ratio) for ratio in ratios]}
        kept = axes[:, : self.dim]
        return (lambda x: np.where(x.any(axis=1, keepdims=True), (x - mean) @ kept, 0.0)), about

    def _first(self, x: FloatArray) -> FloatArray:
        kept = np.asarray(x, np.float64)[:, : self.dim]
        lengths, short = (np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, kept))
        scale = np.divide(lengths, short, out=np.zeros_like(short), where=short > 0)
        return np.asarray(kept * scale)


def principal_axes(
    matrix: NDArray[Any], fit_on: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean [d], eigenvalues [d] and eigenvectors [d, d] (columns) of the covariance, largest first, exactly.

    One pass computes the mean and one the covariance, in float64. The sign of each axis makes its largest coordinate
    positive.
    """
    d = matrix.shape[1]
    total, count, cross = np.zeros(d), 0, np.zeros((d, d))
    for rows, block in _blocks(matrix):
        chosen = block[fit_on[rows] & block.any(axis=1)]
        total, count = total + chosen.sum(axis=0), count + len(chosen)
    mean = total / max(count, 1)
    for rows, block in _blocks(matrix):
        chosen = block[fit_on[rows] & block.any(axis=1)] - mean
        cross += chosen.T @ chosen
    values, axes = np.linalg.eigh(cross / max(count, 1))
    values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(d)])
    return mean, values, axes * signs


def _blocks(matrix: NDArray[Any]) -> list[tuple[slice, FloatArray]] | Any:
    for start in range(0, len(matrix), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, np.asarray(matrix[rows], np.float64)
