"""SGL (Wu et al. 2021, "Self-supervised graph learning for recommendation").

LightGCN encodes the whole graph for the recommendation, and two randomly thinned graphs for two views. Between the
views every node is contrasted with all others: ``L = L_main + lambda_1 (L_ssl^user + L_ssl^item)`` (eq. 10 and 11). A
graph is thinned by dropping nodes with their edges, by dropping edges, or by dropping other edges in each layer, which
is a random walk (eq. 6 to 8).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.views import Candidates, TwoViews, TwoViewsConfig


class SGLConfig(TwoViewsConfig):
    """Settings of :class:`SGL`; defaults as in the RLMRec code for Amazon-book."""

    name: Literal["sgl"] = "sgl"
    """Name of the backbone."""
    augmentation: Literal["node_dropout", "edge_dropout", "random_walk"] = "edge_dropout"
    """How the graph of a view is thinned."""
    keep: float = Field(0.8, gt=0, le=1)
    """Share of nodes or edges that a view keeps."""
    renormalise: bool = False
    """Normalise a thinned graph by its own degrees. The authors' code does; the RLMRec code does not."""
    candidates: Candidates = "all"
    """Contrast an entity with all others, as in the paper, or with those of the batch, which is several times
    faster."""


class SGL(TwoViews[SGLConfig]):
    """LightGCN with a contrast between two thinned graphs."""

    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def view(self, ego: Tensor, generator: torch.Generator) -> Tensor:
        """The layers on a thinned graph. For a random walk, each layer has another graph."""
        layers = self.config.layers
        if self.config.augmentation != "random_walk":
            return self.graph.layer_sum(ego, layers, self._thin(generator))
        total = walked = ego
        for _ in range(layers):
            walked = self.graph.propagate(walked, self._thin(generator))
            total = total + walked
        return total

    def _thin(self, generator: torch.Generator) -> Tensor:
        """Edge weights of a thinned graph, [nnz]."""
        config, graph = self.config, self.graph
        if config.augmentation == "node_dropout":
            n = graph.n_users + graph.n_items
            nodes = torch.rand(n, generator=generator, device=generator.device)
            own = self.layout.own_rows(nodes < config.keep, "entities")
            stays = graph.extended(own[:, None])[:, 0]
            ends = stays[graph.pattern.rows] & stays[graph.indices.long()]
            kept = torch.zeros(graph.n_edges, dtype=torch.bool, device=ends.device)
            kept[graph.edges[ends].long()] = True
        else:
            kept = graph.sample_edges(config.keep, generator)
        return graph.subgraph(kept) if config.renormalise else graph.thinned(kept)
