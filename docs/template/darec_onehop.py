"""OneHop: an entity is a mixture of itself and of its neighbours in the user-item graph."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.base import BackboneConfig, GraphBackbone
from darec.registry import BACKBONES
from darec.types import Encoded


class OneHopConfig(BackboneConfig):
    """Settings of :class:`OneHop`. Every backbone also has ``dim``, the width of its table of ids."""

    name: Literal["onehop"] = "onehop"
    """Name of the backbone."""
    residual: float = Field(0.5, ge=0, le=1)
    """Share of the entity's own embedding."""


class OneHop(GraphBackbone[OneHopConfig]):
    """One propagation over the graph, mixed with what it starts from."""

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """Mix. ``ego`` is [N, dim], users first; ``generator`` is None in evaluation, where nothing may be random."""
        share = self.config.residual
        return self.split(share * ego + (1 - share) * self.graph.propagate(ego))


BACKBONES.add("onehop", OneHop)
