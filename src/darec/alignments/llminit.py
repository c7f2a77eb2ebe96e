"""LLM initialisation: ids start as the principal components of their texts.

Text decides where training starts and nothing else, as in Harte et al. 2023 ("Leveraging large language models for
sequential recommendation", LLM2BERT4Rec), where BERT4Rec's item embeddings start as the principal components of the
items' text embeddings. It costs nothing in training, and training may forget it.

Users and items apart: text is centred and projected on its leading components, as many as the id table is wide, with
the sign that makes each component's largest weight positive. The result is scaled to the length that the random values
had, times ``scale``. Where text has fewer components than the table columns, the columns left keep their random values.
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
    """Length of the initial table, in lengths of the random values it replaces."""


class LLMInit(Alignment[LLMInitConfig]):
    """Principal components of text as initial ids."""

    needs_ids: ClassVar[bool] = True
    by_columns: ClassVar[bool] = True

    def initial_ids(self, ids: Tensor) -> Tensor:
        """[N, dim] random values to principal components of as much of ``text`` as there is."""
        tables = (self.text.users, self.text.items)
        sides = zip(ids.split([len(E_L) for E_L in tables]), tables, strict=True)
        return torch.cat([self._side(rows, E_L) for rows, E_L in sides])

    def _side(self, rows: Tensor, E_L: Tensor) -> Tensor:
        components = principal_components(E_L, rows.shape[1])
        return replace_columns(rows, components, self.config.scale)
