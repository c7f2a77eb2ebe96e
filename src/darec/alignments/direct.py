"""Direct alignment: the two representations of every entity are pulled to one point.

``L = mean_u ||bar(P_C(C_u)) - bar(P_L(L_u))||^2`` over the batch's users, plus the same over its positives; a bar
scales rows to unit length. It closes the gap between the two sides. By DaRec's theorem this loses information that only
one side holds (Yang et al., arXiv 2408.08231, theorem 1). It is the baseline that structure alignment is meant to
improve on.

The loss is also zero if all rows of both sides are equal. The ranking loss acts on E_C itself and keeps its rows apart.
With ``project = both`` the projections may still collapse; ``diagnostics`` reports it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from darec.alignments.base import Alignment, AlignmentConfig, AlignmentInputs
from darec.dimensions import Choice
from darec.numerics.diagnostics import alignment_figures
from darec.numerics.mlp import mlp
from darec.processes import Kind
from darec.types import Batch, Encoded, Tables


class DirectConfig(AlignmentConfig):
    """Settings of :class:`Direct`."""

    name: Literal["direct"] = "direct"
    """Name of the alignment."""
    project: Literal["text", "both"] = "text"
    """The sides that are projected: E_L to the width of E_C, or both to a common width."""
    dim: int = Field(32, ge=1)
    """With project=both: the common width."""
    hidden: Annotated[int, Choice(0, 64)] = Field(0, ge=0)
    """Width of the projectors' hidden layer; 0 makes them linear."""


class Direct(Alignment[DirectConfig]):
    """Mean squared distance of projected unit vectors."""

    needs_graph: ClassVar[bool] = False
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def __init__(self, config: DirectConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        both = config.project == "both"
        width = config.dim if both else inputs.out_dim
        hidden = [config.hidden] if config.hidden else []
        self.of_C: nn.Module = nn.Identity()
        if both:
            self.of_C = mlp(inputs.out_dim, *hidden, width, generator=inputs.generator)
        self.of_L = mlp(inputs.text_dim, *hidden, width, generator=inputs.generator)

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """``gap_users`` and ``gap_items``, each in [0, 4]. An entity counts as often as it occurs in the batch."""
        return {
            "gap_users": self._gap(encoded.users, "users", self.text.users, batch.users),
            "gap_items": self._gap(encoded.items, "items", self.text.items, batch.items),
        }

    def _gap(self, E_C: Tensor, of: Kind, E_L: Tensor, rows: Tensor) -> Tensor:
        rows, counts = rows.unique(return_counts=True)
        whole = self.layout.gathered(E_C, of, rows)
        C = F.normalize(self.of_C(whole), dim=1)
        L = F.normalize(self.of_L(E_L.index_select(0, rows)), dim=1)
        gap: Tensor = (counts * (C - L).square().sum(1)).sum() / counts.sum()
        return gap

    def diagnostics(self, encoded: Encoded) -> dict[str, float]:
        """Rank and spread of each side after projection, the gap between them, and whether they have collapsed."""
        return alignment_figures(
            Tables(self.of_C(encoded.users), self.of_C(encoded.items)),
            Tables(self.of_L(self.text.users), self.of_L(self.text.items)),
        )
