"""LLM initialisation: the id table starts as the principal components of the texts.

Text only sets the initial values, as in Harte et al. 2023 ("Leveraging large language models for sequential
recommendation", LLM2BERT4Rec). There, BERT4Rec's item embeddings start as the principal components of the items' text
embeddings. This costs nothing during training, and training may move far away from it.

Users and items are treated separately. Their text is centred and projected on its leading components, one for each
column of the id table. The sign of a component makes its largest weight positive. The result is scaled to the length of
the random values that it replaces, times ``scale``. If the text has fewer components than the table has columns, the
remaining columns keep their random values.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from darec.alignments.base import Alignment
from darec.config import PartConfig
from darec.dimensions import Range
from darec.numerics.components import principal_components, replace_columns


class LLMInitConfig(PartConfig):
    """Settings of :class:`LLMInit`."""

    name: Literal["llminit"] = "llminit"
    """Name of the alignment."""
    scale: Annotated[float, Range(0.1, 10.0, log=True)] = Field(1.0, gt=0)
    """Length of the initial table, relative to the length of the random values that it replaces."""


class LLMInit(Alignment[LLMInitConfig]):
    """Principal components of the text as initial ids."""

    needs_ids: ClassVar[bool] = True
    needs_graph: ClassVar[bool] = False
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def initial_ids(self, ids: Tensor) -> Tensor:
        """Replace [N, dim] random values by the principal components of ``text``, as far as it has that many."""
        tables = (self.text.users, self.text.items)
        sides = zip(ids.split([len(E_L) for E_L in tables]), tables, strict=True)
        return torch.cat([self._side(rows, E_L) for rows, E_L in sides])

    def _side(self, rows: Tensor, E_L: Tensor) -> Tensor:
        components = principal_components(E_L, rows.shape[1])
        return replace_columns(rows, components, self.config.scale)
