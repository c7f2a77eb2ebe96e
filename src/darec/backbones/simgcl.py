"""SimGCL (Yu et al. 2022, "Are graph augmentations necessary? Simple graph contrastive learning for recommendation").

LightGCN, with a contrast between two views that differ by noise on every layer's output: ``e' = e + Delta``, ``Delta =
eps * unit(X) * sign(e)``, X uniform in [0, 1]^d (eq. 7 and 8), told apart by InfoNCE (eq. 4). The authors' code leaves
layer 0 out of the combination; the RLMRec code, on which DaRec's experiments build, keeps it, and so does this.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.base import BackboneConfig, GraphBackbone
from darec.backbones.views import Candidates, contrast_views, perturbed
from darec.search import Choice, Range
from darec.types import Batch, Encoded


class SimGCLConfig(BackboneConfig):
    """Settings of :class:`SimGCL`; defaults as in the RLMRec code for Amazon-book."""

    name: Literal["simgcl"] = "simgcl"
    """Name of the backbone."""
    layers: Annotated[int, Choice(1, 2, 3)] = Field(3, ge=0)
    """Propagation steps L."""
    combine: Literal["sum", "mean"] = "sum"
    """How the layers' outputs are combined; the mean in the paper, the sum in the RLMRec code."""
    eps: Annotated[float, Range(0.05, 1.0, log=True)] = Field(0.9, ge=0)
    """Length of the noise vector added to each row; 0.1 in the paper."""
    contrast: Annotated[float, Range(0.01, 1.0, log=True)] = Field(0.1, ge=0)
    """Weight lambda of the contrast between the views."""
    temperature: Annotated[float, Range(0.1, 0.5, log=True)] = Field(0.2, gt=0)
    """Temperature of the contrast."""
    candidates: Candidates = "batch"
    """Tell an entity from those of the batch, as in the paper, or from all others, as in the RLMRec code."""


class SimGCL(GraphBackbone):
    """LightGCN with a contrast between two noisy views."""

    Config: ClassVar[type[BackboneConfig]] = SimGCLConfig
    config: SimGCLConfig

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """E_C without noise; in training also two views with noise."""
        encoded = self.split(self._combine(self.graph.layer_sum(ego, self.config.layers)))
        if generator is None or not self.config.contrast:
            return encoded
        views = (self._view(ego, generator), self._view(ego, generator))
        return Encoded(encoded.users, encoded.items, views)

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The ranking loss and, where there are views, their weighted contrast."""
        terms = {"ranking": self.ranking(encoded, batch)}
        if encoded.views:
            first, second = encoded.views
            terms["contrast"] = contrast_views(first, second, batch, self.config)
        return terms

    def _view(self, ego: Tensor, generator: torch.Generator) -> Encoded:
        total = noisy = ego
        for _ in range(self.config.layers):
            noisy = perturbed(self.graph.propagate(noisy), self.config.eps, generator)
            total = total + noisy
        return self.split(self._combine(total))

    def _combine(self, total: Tensor) -> Tensor:
        return total / (self.config.layers + 1) if self.config.combine == "mean" else total
