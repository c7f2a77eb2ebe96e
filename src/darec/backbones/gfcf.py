"""GF-CF (Shen et al. 2021, "How Powerful is Graph Convolution for Recommendation?", CIKM, arXiv 2108.07567).

The score is the sum of two low-pass filters on the graph of items. The linear filter sums over the items connected to
the user's items. The ideal filter keeps the smoothest directions unchanged. Nothing is trained.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from darec.backbones.closed_form import ClosedForm, ClosedFormConfig, ClosedFormInputs, matrix_of
from darec.dimensions import Choice, Range
from darec.graph import ideal_low_pass, item_graph
from darec.memory import require_memory
from darec.numerics.gram import gram_bytes
from darec.scoring import AddedScorer, LinearFolding, MatrixScorer, TableScorer
from darec.types import Tables


class GFCFConfig(ClosedFormConfig):
    """Settings of :class:`GFCF`."""

    name: Literal["gfcf"] = "gfcf"
    """Name of the backbone."""
    width: Annotated[int, Choice(64, 128, 256, 512)] = Field(256, ge=1)
    """Number of directions that the ideal filter keeps; at most one less than the numbers of users and of items."""
    ideal: Annotated[float, Range(0.0, 1.0)] = Field(0.3, ge=0)
    """Weight of the ideal filter, alpha in the paper. The linear filter has weight 1."""


class GFCF(ClosedForm[GFCFConfig]):
    """A linear and an ideal low-pass filter on the graph of items."""

    deterministic: ClassVar[bool] = False  # the singular vectors are computed by random projections

    def fit(self, inputs: ClosedFormInputs) -> AddedScorer:
        """Build the two filters. Both are linear in a history, so the scores of new users are exact.

        Raises:
            ConfigError: there is too little memory.
        """
        X = matrix_of(inputs.train)
        width = self.config.width
        require_memory(
            2 * gram_bytes(X) + 8 * width * sum(X.shape),
            f"the graph of {X.shape[1]:,} items of backbone 'gfcf' and tables of {width:,} columns",
            "lower backbone.width, or import with a k-core that leaves fewer items",
        )
        linear = MatrixScorer(item_graph(inputs.train), X, inputs.ties)
        into, out_of = map(torch.from_numpy, ideal_low_pass(inputs.train, width, inputs.seed))
        folding = LinearFolding(into)
        tables = Tables(torch.from_numpy(folding.rows(X, out_of)), out_of)
        ideal = TableScorer(tables, inputs.ties, folding)
        return AddedScorer([linear, ideal], [1.0, self.config.ideal])
