"""XSimGCL (Yu et al. 2023, "XSimGCL: Towards extremely simple graph contrastive learning for recommendation").

SimGCL with a single propagation. The recommendation is learned on the noisy encoding itself, and the contrast is
between that encoding and the output of layer l* (eq. 8). As in the paper, the combination starts at layer 1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from darec.backbones.base import BackboneConfig, GraphBackbone
from darec.backbones.views import Candidates, contrast_views, perturbed
from darec.dimensions import Choice, Range
from darec.errors import ConfigError
from darec.limits import MOST_LAYERS
from darec.types import Batch, Encoded


class XSimGCLConfig(BackboneConfig):
    """Settings of :class:`XSimGCL`; defaults as in the authors' code."""

    name: Literal["xsimgcl"] = "xsimgcl"
    """Name of the backbone."""
    layers: Annotated[int, Choice(2, 3)] = Field(2, ge=1, le=MOST_LAYERS)
    """Propagation steps L."""
    contrast_layer: int = Field(1, ge=1)
    """Layer l* with which the final encoding is contrasted; at most ``layers``."""
    eps: Annotated[float, Range(0.05, 1.0, log=True)] = Field(0.2, ge=0)
    """Length of the noise vector added to each row."""
    contrast: Annotated[float, Range(0.01, 1.0, log=True)] = Field(0.2, ge=0)
    """Weight lambda of the contrast."""
    temperature: Annotated[float, Range(0.1, 0.5, log=True)] = Field(0.2, gt=0)
    """Temperature of the contrast."""
    candidates: Candidates = "batch"
    """Contrast an entity with those of the batch, as in the paper, or with all others."""

    @model_validator(mode="after")
    def _layer_exists(self) -> XSimGCLConfig:
        if self.contrast_layer > self.layers:
            raise ConfigError(
                f"backbone.contrast_layer {self.contrast_layer} is above backbone.layers {self.layers}: lower it."
            )
        return self


class XSimGCL(GraphBackbone[XSimGCLConfig]):
    """Noisy propagation whose result is contrasted with one of its layers."""

    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """The mean of layers 1 to L. In training it has noise, and layer l* is returned as a view."""
        layers = [ego]
        for _ in range(self.config.layers):
            layer = self.graph.propagate(layers[-1])
            if generator is not None:
                layer = perturbed(layer, self.config.eps, generator, self.layout)
            layers.append(layer)
        encoded = self.split(torch.stack(layers[1:]).mean(0))
        if generator is None or not self.config.contrast:
            return encoded
        view = self.split(layers[self.config.contrast_layer])
        return Encoded(encoded.users, encoded.items, (view,))

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The ranking loss and, with a view, the weighted contrast with it."""
        terms = {"ranking": self.ranking(encoded, batch)}
        for view in encoded.views:
            terms["contrast"] = contrast_views(encoded, view, batch, self.config, self.layout)
        return terms
