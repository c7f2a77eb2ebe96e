"""Two towers over one graph: ids and text are propagated separately and scored together.

``score(u, i) = <id_u, id_i> + <text_u, text_i>``, the inner product of the concatenated towers. The text tower is an
MLP of each entity's language embedding. By default each tower has its own ranking loss: with a common loss the ids
learn faster and leave little for the text to learn. This model is not from a paper. It is the baseline that an
alignment of the two sides has to beat.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.base import BackboneConfig, BackboneInputs, GraphBackbone
from darec.dimensions import Choice
from darec.limits import MOST_LAYERS
from darec.numerics.mlp import mlp
from darec.types import Batch, Encoded, Tables


class DualConfig(BackboneConfig):
    """Settings of :class:`Dual`; ``dim`` is the width of each tower, so E_C is twice as wide."""

    name: Literal["dual"] = "dual"
    """Name of the backbone."""
    hidden: int = Field(64, ge=1)
    """Width of the hidden layer of the text's MLP."""
    layers: Annotated[int, Choice(1, 2, 3)] = Field(2, ge=0, le=MOST_LAYERS)
    """Propagation steps of both towers; their layers are averaged."""
    losses: Literal["apart", "together"] = "apart"
    """A ranking loss for each tower, or one for the sum of their scores."""


class Dual(GraphBackbone[DualConfig]):
    """An id tower and a text tower."""

    needs_text: ClassVar[bool] = True
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True
    text: Tensor

    def __init__(self, config: DualConfig, inputs: BackboneInputs) -> None:
        super().__init__(config, inputs)
        self.out_dim = 2 * config.dim
        text = cast(Tables, inputs.text)
        self.register_buffer("text", torch.cat([text.users, text.items]), persistent=False)
        width = self.text.shape[1]
        self.mlp = mlp(width, config.hidden, config.dim, generator=inputs.generator)

    def ego(self) -> Tensor:
        """The ids and the MLP of the text, concatenated, [N, 2 dim]."""
        of_text = self.layout.mapped(self.mlp, self.text, "entities")
        return torch.cat([self.embedding, of_text], dim=1)

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """Both towers after propagation. With cosines, each has unit rows, so that both have equal weight."""
        layers = self.config.layers
        both = self.split(self.graph.layer_sum(ego, layers) / (layers + 1))
        id_tower, text_tower = (self.ranking.scored(tower, self.layout) for tower in _towers(both))
        return Encoded(
            torch.cat([id_tower.users, text_tower.users], dim=1),
            torch.cat([id_tower.items, text_tower.items], dim=1),
        )

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The run's ranking loss on each tower, or on both together."""
        if self.config.losses == "together":
            return {"ranking": self.ranking(encoded, batch)}
        id_tower, text_tower = _towers(encoded)
        return {
            "ranking_ids": self.ranking(id_tower, batch),
            "ranking_text": self.ranking(text_tower, batch),
        }


def _towers(both: Tables) -> tuple[Tables, Tables]:
    halves = zip(both.users.chunk(2, 1), both.items.chunk(2, 1), strict=True)
    first, second = (Tables(users, items) for users, items in halves)
    return first, second
