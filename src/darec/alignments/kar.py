"""KAR: hybrid-expert adaptors map text and add it to the id table (Xi et al., arXiv 2306.10933, section 3.3).

For a user's text x: ``a = sum_e g_e(x) E_e(x)``, E_e the shared experts and the users' experts, ``g = softmax(G x)``
the users' gate. An item's text is treated in the same way, with the items' experts and gate. KAR feeds ``a`` to a click
model as an additional feature. In collaborative filtering, as in RLMRec's comparison, it is added to the ego table:
``ego + scale * a``.

Departures. The last linear map of each expert starts at zero, so that training starts from the plain backbone. With
random values the text would dominate the ids, which start small. Each side's text is first centred and scaled to unit
mean square length, so that ``scale`` means the same for every encoder.

There is no alignment loss: the ranking loss trains the adaptors. An entity that training never saw can still be ranked
by its text.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from darec.alignments.base import Alignment, AlignmentInputs
from darec.config import PartConfig
from darec.dimensions import Choice, Range
from darec.errors import ConfigError
from darec.limits import MOST_LAYERS
from darec.processes import WHOLE, Kind, Layout
from darec.types import Encoded


class KARConfig(PartConfig):
    """Settings of :class:`KAR`."""

    name: Literal["kar"] = "kar"
    """Name of the alignment."""
    shared: Annotated[int, Choice(0, 1, 2)] = Field(1, ge=0, le=MOST_LAYERS)
    """Number of experts that users and items share; 2 in the authors' code."""
    dedicated: Annotated[int, Choice(1, 2, 4)] = Field(2, ge=0, le=MOST_LAYERS)
    """Number of experts of users, and of items; 2 to 5 in the authors' code."""
    hidden: int = Field(64, ge=1)
    """Width of an expert's hidden layer; 128 in the authors' code."""
    scale: Annotated[float, Range(0.01, 10.0, log=True)] = Field(1.0, ge=0)
    """Factor of the vector that is added to the ids."""

    @model_validator(mode="after")
    def _some_expert(self) -> Self:
        if not self.shared + self.dedicated:
            raise ConfigError(
                "alignment.shared and alignment.dedicated are both 0: set one of them to at least 1."
            )
        return self


class Experts(nn.Module):
    """The gated sum of several two-layer MLPs, from [n, in_dim] to [n, out_dim].

    Args:
        count: number of MLPs.
        in_dim: width of the text.
        hidden: width of the hidden layer of each MLP.
        out_dim: width of the ego table.
        generator: source of the initial values of the first layers; the second layers start at zero.
    """

    def __init__(
        self, count: int, in_dim: int, hidden: int, out_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.count = count
        first = [
            nn.init.xavier_uniform_(torch.empty(hidden, in_dim), generator=generator)
            for _ in range(count)
        ]
        self.first = nn.Parameter(torch.cat(first))
        self.bias = nn.Parameter(torch.zeros(count * hidden))
        self.second = nn.Parameter(torch.zeros(count * hidden, out_dim))

    def forward(self, projected: Tensor, gates: Tensor, layout: Layout) -> Tensor:
        """Map [n, count * hidden] (text by ``first``) and [n, count] gates to own columns of [n, out_dim]."""
        hidden = F.leaky_relu(projected)
        weighted = hidden.unflatten(1, (self.count, -1)) * gates[:, :, None]
        mixed: Tensor = weighted.flatten(1) @ layout.own_columns(layout.shared(self.second))
        return mixed


class Standardised(nn.Module):
    """Linear maps of text at mean zero and mean square length 1, without storing the standardised text.

    Args:
        x: [n, in_dim], the text from which mean and length are computed.
    """

    mean: Tensor
    length: Tensor

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        mean = x.mean(0)
        length = torch.linalg.vector_norm(x - mean) / len(x) ** 0.5
        # If all rows are equal, the centred rows are only rounding errors, which must not be scaled up.
        rounding = 1e3 * torch.finfo(x.dtype).eps * torch.linalg.vector_norm(mean)
        length = torch.where(length > rounding, length, torch.inf)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("length", length, persistent=False)

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """``F.linear`` of [n, in_dim] standardised rows; only ``bias`` if all rows of the text are equal."""
        weight = weight / self.length
        return F.linear(x, weight, bias - weight @ self.mean)


class KAR(Alignment[KARConfig]):
    """Knowledge adaptors."""

    needs_graph: ClassVar[bool] = False
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def __init__(self, config: KARConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)

        def experts(count: int) -> Experts:
            widths = inputs.text_dim, config.hidden, inputs.ego_dim
            return Experts(count, *widths, inputs.generator)

        self.shared = experts(config.shared) if config.shared else None
        self.dedicated = nn.ModuleList(
            experts(config.dedicated) for _ in range(2 if config.dedicated else 0)
        )
        self.standardised = nn.ModuleList(
            Standardised(E_L) for E_L in (inputs.text.users, inputs.text.items)
        )
        # With a single expert, the softmax is always 1.
        count = config.shared + config.dedicated
        shape = (count, inputs.text_dim)
        self.gates = nn.ParameterList(
            nn.init.xavier_uniform_(torch.empty(shape), generator=inputs.generator)
            for _ in range(2 if count > 1 else 0)
        )

    def fuse(self, ego: Tensor, generator: torch.Generator | None) -> Tensor:
        """Add the adapted text to the ego table."""
        return ego + self.config.scale * torch.cat(self._adapted(self.layout))

    def _adapted(self, layout: Layout) -> list[Tensor]:
        """[U, ego_dim] and [I, ego_dim], or a process's own part of them."""
        sides: tuple[tuple[Kind, Tensor], ...] = (
            ("users", self.text.users),
            ("items", self.text.items),
        )
        return [
            self._side(side, layout.own_rows(E_L, of), layout)
            for side, (of, E_L) in enumerate(sides)
        ]

    def _side(self, side: int, E_L: Tensor, layout: Layout) -> Tensor:
        """One side's mixture. A single matrix product reads the wide text."""
        experts = [self.shared] if self.shared is not None else []
        experts += [cast(Experts, self.dedicated[side])] if len(self.dedicated) else []
        gate = self.gates[side] if len(self.gates) else E_L.new_empty(0, E_L.shape[1])
        weights = [layout.shared(one) for one in (*(own.first for own in experts), gate)]
        bias = torch.cat([*(own.bias for own in experts), E_L.new_zeros(len(gate))])
        bias = layout.shared(bias)
        standardised = cast(Standardised, self.standardised[side])
        *projected, logits = standardised.linear(E_L, torch.cat(weights), bias).split(
            [len(weight) for weight in weights], dim=1
        )
        gates = torch.softmax(logits, dim=1) if len(gate) else E_L.new_ones(len(E_L), 1)
        shares = gates.split([own.count for own in experts], dim=1)
        mixed = [
            own(*parts, layout) for own, *parts in zip(experts, projected, shares, strict=True)
        ]
        return torch.stack(mixed).sum(0)

    def diagnostics(self, encoded: Encoded) -> dict[str, float]:
        """Mean length of the vectors added to the users' rows and to the items' rows."""
        users, items = (float(added.norm(dim=1).mean()) for added in self._adapted(WHOLE))
        return {"added/users": self.config.scale * users, "added/items": self.config.scale * items}
