"""AutoCF (Xia et al. 2023, "Automated self-supervised learning for recommendation").

A masked graph autoencoder. Every few steps it chooses seeds by how well an entity agrees with its neighbourhood of two
hops; the agreement is itself a loss, ``infomax``. It removes the edges around the seeds and encodes the remaining graph
by plain propagation. Graph attention then decodes over the remaining edges and random pairs of masked entities. There
are no negatives: the two ends of a positive are pulled together, and all entities are spread apart, users from users,
items from items and users from items.

Departures, as in the RLMRec code: the reconstruction loss is computed on the batch's positives instead of the masked
edges, and the spreading terms use raw inner products.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from darec.backbones.base import BackboneConfig, BackboneInputs, GraphBackbone
from darec.dimensions import Choice, Range
from darec.errors import ConfigError
from darec.graph import Pattern
from darec.limits import MOST_LAYERS
from darec.numerics.infonce import log_partition
from darec.types import Batch, Encoded


class AutoCFConfig(BackboneConfig):
    """Settings of :class:`AutoCF`; defaults as in the RLMRec code for Amazon-book."""

    name: Literal["autocf"] = "autocf"
    """Name of the backbone."""
    layers: Annotated[int, Choice(1, 2, 3)] = Field(2, ge=0, le=MOST_LAYERS)
    """Propagation steps of the encoder."""
    attention_layers: int = Field(1, ge=0, le=MOST_LAYERS)
    """Layers of the decoder."""
    heads: int = Field(4, ge=1)
    """Number of attention heads; ``dim`` must be a multiple of it."""
    seeds: int = Field(100, ge=1)
    """Number of seeds, the entities around which edges are masked."""
    mask_depth: int = Field(2, ge=1, le=MOST_LAYERS)
    """Hops from a seed within which edges are masked."""
    mixed: float = Field(0.2, ge=0, le=1)
    """The decoder's random pairs also use entities that are not masked: this many, as a share of N."""
    every: int = Field(10, ge=1)
    """Number of steps between two maskings."""
    contrast: Annotated[float, Range(0.1, 10.0, log=True)] = Field(5.0, ge=0)
    """Weight lambda_1 of spreading users from users and items from items."""

    @model_validator(mode="after")
    def _heads_divide(self) -> AutoCFConfig:
        if self.dim % self.heads:
            raise ConfigError(
                f"backbone.heads: {self.heads} heads do not divide backbone.dim {self.dim}: choose a divisor."
            )
        return self


class Attention(nn.Module):
    """One layer of graph attention: the mean of an entity's neighbours, weighted by a softmax of scores."""

    def __init__(self, dim: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (
            nn.Parameter(nn.init.xavier_uniform_(torch.empty(dim, dim), generator=generator))
            for _ in range(3)
        )

    def forward(self, x: Tensor, pattern: Pattern) -> Tensor:
        """Map [N, dim] to [N, dim]."""
        parts = [(x @ matrix).chunk(self.heads, 1) for matrix in (self.query, self.key, self.value)]
        return torch.cat(
            [
                # Clamped as in the authors' code, so that no exponential overflows.
                pattern.weighted_mean(value, pattern.dots(query, key).clamp(-10, 10).exp())
                for query, key, value in zip(*parts, strict=True)
            ],
            dim=1,
        )


class AutoCF(GraphBackbone[AutoCFConfig]):
    """Masked graph autoencoding with learned masks."""

    seeds: Tensor
    draw: Tensor

    def __init__(self, config: AutoCFConfig, inputs: BackboneInputs) -> None:
        super().__init__(config, inputs)
        self.decoder = nn.ModuleList(
            Attention(config.dim, config.heads, inputs.generator)
            for _ in range(config.attention_layers)
        )
        # The masking is computed from these two buffers, so that a resumed run has the same masking.
        seeds = min(config.seeds, len(self.embedding))
        self.register_buffer("seeds", torch.zeros(seeds, dtype=torch.long))
        self.register_buffer("draw", torch.zeros((), dtype=torch.long))
        self._masked: tuple[Tensor, Pattern] | None = None

    @torch.no_grad()
    def on_step(self, step: int, generator: torch.Generator) -> None:
        """Choose new seeds every few steps."""
        if step % self.config.every:
            return
        agreement = self._agreement()
        noise = torch.rand(agreement.shape, generator=generator, device=agreement.device)
        gumbel = -(-noise.clamp_min(1e-8).log()).clamp_min(1e-8).log()
        self.seeds.copy_(torch.topk(agreement + gumbel, len(self.seeds)).indices)
        self.draw.copy_(torch.randint(2**31, (), generator=generator, device=agreement.device))
        self._masked = None

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """The sum of the encoder's and the decoder's layers.

        Training uses the masked graph, evaluation the whole graph.
        """
        weights, pattern = None, self.graph.pattern
        if generator is not None:
            if self._masked is None:
                self._masked = self._mask()
            weights, pattern = self._masked
        total = layer = ego
        for _ in range(self.config.layers):
            layer = self.graph.propagate(layer, weights)
            total = total + layer
        for attention in self.decoder:
            layer = attention(layer, pattern)
            total = total + layer
        return self.split(total)

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """Closeness of positives, spread of all entities and, at the steps that choose seeds, the agreement."""
        tables = self.ranking.scored(encoded)
        users, user_counts = batch.users.unique(return_counts=True)
        items = batch.items.unique()
        of_users, of_items = (
            tables.users.index_select(0, users),
            tables.items.index_select(0, items),
        )
        positives = tables.users.index_select(0, batch.users) * tables.items.index_select(
            0, batch.items
        )
        spread = log_partition(of_users, tables.users) + log_partition(of_items, tables.items)
        terms = {
            "reconstruction": -positives.sum(1).mean(),
            "spread": log_partition(of_users, tables.items, user_counts),
            "contrast": self.config.contrast * spread,
        }
        if batch.step % self.config.every == 0:
            terms["infomax"] = -self._agreement().mean()
        return terms

    def _agreement(self) -> Tensor:
        """``log sigmoid cos`` of each embedding with the mean of its neighbourhood of two hops, [N]."""
        x, ones = self.embedding, torch.ones_like(self.graph.weights)
        degree = self.graph.indptr.diff()[:, None].to(x.dtype)
        near = self.graph.propagate(x, ones)
        far = (
            self.graph.propagate(near, ones) - degree * x
        )  # without paths that return to the start
        size = degree + self.graph.propagate(degree, ones) - degree
        return F.logsigmoid(F.cosine_similarity((near + far) / size.clamp_min(1.0), x))

    def _mask(self) -> tuple[Tensor, Pattern]:
        """Edge weights of the encoder, [nnz], and the decoder's pattern."""
        graph, n, device = self.graph, len(self.embedding), self.seeds.device
        rows, columns, edges = graph.pattern.rows, graph.indices.long(), graph.edges.long()
        masked = torch.zeros(graph.n_edges, dtype=torch.bool, device=device)
        nodes = torch.zeros(n, dtype=torch.bool, device=device)
        nodes[self.seeds] = True
        seen = nodes.clone()
        for hop in range(self.config.mask_depth):
            fresh = nodes[rows] & ~masked[edges]
            masked[edges[fresh]] = True
            if hop < self.config.mask_depth - 1:  # the last hop's far ends keep their other edges
                nodes = torch.zeros_like(nodes)
                nodes[columns[fresh]] = True
                seen |= nodes
        drawn = torch.Generator(device).manual_seed(int(self.draw))
        mixed = torch.randint(n, (int(n * self.config.mixed),), generator=drawn, device=device)
        seen[mixed] = True
        candidates = seen.nonzero().squeeze(1)
        one, other = candidates[
            torch.randint(len(candidates), (2, len(rows)), generator=drawn, device=device)
        ]
        stays, loops = ~masked[edges], torch.arange(n, device=device)
        pattern = Pattern.from_pairs(
            torch.cat([one, loops, rows[stays]]), torch.cat([other, loops, columns[stays]]), n
        )
        return graph.subgraph(~masked), pattern
