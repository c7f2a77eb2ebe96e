"""Collective combination (Jeunen et al. 2020, "Closed-form models for collaborative filtering with side-information").

EASE is solved on the interactions and the items' text stacked below them: each text feature counts as one more user.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from darec.alignments.base import Alignment, unit_text
from darec.config import PartConfig
from darec.dimensions import Range
from darec.numerics.structure import Structure
from darec.types import Interactions, TextTable


class CollectiveConfig(PartConfig):
    """Settings of :class:`Collective`."""

    name: Literal["collective"] = "collective"
    """Name of the alignment."""
    weight: Annotated[float, Range(1.0, 1000.0, log=True)] = Field(30.0, gt=0)
    """Weight of the squared error on a text feature, relative to that on a user, for text vectors of unit length. A
    large one finds more of the least popular items."""


class Collective(Alignment[CollectiveConfig]):
    """Stacks the text features below the interactions."""

    trained: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True

    @classmethod
    def structure(cls, config: CollectiveConfig, text: TextTable, train: Interactions) -> Structure:
        """The weighted text features."""
        return Structure(rows=config.weight**0.5 * unit_text(text))
