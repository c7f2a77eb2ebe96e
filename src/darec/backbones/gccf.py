"""LR-GCCF (Chen et al. 2020, AAAI, "Revisiting graph based collaborative filtering").

``E^(l+1) = S E^(l)`` with ``S = D~^-1/2 (A + I) D~^-1/2``, without non-linearity, and the residual preference
prediction ``y_ui = sum_l <e_u^(l), e_i^(l)>``: an inner product of the concatenated layers, so E_C is L + 1 times as
wide as the ego table. The paper has a matrix W^(l) in each layer. The RLMRec code, on which DaRec's experiments build,
has none, and neither has this class.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.base import BackboneConfig, BackboneInputs, GraphBackbone
from darec.dimensions import Choice
from darec.graph import GraphSpec
from darec.limits import MOST_LAYERS
from darec.types import Encoded


class GCCFConfig(BackboneConfig):
    """Settings of :class:`GCCF`; defaults as in the RLMRec code for Amazon-book, self-loops as in the paper."""

    name: Literal["gccf"] = "gccf"
    """Name of the backbone."""
    layers: Annotated[int, Choice(1, 2, 3)] = Field(2, ge=0, le=MOST_LAYERS)
    """Propagation steps L."""
    self_loops: bool = True
    """Add a self-loop to every entity, as in the paper; the RLMRec code does not."""


class GCCF(GraphBackbone[GCCFConfig]):
    """Linear propagation whose layers are concatenated."""

    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    @classmethod
    def graph_spec(cls, config: GCCFConfig) -> GraphSpec | None:
        """The user-item graph, with self-loops unless they are turned off."""
        return GraphSpec(self_loops=config.self_loops)

    def __init__(self, config: GCCFConfig, inputs: BackboneInputs) -> None:
        super().__init__(config, inputs)
        self.out_dim = config.dim * (config.layers + 1)

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """All layers, concatenated."""
        layers = [ego]
        for _ in range(self.config.layers):
            layers.append(self.graph.propagate(layers[-1]))
        return self.split(torch.cat(layers, dim=1))
