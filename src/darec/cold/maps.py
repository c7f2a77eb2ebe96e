"""Three maps from text to item vectors of a run, fitted on warm items, with the interface of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darec.graph import SharedText, neighbour_means
from darec.graph.text_neighbours import COUNT, TEMPERATURE
from darec.types import FloatArray

PENALTIES: Final = np.logspace(-3, 5, 33)
"""Candidate penalties, in units of the mean eigenvalue of the centred X^T X."""
_TINY: Final = float(np.finfo(np.float64).tiny)


class TextMap(Protocol):
    """A map from text vectors to rows of the item table.

    Attributes:
        explained_: share of the variance of the warm rows that the map explains; each row is predicted from the others
            (leave one out).
    """

    explained_: float

    def fit(self, X: FloatArray, Y: FloatArray) -> Self:
        """Fit the map on warm items.

        Args:
            X: [n, d_L] their text vectors.
            Y: [n, d] their rows.
        """

    def predict(self, X: FloatArray) -> FloatArray:
        """Map [m, d_L] text vectors to [m, d] rows, float32."""


class RidgeMap:
    """Ridge regression of the rows on the text, with an intercept (Hoerl & Kennard 1970).

    The penalty is chosen by the squared error of leave-one-out, which has a closed form (Allen's PRESS, 1974).

    Attributes:
        penalty_: the chosen penalty.
        coef_: [d, d_L].
        intercept_: [d].
    """

    def __init__(self, penalties: NDArray[np.float64] = PENALTIES) -> None:
        self.penalties = penalties

    def fit(self, X: FloatArray, Y: FloatArray) -> Self:
        """See :class:`TextMap`."""
        from sklearn.linear_model import RidgeCV

        x, y = X.astype(np.float64), Y.astype(np.float64)
        unit = max(float(x.var(axis=0).sum()) * len(x) / x.shape[1], _TINY)
        self._ridge = RidgeCV(self.penalties * unit).fit(x, y)
        self.penalty_ = float(self._ridge.alpha_)
        self.coef_, self.intercept_ = self._ridge.coef_, self._ridge.intercept_
        self.explained_ = 1 + float(self._ridge.best_score_) / max(
            float(y.var(axis=0).mean()), _TINY
        )
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        """See :class:`TextMap`."""
        return np.asarray(self._ridge.predict(X.astype(np.float64)), np.float32)


class NeighbourMap:
    """The mean of the rows of the nearest warm items in text, weighted by a softmax of cosines.

    The neighbours are the same as those of DaRec's smoothing (:mod:`darec.graph.text_neighbours`).

    Attributes:
        explained_: 1 - squared error / total sum of squares; each item is predicted from its neighbours without itself.
    """

    def __init__(self, neighbours: int = COUNT, temperature: float = TEMPERATURE) -> None:
        self.neighbours, self.temperature = neighbours, temperature

    def fit(self, X: FloatArray, Y: FloatArray) -> Self:
        """See :class:`TextMap`."""
        self._text, self._rows = torch.from_numpy(X), torch.from_numpy(Y)
        centred = self._rows - self._rows.mean(0)
        total = float((centred**2).sum())
        error = float(((self._rows - self._mean()) ** 2).sum())
        self.explained_ = 1 - error / max(total, _TINY)
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        """See :class:`TextMap`."""
        return np.asarray(self._mean(torch.from_numpy(X)).numpy(), np.float32)

    def _mean(self, queries: Tensor | None = None) -> Tensor:
        return neighbour_means(
            self._rows,
            self._text,
            queries,
            count=self.neighbours,
            temperature=self.temperature,
        )


class SharedNeighbourMap(NeighbourMap):
    """The same, with neighbours by cosines of the part of the text that is shared with the interactions, as in DaRec.

    Args:
        shared: the shared part of the text (:func:`darec.graph.shared_text`) for the run's training interactions.
    """

    def __init__(
        self, shared: SharedText, neighbours: int = COUNT, temperature: float = TEMPERATURE
    ) -> None:
        super().__init__(neighbours, temperature)
        self.shared = shared

    def fit(self, X: FloatArray, Y: FloatArray) -> Self:
        """See :class:`TextMap`. If text and interactions share nothing, all items get the same row."""
        if not self.shared.directions.shape[1]:
            self.neighbours = len(X)
        return super().fit(self._part(X), Y)

    def predict(self, X: FloatArray) -> FloatArray:
        """See :class:`TextMap`."""
        return super().predict(self._part(X))

    def _part(self, X: FloatArray) -> FloatArray:
        return self.shared.part(torch.from_numpy(X)).float().numpy()


MAPS: Final[Mapping[str, Callable[[Callable[[], SharedText]], TextMap]]] = {
    "ridge": lambda shared: RidgeMap(),
    "neighbours": lambda shared: NeighbourMap(),
    "shared": lambda shared: SharedNeighbourMap(shared()),
}
"""Name -> constructor of the map, which gets the function that computes the shared part of the text."""
