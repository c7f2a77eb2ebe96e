"""BPR-MF: matrix factorisation (Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback").

The score is ``e_u . e_i`` of free embeddings, eq. 5 without biases; with ``loss: softmax`` the same model is trained
by sampled softmax.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from darec.backbones.base import Backbone, BackboneConfig, BackboneInputs, id_table
from darec.types import Encoded


class MFConfig(BackboneConfig):
    """Settings of :class:`MF`."""

    name: Literal["mf"] = "mf"
    """Name of the backbone."""


class MF(Backbone[MFConfig]):
    """Free embeddings without propagation."""

    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def __init__(self, config: MFConfig, inputs: BackboneInputs) -> None:
        super().__init__(config, inputs)
        self.embedding = id_table(inputs, config.dim)

    def ego(self) -> Tensor:
        """The embeddings, [N, dim]."""
        return self.embedding

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """The ego embeddings, unchanged."""
        return self.split(ego)
