"""L3AE (Moon, Park & Lee 2025, "LLM-Enhanced Linear Autoencoders for Recommendation", arXiv 2508.13500).

EASE on the items' text gives an item-item matrix. The matrix learned from interactions is pulled towards it by a
squared penalty. Both are solved in closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from darec.alignments.base import Alignment, unit_text
from darec.config import PartConfig
from darec.dimensions import Range
from darec.numerics.structure import Structure, item_matrix
from darec.types import Interactions, TextTable


class L3AEConfig(PartConfig):
    """Settings of :class:`L3AE`; defaults chosen on the validation split of toys."""

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {"lean": (100.0, 300.0)}

    name: Literal["l3ae"] = "l3ae"
    """Name of the alignment."""
    lean: Annotated[float | None, Range(3.0, 1000.0, log=True)] = Field(None, gt=0)
    """Weight of the squared distance to the text's matrix, lambda_E in the paper. With null, 100 or 300 is chosen on
    the validation split, together with the backbone's ridge if that is null too."""
    text_ridge: Annotated[float, Range(0.1, 100.0, log=True)] = Field(1.0, gt=0)
    """Ridge of the text's own matrix, lambda_F in the paper, for text vectors of unit length."""


class L3AE(Alignment[L3AEConfig]):
    """Pulls the item-item matrix towards a matrix solved from the text."""

    trained: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True

    @classmethod
    def structure(cls, config: L3AEConfig, text: TextTable, train: Interactions) -> Structure:
        """The text's matrix and the weight of the squared distance to it."""
        rows = unit_text(text)
        lean = torch.full((train.n_items,), float(config.lean or 0), dtype=torch.float64)
        return Structure(target=item_matrix(rows, config.text_ridge), lean=lean)
