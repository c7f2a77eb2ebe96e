"""Collective combination (Jeunen et al. 2020, "Closed-form models for collaborative filtering with side-information").

EASE on the interactions with the items' text beneath them: each feature of the text counts as one user more.
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
    """Of the squared error on the text, relative to that on a user, for texts of unit length."""


class Collective(Alignment[CollectiveConfig]):
    """Stacks the text's features beneath the interactions."""

    trained: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True

    @classmethod
    def structure(cls, config: CollectiveConfig, text: TextTable, train: Interactions) -> Structure:
        """The text's features, weighted."""
        return Structure(rows=config.weight**0.5 * unit_text(text))
