"""AlphaRec (Sheng et al. 2024, "Language representations can be what recommenders need").

There is no id table. An item's ego embedding is a small MLP of its text; a user's is the same MLP of the mean text of
their items. Both are propagated as in LightGCN (mean of layers) and trained by InfoNCE on cosines against sampled
negatives (eq. 3 to 6). Only the MLP's weights are learned, so entities without interactions have embeddings too.

The model always uses its own InfoNCE. The run's ranking loss only decides how negatives are drawn. E_C has unit rows,
so that inner products are the cosines that it learns.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.base import Backbone, BackboneConfig, BackboneInputs
from darec.dimensions import Choice, Range
from darec.graph import Graph, GraphSpec
from darec.limits import MOST_LAYERS
from darec.losses import sampled_softmax_loss
from darec.numerics.mlp import mlp
from darec.types import Batch, Encoded, Tables


class AlphaRecConfig(BackboneConfig):
    """Settings of :class:`AlphaRec`."""

    name: Literal["alpharec"] = "alpharec"
    """Name of the backbone."""
    hidden: int | None = Field(None, ge=1)
    """Width of the MLP's hidden layer. With null, half of the text's width, as in the paper."""
    layers: Annotated[int, Choice(1, 2, 3)] = Field(2, ge=0, le=MOST_LAYERS)
    """Propagation steps; 2 in the paper."""
    temperature: Annotated[float, Range(0.05, 0.5, log=True)] = Field(0.15, gt=0)
    """Temperature of InfoNCE; 0.15 in the paper."""


class AlphaRec(Backbone[AlphaRecConfig]):
    """An MLP of the text, propagated over the graph."""

    needs_text: ClassVar[bool] = True
    has_ids: ClassVar[bool] = False
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True
    text: Tensor

    @classmethod
    def graph_spec(cls, config: AlphaRecConfig) -> GraphSpec | None:
        """The user-item graph, symmetrically normalised."""
        return GraphSpec()

    def __init__(self, config: AlphaRecConfig, inputs: BackboneInputs) -> None:
        super().__init__(config, inputs)
        self.graph = cast(Graph, inputs.graph)
        text = cast(Tables, inputs.text)
        self.register_buffer("text", torch.cat([text.users, text.items]), persistent=False)
        width = self.text.shape[1]
        hidden = config.hidden or max(1, width // 2)
        self.mlp = mlp(width, hidden, config.dim, generator=inputs.generator)

    def ego(self) -> Tensor:
        """The MLP of every entity's text, [N, dim]."""
        return self.layout.mapped(self.mlp, self.text, "entities")

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """Unit rows of the mean of the layers."""
        return self.split(self.layout.unit(self.graph.layer_sum(ego, self.config.layers)))

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """InfoNCE of each positive against the batch's negatives, shared by its rows."""
        layout, cuts = self.layout, self.layout.cuts(batch.users, "users")
        positives, negatives = layout.dealt(
            encoded.items, "items", [batch.items], cuts, [batch.negatives]
        )
        (users,) = layout.dealt(encoded.users, "users", [batch.users], cuts)
        users = users / self.config.temperature
        loss = sampled_softmax_loss(
            (users * positives).sum(1), users @ negatives.T, batch.log_weight, batch.blocked
        )
        return {"ranking": layout.mean(loss, cuts)}
