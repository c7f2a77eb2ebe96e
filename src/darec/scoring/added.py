"""The sum of several scorers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from darec.errors import DataError
from darec.scoring.base import Arrays, Explanation, Scorer
from darec.scoring.ranking import Fill
from darec.types import FloatArray, IntArray


class AddedScorer(Scorer):
    """``score(u, i) = sum_s w_s score_s(u, i)``.

    Args:
        scorers: scorers of the same users and items, on one device. Items with equal scores are ordered as by the
            first.
        weights: w, one for each scorer.

    Raises:
        DataError: the scorers have different users and items, or the number of weights is wrong.
    """

    kind: ClassVar[str] = "added"

    def __init__(self, scorers: Sequence[Scorer], weights: Sequence[float]) -> None:
        shapes = {(scorer.n_users, scorer.n_items) for scorer in scorers}
        if len(shapes) != 1 or len(weights) != len(scorers):
            raise DataError(
                f"{len(scorers)} scorers of shapes {sorted(shapes)} and {len(weights)} weights: add scorers of one "
                "dataset, each with a weight."
            )
        super().__init__(*shapes.pop(), scorers[0].ties)
        self.scorers, self.weights = tuple(scorers), tuple(map(float, weights))

    @property
    def device(self) -> torch.device:
        """Device of the first scorer."""
        return self.scorers[0].device

    @property
    def width(self) -> int:
        """Width of all together."""
        return sum(scorer.width for scorer in self.scorers)

    def check(self) -> None:
        """Check each."""
        for scorer in self.scorers:
            scorer.check()

    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """See :meth:`Scorer.fill`."""
        fills = [scorer.fill(users, items, width) for scorer in self.scorers]
        scratch: list[Tensor] = []

        def fill(start: int, stop: int, block: Tensor) -> None:
            if not scratch or len(scratch[0]) < stop - start:
                scratch[:] = [torch.zeros_like(block)]
            other = scratch[0][: stop - start]
            fills[0](start, stop, block)
            block.mul_(self.weights[0])
            for one, weight in zip(fills[1:], self.weights[1:], strict=True):
                one(start, stop, other)
                block.add_(other, alpha=weight)

        return fill

    def for_histories(self, histories: sparse.csr_array) -> AddedScorer:
        """The scorers of the same histories."""
        return AddedScorer(
            [scorer.for_histories(histories) for scorer in self.scorers], self.weights
        )

    def of_users(self, users: IntArray) -> AddedScorer | None:
        """The sum for some users; None if a scorer has no part for each user."""
        found = [scorer.of_users(users) for scorer in self.scorers]
        parts = [part for part in found if part is not None]
        return AddedScorer(parts, self.weights) if len(parts) == len(found) else None

    def explain(self, user: int, item: int) -> Explanation:
        """The weighted terms of each scorer."""
        terms = [
            replace(term, value=weight * term.value)
            for scorer, weight in zip(self.scorers, self.weights, strict=True)
            for term in scorer.explain(user, item).terms
        ]
        terms.sort(key=lambda term: -abs(term.value))
        return Explanation(sum(term.value for term in terms), tuple(terms))

    def similarities(self, items: IntArray) -> FloatArray:
        """[n, I] weighted sum of the scorers' similarities, each standardised over the catalogue, as units differ."""
        total = np.zeros((len(items), self.n_items), np.float32)
        for scorer, weight in zip(self.scorers, self.weights, strict=True):
            values = scorer.similarities(items)
            total += weight * _standardised(values)
        return total

    def item_vectors(self) -> FloatArray | None:
        """The vectors of the first scorer that has any."""
        found = (scorer.item_vectors() for scorer in self.scorers)
        return next((vectors for vectors in found if vectors is not None), None)

    def arrays(self) -> dict[str, Tensor]:
        """The arrays of each scorer, named by its number."""
        return {
            f"{place}/{name}": array
            for place, scorer in enumerate(self.scorers)
            for name, array in scorer.arrays().items()
        }

    def about(self) -> dict[str, Any]:
        """The weights and the kind of each scorer."""
        parts = [{"kind": scorer.kind, **scorer.about()} for scorer in self.scorers]
        return {"weights": self.weights, "parts": parts}

    @classmethod
    def from_arrays(cls, arrays: Arrays, about: Mapping[str, Any], ties: IntArray) -> AddedScorer:
        """See :meth:`Scorer.from_arrays`."""
        from darec.scoring import KINDS

        scorers = []
        for place, part in enumerate(about["parts"]):
            prefix = f"{place}/"
            own = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            scorers.append(KINDS[part["kind"]].from_arrays(own, part, ties))
        return cls(scorers, about["weights"])


def _standardised(values: FloatArray) -> FloatArray:
    spread = values.std(axis=1, keepdims=True)
    centred = values - values.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(spread, np.finfo(np.float32).tiny), np.float32)
