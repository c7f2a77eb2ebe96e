"""RLMRec-Gen: reconstruct a masked entity's text from its neighbours (Ren et al. 2024, arXiv 2310.15950, eq. 10, 11).

In each training step, a random share of the ego table's rows is replaced by a learned token. The masked entities' E_C
then holds only what propagation over the graph adds. From it an MLP Q reconstructs their text:

``L = -mean_m log exp(cos(Q(C_m), L_m) / tau) / sum_n exp(cos(Q(C_m), L_n) / tau)``, m and n masked entities.

With a backbone without a graph (``mf``), a masked row of E_C is the token itself, so Q has no information to use.

Departure: the token starts with small random values instead of zeros. A row of zeros has no direction, and its gradient
    under a cosine loss is unbounded.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from darec.alignments.base import Alignment, AlignmentConfig, AlignmentInputs
from darec.dimensions import Range
from darec.numerics.diagnostics import representation_gap
from darec.numerics.infonce import info_nce
from darec.numerics.mlp import mlp
from darec.types import Batch, Encoded

_WATCHED = 8192
"""Number of rows of each side that the diagnostics reconstruct."""


class GenerativeConfig(AlignmentConfig):
    """Settings of :class:`Generative`."""

    name: Literal["generative"] = "generative"
    """Name of the alignment."""
    mask: Annotated[float, Range(0.02, 0.3, log=True)] = Field(0.15, gt=0, lt=1)
    """Share of entities masked in a step; 0.15 in the RLMRec code for Amazon-book and Steam, 0.05 for Yelp."""
    temperature: Annotated[float, Range(0.1, 1.0, log=True)] = Field(0.5, gt=0)
    """Temperature by which the cosines are divided; 0.5 in the RLMRec code for Amazon-book and Steam, 0.1 for Yelp."""
    hidden: int | None = Field(None, ge=1)
    """Width of the MLP's hidden layer. With null, the mean of the widths of E_C and of the text, as in the RLMRec
    code."""
    n_reconstructed: int | None = Field(4096, ge=2)
    """Largest number of masked entities reconstructed in a step, because the cost grows with its square. With null, all
    are, as in the RLMRec code, where 1,500 to 5,000 entities are masked."""


class Generative(Alignment[GenerativeConfig]):
    """Masked reconstruction of text."""

    needs_graph: ClassVar[bool] = False
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def __init__(self, config: GenerativeConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        scale = (2 / (inputs.n_users + inputs.n_items)) ** 0.5
        self.token = nn.Parameter(
            scale * torch.randn(1, inputs.ego_dim, generator=inputs.generator)
        )
        hidden = config.hidden or max(1, (inputs.text_dim + inputs.out_dim) // 2)
        self.mlp = mlp(inputs.out_dim, hidden, inputs.text_dim, generator=inputs.generator)
        self._masked: Tensor | None = None  # from fuse to the same step's losses

    def fuse(self, ego: Tensor, generator: torch.Generator | None) -> Tensor:
        """In training, replace a random share of the rows by the token."""
        self._masked = None
        if generator is None:
            return ego
        n = len(self.text.users) + len(self.text.items)
        count = max(1, int(n * self.config.mask))
        order = torch.randperm(n, generator=generator, device=ego.device)
        self._masked = order[:count]
        token = self.layout.own_columns(self.layout.shared(self.token))
        own = self.layout.places(self._masked, "entities")
        return ego.index_copy(0, own, token.expand(len(own), -1).to(ego.dtype))

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """``text_reconstruction`` over the rows that :meth:`fuse` has masked for this step."""
        if self._masked is None:
            raise RuntimeError("losses() needs the rows masked by fuse() in the same step.")
        masked, self._masked = self._masked[: self.config.n_reconstructed], None
        text, n_users = self.text, len(self.text.users)
        users, items = masked[masked < n_users], masked[masked >= n_users] - n_users
        E_C = torch.cat(
            [
                self.layout.gathered(encoded.users, "users", users),
                self.layout.gathered(encoded.items, "items", items),
            ]
        )
        E_L = torch.cat([text.users.index_select(0, users), text.items.index_select(0, items)])
        loss = info_nce(self.mlp(E_C), E_L, temperature=self.config.temperature)
        return {"text_reconstruction": loss}

    def diagnostics(self, encoded: Encoded) -> dict[str, float]:
        """Gap between the text and its reconstruction from unmasked E_C, averaged over users and items."""
        gaps = []
        for E_C, E_L in ((encoded.users, self.text.users), (encoded.items, self.text.items)):
            rows = slice(None, None, -(-len(E_C) // _WATCHED))
            gaps.append(representation_gap(self.mlp(E_C[rows]), E_L[rows]))
        return {"gap/points": sum(gaps) / len(gaps)}
