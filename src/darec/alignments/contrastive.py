"""RLMRec-Con: contrast an entity's own text with other texts (Ren et al. 2024, arXiv 2310.15950, eq. 7 to 9).

``L = -mean_b log exp(cos(C_b, P(L_b)) / tau) / sum_m exp(cos(C_b, P(L_m)) / tau)``, P an MLP of the text. As in the
authors' code there are three such terms: the batch's users among *all* users, its positives among the positives, its
negatives among the negatives. The first never holds batch x U scores (see :mod:`darec.numerics.infonce`).

Departures: an item that occurs several times in the batch is one candidate, and an anchor for each occurrence; in the
    authors' code its copies are negatives of each other. With the softmax loss, the batch's negatives are the M shared
    ones. If these are in-batch negatives, they are the batch's positives, and the third term repeats the second without
    counting repeated items.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from darec.alignments.base import Alignment, AlignmentConfig, AlignmentInputs
from darec.dimensions import Range
from darec.numerics.diagnostics import alignment_figures
from darec.numerics.infonce import info_nce
from darec.numerics.mlp import mlp
from darec.types import Batch, Encoded, Tables

_ROWS = 2**15
"""Number of texts projected at once when all are needed. The hidden layer of more rows is not kept; the backward pass
computes it again."""


class ContrastiveConfig(AlignmentConfig):
    """Settings of :class:`Contrastive`."""

    name: Literal["contrastive"] = "contrastive"
    """Name of the alignment."""
    temperature: Annotated[float, Range(0.05, 0.5, log=True)] = Field(0.2, gt=0)
    """Temperature by which the cosines are divided; 0.2 in the RLMRec code (0.1 for Steam)."""
    hidden: int | None = Field(None, ge=1)
    """Width of the MLP's hidden layer. With null, the mean of the widths of the text and of E_C, as in the RLMRec
    code."""
    user_candidates: Literal["all", "batch"] = "all"
    """Candidates for a user's text: the texts of all users, as in the RLMRec code, or only of the batch's users. With
    all, every user's text is projected in each step."""
    every: int = Field(1, ge=1)
    """Align only in every n-th training step. The other steps use only the recommendation loss. 1 in the paper."""


class Contrastive(Alignment[ContrastiveConfig]):
    """InfoNCE between E_C and projected text."""

    needs_graph: ClassVar[bool] = False
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def __init__(self, config: ContrastiveConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        hidden = config.hidden or max(1, (inputs.text_dim + inputs.out_dim) // 2)
        self.mlp = mlp(inputs.text_dim, hidden, inputs.out_dim, generator=inputs.generator)

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """``text_users``, ``text_positives`` and ``text_negatives``; empty in steps that do not align."""
        if batch.step % self.config.every:
            return {}
        items, place = torch.cat([batch.items, batch.negatives]).unique(return_inverse=True)
        of_items = self.mlp(self.text.items.index_select(0, items))
        positives, negatives = place.split([len(batch.items), len(batch.negatives)])
        return {
            "text_users": self._users(encoded.users, self.text.users, batch.users),
            "text_positives": self._items(encoded.items, items, of_items, positives),
            "text_negatives": self._items(encoded.items, items, of_items, negatives),
        }

    def _users(self, E_C: Tensor, E_L: Tensor, users: Tensor) -> Tensor:
        users, counts = users.unique(return_counts=True)
        candidates = None
        if self.config.user_candidates == "all":
            candidates = project_all(self.mlp, E_L)
            own = candidates.index_select(0, users)
        else:
            own = self.mlp(E_L.index_select(0, users))
        return info_nce(
            self.layout.gathered(E_C, "users", users),
            own,
            candidates,
            temperature=self.config.temperature,
            counts=counts,
        )

    def _items(self, E_C: Tensor, items: Tensor, of_items: Tensor, place: Tensor) -> Tensor:
        """The loss among the distinct items at ``place`` in ``items``, whose projected text is ``of_items``."""
        place, counts = place.unique(return_counts=True)
        return info_nce(
            self.layout.gathered(E_C, "items", items[place]),
            of_items.index_select(0, place),
            temperature=self.config.temperature,
            counts=counts,
        )

    def diagnostics(self, encoded: Encoded) -> dict[str, float]:
        """Rank and spread of E_C, rank of the projected text, and the gap between the two."""
        users, items = (project_all(self.mlp, E_L) for E_L in (self.text.users, self.text.items))
        return alignment_figures(encoded, Tables(users, items))


def project_all(network: nn.Module, x: Tensor) -> Tensor:
    """``network(x)``, keeping hidden layers of at most ``_ROWS`` rows for the backward pass.

    Args:
        network: a function that maps each row separately, without randomness.
        x: [n, in_dim].

    Returns:
        [n, out_dim].
    """
    parts = x.split(_ROWS)
    if len(parts) == 1 or not torch.is_grad_enabled():
        return torch.cat([network(part) for part in parts])
    kept = [
        checkpoint(network, part, use_reentrant=False, preserve_rng_state=False) for part in parts
    ]
    return torch.cat(kept)
