"""Collective combination (Jeunen et al. 2020, "Closed-form models for collaborative filtering with side-information").

EASE is solved on the interactions and the items' text stacked below them: each text feature counts as one more user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from darec.alignments.base import Alignment, unit_text
from darec.config import PartConfig
from darec.dimensions import Range
from darec.numerics.structure import Structure
from darec.types import Interactions, TextTable


class CollectiveConfig(PartConfig):
    """Settings of :class:`Collective`."""

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {"weight": (1000.0, 0.0)}

    name: Literal["collective"] = "collective"
    """Name of the alignment."""
    weight: Annotated[float | None, Range(1.0, 1000.0, log=True)] = Field(30.0, ge=0)
    """Weight of the squared error on a text feature, relative to that on a user, for text vectors of unit length. A
    large one finds more of the least popular items, and 0 leaves the text out. With null, 1000 or 0 is chosen on the
    validation split. If the backbone's ridge is null too, the two go together: 1000 with a ridge of 100, and 0 with one
    of 1000."""


class Collective(Alignment[CollectiveConfig]):
    """Stacks the text features below the interactions."""

    trained: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True

    @classmethod
    def structure(cls, config: CollectiveConfig, text: TextTable, train: Interactions) -> Structure:
        """The weighted text features."""
        if not config.weight:
            return Structure()
        return Structure(rows=config.weight**0.5 * unit_text(text))
