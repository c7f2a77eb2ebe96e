"""Turbo-CF (Park, Shin & Shin 2024, "Turbo-CF: Matrix Decomposition-Free Graph Filtering", arXiv 2404.14243).

Polynomial low-pass filters on the graph of items, whose weights are raised to a power. Nothing is trained, and no
matrix is decomposed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from scipy import sparse

from darec.backbones.closed_form import ClosedForm, ClosedFormConfig, ClosedFormInputs, matrix_of
from darec.dimensions import Choice, Range
from darec.graph import item_graph
from darec.memory import require_memory
from darec.numerics.gram import gram_bytes
from darec.scoring import MatrixScorer
from darec.types import FloatArray


class TurboCFConfig(ClosedFormConfig):
    """Settings of :class:`TurboCF`; defaults chosen on the validation split of toys."""

    name: Literal["turbocf"] = "turbocf"
    """Name of the backbone."""
    users: Annotated[float, Range(0.3, 1.0)] = Field(0.8, ge=0, le=1)
    """Exponent of the users' degrees, alpha in the paper. The exponent of the items' degrees is 1 minus this."""
    power: Annotated[float, Range(0.2, 1.6)] = Field(0.5, gt=0)
    """Power of the graph's weights, s in the paper. Below 1, the weights become more equal."""
    order: Annotated[int, Choice(1, 2, 3)] = Field(1, ge=1, le=3)
    """Order of the polynomial. 1 is the linear filter. 2 and 3 suppress more of the non-smooth part, and need a dense
    matrix."""


class TurboCF(ClosedForm[TurboCFConfig]):
    """A polynomial low-pass filter on the graph of items, with its weights raised to a power."""

    def fit(self, inputs: ClosedFormInputs) -> MatrixScorer:
        """Build the filter.

        Raises:
            ConfigError: there is too little memory.
        """
        X, order = matrix_of(inputs.train), self.config.order
        n = X.shape[1]
        require_memory(
            2 * gram_bytes(X) if order == 1 else 4 * n * n * order,
            f"the graph of {n:,} items of backbone 'turbocf'",
            f"{'set backbone.order=1' if order > 1 else 'use another backbone'}, or import with a k-core that leaves "
            "fewer items",
        )
        graph = item_graph(inputs.train, self.config.users, 1 - self.config.users)
        graph.data **= self.config.power
        return MatrixScorer(_filter(graph, order), X, inputs.ties)


def _filter(P: sparse.csr_array, order: int) -> sparse.csr_array | FloatArray:
    """The paper's polynomials of first, second and third order."""
    if order == 1:
        return P
    dense = P.toarray()
    squared = P @ dense
    found: FloatArray = 2 * dense - squared
    if order == 3:
        found = dense + 0.01 * (10 * squared - P @ squared - 29 * dense)
    return found
