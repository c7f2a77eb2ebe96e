"""Contrast between two views of the same entities, which SGL, SimGCL and XSimGCL add to the ranking loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Final, Literal, Protocol, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.base import BackboneConfig, GraphBackbone
from darec.dimensions import Choice, Range
from darec.limits import MOST_LAYERS
from darec.numerics.infonce import info_nce
from darec.processes import WHOLE, Kind, Layout
from darec.types import Batch, Encoded, Tables

Candidates = Literal["all", "batch"]
_DRAWN: Final = 2**16  # rows of noise that are drawn at once


class ContrastSettings(Protocol):
    """The settings of a contrast between views."""

    @property
    def contrast(self) -> float:
        """Weight of the contrast."""

    @property
    def temperature(self) -> float:
        """Temperature by which the cosines are divided."""

    @property
    def candidates(self) -> Candidates:
        """Contrast an entity with all others (SGL, eq. 10), or with those of the batch (SimGCL, eq. 4)."""


class TwoViewsConfig(BackboneConfig):
    """Settings of models that contrast two views (:class:`TwoViews`); defaults as in the RLMRec code."""

    layers: Annotated[int, Choice(1, 2, 3)] = Field(3, ge=0, le=MOST_LAYERS)
    """Propagation steps L."""
    combine: Literal["sum", "mean"] = "sum"
    """How the layers' outputs are combined; the mean in the paper, the sum in the RLMRec code."""
    contrast: Annotated[float, Range(0.01, 1.0, log=True)] = Field(0.1, ge=0)
    """Weight lambda of the contrast between the views."""
    temperature: Annotated[float, Range(0.1, 0.5, log=True)] = Field(0.2, gt=0)
    """Temperature of the contrast."""
    candidates: Candidates = "batch"
    """Contrast an entity with those of the batch, or with all others, which takes several times as long."""


V = TypeVar("V", bound=TwoViewsConfig)


class TwoViews(GraphBackbone[V], ABC):
    """LightGCN with a contrast between two views of the graph, which are drawn again in every step."""

    @abstractmethod
    def view(self, ego: Tensor, generator: torch.Generator) -> Tensor:
        """[N, d], the sum of the layers of one view."""

    def encode(self, ego: Tensor, generator: torch.Generator | None) -> Encoded:
        """E_C as in LightGCN and, in training, two views."""
        encoded = self._combined(self.graph.layer_sum(ego, self.config.layers))
        if generator is None or not self.config.contrast:
            return encoded
        views = tuple(self._combined(self.view(ego, generator)) for _ in range(2))
        return Encoded(encoded.users, encoded.items, views)

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The ranking loss and, with views, their weighted contrast."""
        terms = {"ranking": self.ranking(encoded, batch)}
        if encoded.views:
            first, second = encoded.views
            terms["contrast"] = contrast_views(first, second, batch, self.config, self.layout)
        return terms

    def _combined(self, total: Tensor) -> Encoded:
        mean = self.config.combine == "mean"
        return self.split(total / (self.config.layers + 1) if mean else total)


def contrast_views(
    first: Tables,
    second: Tables,
    batch: Batch,
    config: ContrastSettings,
    layout: Layout = WHOLE,
) -> Tensor:
    """Weighted InfoNCE from the batch's users in one view to the users of the other, plus the same for its items.

    An entity counts as often as it occurs in the batch, but is computed once.

    Args:
        first: [U, d] and [I, d].
        second: the same entities in the other view.
        batch: the batch whose users and positives are contrasted.
        config: weight, temperature and candidates.
        layout: how the tables are divided among processes.
    """
    among_all = config.candidates == "all"
    total: Tensor = first.users.new_zeros(())
    sides: tuple[tuple[Kind, Tensor, Tensor, Tensor], ...] = (
        ("users", batch.users, first.users, second.users),
        ("items", batch.items, first.items, second.items),
    )
    for of, entities, one, other in sides:
        rows, counts = torch.unique(entities, return_counts=True)
        total = total + contrast_rows(
            one,
            other,
            rows,
            counts,
            of=of,
            temperature=config.temperature,
            among_all=among_all,
            layout=layout,
        )
    return config.contrast * total


def contrast_rows(
    one: Tensor,
    other: Tensor,
    rows: Tensor,
    counts: Tensor | None = None,
    *,
    of: Kind = "entities",
    temperature: float,
    among_all: bool = False,
    layout: Layout = WHOLE,
) -> Tensor:
    """InfoNCE from some rows of one table to the same rows of another; a process has its share of them as anchors.

    Args:
        one: [n, d].
        other: [n, d].
        rows: [B], distinct, ascending.
        counts: [B] weight of each row; None: 1.
        of: what the rows are.
        temperature: divides the cosines.
        among_all: contrast a row with all rows of ``other``, rather than with those of ``rows``.
        layout: how the tables are divided among processes.
    """
    cuts = layout.cuts(rows, of)
    (anchors,) = layout.dealt(one, of, [rows], cuts)
    candidates = layout.everywhere(other, of, None if among_all else rows)
    own = layout.share(rows, cuts)
    positives = candidates.index_select(0, own) if among_all else layout.share(candidates, cuts)
    loss = info_nce(
        anchors,
        positives,
        None if positives is candidates else candidates,
        temperature=temperature,
        counts=None if counts is None else layout.share(counts, cuts),
    )
    return layout.mean(loss, cuts, counts)


def perturbed(x: Tensor, eps: float, generator: torch.Generator, layout: Layout = WHOLE) -> Tensor:
    """Add to each row noise of length ``eps`` that changes no sign (Yu et al. 2022, eq. 7 and 8).

    Args:
        x: [N, d].
        eps: length of the noise.
        generator: source of the noise.
        layout: how ``x`` is divided among processes; each draws the noise of all.
    """
    n, width = layout.whole_shape(x)
    # The numbers that a CPU draws do not depend on how many are drawn at once; a GPU's do.
    once = _DRAWN if layout.divided and generator.device.type == "cpu" else n
    parts = []
    for start in range(0, n, once):
        shape = (min(once, n - start), width)
        drawn = torch.rand(shape, generator=generator, device=generator.device, dtype=x.dtype)
        parts.append(layout.own_columns(layout.own_rows(drawn, "entities", start)))
    noise = (parts[0] if len(parts) == 1 else torch.cat(parts)) * torch.sign(x.detach())
    return x + layout.unit(noise) * eps
