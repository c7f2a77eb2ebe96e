"""Additive combination (Jeunen et al. 2020, "Closed-form models for collaborative filtering with side-information").

EASE is solved on the interactions and, separately, on the items' text. The two matrices are then mixed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from darec.alignments.base import Alignment, unit_text
from darec.config import PartConfig
from darec.dimensions import Range
from darec.numerics.structure import Structure, item_matrix
from darec.types import Interactions, TextTable


class AdditiveConfig(PartConfig):
    """Settings of :class:`Additive`."""

    name: Literal["additive"] = "additive"
    """Name of the alignment."""
    share: Annotated[float, Range(0.05, 0.95)] = Field(0.3, ge=0, le=1)
    """Weight of the text's matrix in the sum."""
    text_ridge: Annotated[float, Range(0.1, 100.0, log=True)] = Field(1.0, gt=0)
    """Ridge of the text's matrix, for text vectors of unit length."""


class Additive(Alignment[AdditiveConfig]):
    """Mixes the item-item matrix with a matrix solved from the text."""

    trained: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True

    @classmethod
    def structure(cls, config: AdditiveConfig, text: TextTable, train: Interactions) -> Structure:
        """The text's matrix and its share in the mixture."""
        return Structure(added=item_matrix(unit_text(text), config.text_ridge), share=config.share)
