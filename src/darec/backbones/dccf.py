"""DCCF (Ren et al. 2023, "Disentangled contrastive collaborative filtering").

Each layer adds to an embedding four messages: from its neighbours, ``Z = S E`` (eq. 6); from its intents, ``R =
softmax(E C) C^T`` with prototypes C of users and of items (eq. 3 and 4); and two from the neighbours again, weighted by
the similarity of the two ends of an edge in Z and in R, ``(cos + 1) / 2`` divided by the row's sum (eq. 8 to 10). E_C
sums the layers, and in every layer Z is contrasted with the other three within the batch (eq. 11 and 12).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from darec.backbones.base import BackboneConfig, BackboneInputs, GraphBackbone
from darec.backbones.views import contrast_rows
from darec.dimensions import Choice, Range
from darec.limits import MOST_LAYERS
from darec.processes import Kind
from darec.types import Batch, Encoded

_MESSAGES = 4  # neighbours, intents, neighbours by similarity in Z, and in R


class DCCFConfig(BackboneConfig):
    """Settings of :class:`DCCF`; defaults as in the RLMRec code for Amazon-book."""

    name: Literal["dccf"] = "dccf"
    """Name of the backbone."""
    layers: Annotated[int, Choice(1, 2, 3)] = Field(2, ge=0, le=MOST_LAYERS)
    """Propagation steps L."""
    intents: Annotated[int, Choice(32, 64, 128)] = Field(128, ge=1)
    """Number K of prototypes of users, and of items."""
    contrast: Annotated[float, Range(1e-4, 0.1, log=True)] = Field(1e-3, ge=0)
    """Weight lambda_1 of the contrast."""
    temperature: Annotated[float, Range(0.1, 0.5, log=True)] = Field(0.1, gt=0)
    """Temperature of the contrast."""


class DCCF(GraphBackbone[DCCFConfig]):
    """Propagation with intents and learned edge weights, contrasted with plain propagation."""

    by_columns: ClassVar[bool] = True

    def __init__(self, config: DCCFConfig, inputs: BackboneInputs) -> None:
        super().__init__(config, inputs)
        self.user_intents, self.item_intents = (
            nn.Parameter(
                nn.init.xavier_uniform_(
                    torch.empty(config.dim, config.intents), generator=inputs.generator
                )
            )
            for _ in range(2)
        )

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """The sum of all layers. In training, each layer's four messages are returned as views."""
        total = layer = ego
        messages: list[Tensor] = []
        for _ in range(self.config.layers):
            neighbours = self.graph.propagate(layer)
            intents = self._intents(layer)
            messages += [
                neighbours,
                intents,
                self._by_likeness(layer, neighbours),
                self._by_likeness(layer, intents),
            ]
            layer = layer + torch.stack(messages[-_MESSAGES:]).sum(0)
            total = total + layer
        encoded = self.split(total)
        if generator is None or not self.config.contrast:
            return encoded
        return Encoded(encoded.users, encoded.items, tuple(map(self.split, messages)))

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The ranking loss and, with views, their weighted contrast."""
        terms = {"ranking": self.ranking(encoded, batch)}
        if not encoded.views:
            return terms
        users, items = batch.users.unique(), batch.items.unique()
        total = encoded.users.new_zeros(())
        for first in range(0, len(encoded.views), _MESSAGES):
            neighbours, *others = encoded.views[first : first + _MESSAGES]
            for other in others:
                sides: tuple[tuple[Kind, Tensor, Tensor, Tensor], ...] = (
                    ("users", users, neighbours.users, other.users),
                    ("items", items, neighbours.items, other.items),
                )
                for of, rows, one, two in sides:
                    total = total + contrast_rows(
                        one,
                        two,
                        rows,
                        of=of,
                        temperature=self.config.temperature,
                        layout=self.layout,
                    )
        return {**terms, "contrast": self.config.contrast * total}

    def _intents(self, layer: Tensor) -> Tensor:
        """R, which represents each entity as a mixture of prototypes."""
        layout, mixed = self.layout, []
        prototypes = (self.user_intents, self.item_intents)
        for side, whole in zip(layer.split(self.sizes), prototypes, strict=True):
            own = layout.own_columns(layout.shared(whole).T).T if layout.divided else whole
            shares = torch.softmax(layout.summed(side @ own), dim=1)
            mixed.append(layout.shared(shares) @ own.T)
        return torch.cat(mixed)

    def _by_likeness(self, layer: Tensor, reference: Tensor) -> Tensor:
        """Mean of the neighbours, weighted by the cosine of both ends in ``reference``, shifted to [0, 1]."""
        layout, pattern = self.layout, self.graph.pattern
        unit = layout.unit(reference)
        cosines = layout.summed(pattern.dots(unit, unit))
        return pattern.weighted_mean(layer, layout.shared((cosines + 1) / 2))
