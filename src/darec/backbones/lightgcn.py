"""LightGCN (He et al. 2020, "LightGCN: Simplifying and powering graph convolution network for recommendation").

``E^(l+1) = D^-1/2 A D^-1/2 E^(l)`` (eq. 3) and ``E_C = sum_l alpha_l E^(l)`` (eq. 4). The paper takes
alpha_l = 1 / (L + 1), the mean; the RLMRec code, on which DaRec's experiments build, takes the sum. Under BPR the two
differ in the scale of the scores, and therefore in the effect of the learning rate and the L2 term.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.base import BackboneConfig, GraphBackbone
from darec.dimensions import Choice
from darec.limits import MOST_LAYERS
from darec.types import Encoded


class LightGCNConfig(BackboneConfig):
    """Settings of :class:`LightGCN`; defaults as in the RLMRec code for Amazon-book."""

    name: Literal["lightgcn"] = "lightgcn"
    """Name of the backbone."""
    layers: Annotated[int, Choice(1, 2, 3)] = Field(3, ge=0, le=MOST_LAYERS)
    """Propagation steps L; 3 in RLMRec for Amazon-book and Yelp, 2 for Steam."""
    combine: Literal["sum", "mean"] = "sum"
    """How the layers' outputs are combined: sum, or mean as in the paper."""
    edge_keep: float = Field(0.8, gt=0, le=1)
    """Probability that an edge is kept in a training step. 1 turns edge dropout off, as in LightGCN's paper."""
    rescale: bool = False
    """Divide kept edges by ``edge_keep``. The RLMRec code does not."""
    stored: Literal["float32", "bf16"] = "float32"
    """Number type of the tables between the layers; parameters stay float32. bf16 moves half the bytes, which makes
    wide tables faster, and rounds each number to 3 digits (docs/studies/epoch-cost.md)."""


class LightGCN(GraphBackbone[LightGCNConfig]):
    """Linear propagation of free embeddings over the training graph."""

    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """Propagate and combine the layers, eq. 3 and 4."""
        config, weights = self.config, None
        if generator is not None and config.edge_keep < 1:
            weights = self.graph.drop_edges(config.edge_keep, generator, rescale=config.rescale)
        stored = torch.bfloat16 if config.stored == "bf16" else None
        total = self.graph.layer_sum(ego, config.layers, weights, stored=stored)
        if config.combine == "mean":
            total = total / (config.layers + 1)
        return self.split(total)
