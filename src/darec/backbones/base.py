"""The contract of a backbone. A backbone has the parameters and the graph of one collaborative model.

To add one, write ``backbones/NAME.py`` with a config and a class like those of mf.py, and add its line to
darec/registry. The trainer, the command line, the conformance suite and the tables of the docs then include it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from darec.config import PartConfig
from darec.graph import Graph, GraphSpec
from darec.losses import RankingLoss
from darec.processes import WHOLE, Kind, Layout
from darec.settings import Configured
from darec.types import Batch, Encoded, Tables

_DRAWN: Final = 2**16  # number of rows of a table that are drawn at once


class BackboneConfig(PartConfig):
    """Settings that every backbone has."""

    dim: int = Field(32, ge=1)
    """Width of the ego table; 32 in the RLMRec and DaRec papers."""


C = TypeVar("C", bound=BackboneConfig)


@dataclass(frozen=True)
class BackboneInputs:
    """Inputs from which a backbone is built.

    Attributes:
        n_users: U.
        n_items: I.
        graph: the training graph that ``graph_spec`` describes; None if it describes none.
        ranking: the run's ranking loss.
        text: E_L, [U, d_L] and [I, d_L]; None if ``needs_text`` is False.
        generator: source of the initial values.
        layout: how tables are divided among processes.
    """

    n_users: int
    n_items: int
    graph: Graph | None
    ranking: RankingLoss
    text: Tables | None
    generator: torch.Generator
    layout: Layout = WHOLE


class Backbone(nn.Module, Configured[C], ABC):
    """Base class of all backbones: an ego row for each entity is encoded into E_C.

    Write ``class Mine(Backbone[MineConfig])``.

    Attributes:
        needs_text: whether the model itself reads the language embeddings.
        has_ids: whether the model learns an id table, ``embedding``.
        closed_form: False here; True for the backbones of :mod:`darec.backbones.closed_form`.
        by_columns: whether several processes can train it, each with its own columns of ``embedding`` and of what
            :meth:`encode` returns, and all else the same on all (:mod:`darec.processes.layout`).
        by_rows: the same with its own rows of them.
        layout: how tables are divided among processes.
        embedding: [N, dim], that table; of several processes, the part of this one.
        out_dim: width of what :meth:`encode` returns, on all processes together.
        ablations: the ablations of ``darec ablate``, name -> settings. With None, they are derived from the config.
    """

    needs_text: ClassVar[bool] = False
    has_ids: ClassVar[bool] = True
    closed_form: ClassVar[bool] = False
    by_columns: ClassVar[bool] = False
    by_rows: ClassVar[bool] = False
    ablations: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None
    embedding: nn.Parameter

    def __init__(self, config: C, inputs: BackboneInputs) -> None:
        super().__init__()
        self.config = config
        blocks = inputs.layout.blocks(inputs.n_users, inputs.n_items)
        self.sizes = [block.stop - block.start for block in blocks]
        self.ranking = inputs.ranking
        self.layout = inputs.layout
        self.out_dim = config.dim

    @classmethod
    def graph_spec(cls, config: C) -> GraphSpec | None:
        """The graph that the model propagates over; None for models without a graph."""
        return None

    @abstractmethod
    def ego(self) -> Tensor:
        """The table from which encoding starts, [N, d], users first."""

    @abstractmethod
    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """Turn ego embeddings into E_C.

        Args:
            ego: [N, d], from :meth:`ego` and the alignment's ``fuse``.
            generator: source of dropout and views in training; None in evaluation, which must be deterministic.

        Returns:
            [U, out_dim] and [I, out_dim], and the views if the model contrasts views.
        """

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """Named scalars, to be summed. The default is the run's ranking loss."""
        return {"ranking": self.ranking(encoded, batch)}

    def on_step(self, step: int, generator: torch.Generator) -> None:
        """Called before each training step, for models that draw something every few steps.

        A draw that is used after the step must be stored in a buffer, so that a resumed run has it.
        """

    def split(self, entities: Tensor) -> Encoded:
        """Split [N, d] into users and items."""
        users, items = entities.split(self.sizes)
        return Encoded(users, items)


class GraphBackbone(Backbone[C]):
    """Base class of models that propagate an id table over the user-item graph.

    Attributes:
        embedding: the id table E^(0), [N, dim].
        graph: the graph that :meth:`graph_spec` describes.
    """

    graph: Graph

    @classmethod
    def graph_spec(cls, config: C) -> GraphSpec | None:
        """The user-item graph, symmetrically normalised."""
        return GraphSpec()

    def __init__(self, config: C, inputs: BackboneInputs) -> None:
        super().__init__(config, inputs)
        self.graph = cast(Graph, inputs.graph)
        self.embedding = id_table(inputs, config.dim)

    def ego(self) -> Tensor:
        """The embeddings E^(0), [N, dim]."""
        return self.embedding


def id_table(inputs: BackboneInputs, dim: int) -> nn.Parameter:
    """A learned [N, dim] table.

    Its initial values are Xavier-uniform for users and for items separately, as in LightGCN's code.

    Of several processes each draws the whole table, a few rows at a time, and keeps its own part.
    """
    parts, layout = [], inputs.layout
    sides: tuple[tuple[Kind, int], ...] = (("users", inputs.n_users), ("items", inputs.n_items))
    for of, n in sides:
        bound = math.sqrt(3) * math.sqrt(2 / (n + dim))
        for start in range(0, n, _DRAWN):
            rows = torch.empty(min(_DRAWN, n - start), dim)
            rows.uniform_(-bound, bound, generator=inputs.generator)
            parts.append(layout.own_columns(layout.own_rows(rows, of, start)))
    return nn.Parameter(torch.cat(parts))
