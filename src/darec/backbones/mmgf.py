"""MM-GF (Roh, Kim, Park & Shin 2025, "Training-Free Graph Filtering", arXiv 2503.04406), on text.

The score is Turbo-CF's linear filter on the graph of interactions, plus the same filter on a graph of the items' text.
The text features are first refined: scaled robustly, and shifted until none is negative. Nothing is trained.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from darec.backbones.closed_form import ClosedForm, ClosedFormConfig, ClosedFormInputs, matrix_of
from darec.dimensions import Range
from darec.errors import ConfigError
from darec.graph import item_graph
from darec.memory import require_memory
from darec.progress import counted
from darec.scoring import MatrixScorer
from darec.types import FloatArray, TextTable

_BLOCK = 1024


class MMGFConfig(ClosedFormConfig):
    """Settings of :class:`MMGF`; defaults chosen on the validation split of toys."""

    name: Literal["mmgf"] = "mmgf"
    """Name of the backbone."""
    users: Annotated[float, Range(0.3, 1.0)] = Field(0.8, ge=0, le=1)
    """Exponent of the degrees of users, and of the sums of an item's features, alpha in the paper. The exponent of the
    other side is 1 minus this."""
    power: Annotated[float, Range(0.2, 1.6)] = Field(0.5, gt=0)
    """Power of the weights of both graphs, s in the paper."""
    text: Annotated[float, Range(0.1, 30.0, log=True)] = Field(3.0, ge=0)
    """Weight of the text's graph relative to the graph of interactions, after both are scaled to the same spread."""


class MMGF(ClosedForm[MMGFConfig]):
    """A linear low-pass filter on two graphs of items, one of interactions and one of text."""

    needs_text: ClassVar[bool] = True

    def fit(self, inputs: ClosedFormInputs) -> MatrixScorer:
        """Build the filter.

        Raises:
            ConfigError: there is too little memory, or there are no language embeddings.
        """
        if inputs.text is None:
            raise ConfigError(
                "backbone 'mmgf' needs language embeddings: run 'darec encode' first."
            )
        config, n = self.config, inputs.train.n_items
        require_memory(
            8 * n * n,
            f"the {n:,} x {n:,} graph of text of backbone 'mmgf'",
            "use backbone 'turbocf', or import with a k-core that leaves fewer items",
        )
        graph = item_graph(inputs.train, config.users, 1 - config.users)
        graph.data **= config.power
        mean = graph.sum(dtype=np.float64) / n**2
        spread = np.sqrt((graph.data.astype(np.float64) ** 2).sum() / n**2 - mean**2)
        whole = text_graph(refined(inputs.text, config.users), config.power)
        whole *= config.text * spread
        for start in range(0, n, _BLOCK):
            whole[start : start + _BLOCK] += graph[start : start + _BLOCK].toarray()
        return MatrixScorer(whole, matrix_of(inputs.train), inputs.ties)


def text_graph(features: FloatArray, power: float) -> FloatArray:
    """[I, I] inner products of refined features, raised to a power and standardised to mean 0 and spread 1.

    The products are nearly equal, because no feature is negative. Subtracting their mean changes no ranking. Dividing
    by the spread gives the graph's weight the same meaning for every encoder.
    """
    n = len(features)
    graph = np.empty((n, n), np.float32)
    sums = np.zeros(2)
    first = (
        float(features[0] @ features.mean(0)) ** power
    )  # shifted near to the mean, so that squares lose no digits
    for start in counted(range(0, n, _BLOCK), "connecting items by text"):
        block = graph[start : start + _BLOCK]
        np.matmul(features[start : start + _BLOCK], features.T, out=block)
        np.power(block, power, out=block)
        block -= first
        sums += block.sum(dtype=np.float64), np.square(block, dtype=np.float64).sum()
    mean, square = sums / n**2
    graph -= mean
    spread = np.sqrt(max(square - mean**2, 0.0))
    graph *= 1 / spread if spread > 1e-6 * abs(first) else 0.0  # otherwise all texts are equal
    return graph


def refined(text: TextTable, items: float) -> FloatArray:
    """[I, d_L] features of the items with text, none negative; zeros for items without.

    Each feature is centred on its median and divided by its interquartile range, and the smallest value is subtracted
    from all. Rows are then divided by their sum to the power ``items``, and columns by their sum to the power 1 minus
    that.
    """
    features = np.zeros(text.items.shape, np.float32)
    if not text.item_mask.any():
        return features
    known = text.items[text.item_mask].astype(np.float64)
    low, middle, high = np.percentile(known, [25, 50, 75], axis=0)
    scaled = (known - middle) / np.where(high > low, high - low, 1)
    scaled -= scaled.min()
    by_row, by_column = scaled.sum(1, keepdims=True), scaled.sum(0, keepdims=True)
    scaled /= np.where(by_row > 0, by_row, 1) ** items
    scaled /= np.where(by_column > 0, by_column, 1) ** (1 - items)
    features[text.item_mask] = scaled
    return features
