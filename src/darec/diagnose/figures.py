"""What the report measures."""

from __future__ import annotations

from dataclasses import dataclass

from darec.diagnose.agreement import Agreement
from darec.diagnose.coverage import Coverage, Shape
from darec.diagnose.estimate import ByPopularity
from darec.diagnose.regression import Regression
from darec.evaluation.groups import Group


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes:
        coverage: which items and users have text.
        shape: how the embeddings fill their space.
        agreement: of neighbours; None where no two items with text share a user.
        reliability: how well an item's neighbours in the shared part of the text stand in for its own users, 0 to 1
            (:func:`darec.graph.reliability`): what DaRec's smoothing is multiplied by, with as many neighbours.
        regression: from text to collaborative factors.
        recalls: recall@20 of ``random``, ``popular``, ``profile``, ``neighbours``, ``text`` (the better of the two),
            ``interactions`` (the best of several widths), ``predicted`` and ``own`` (items' factors from their text,
            and their own of the same width), ``alone`` (the best of all without a sum) and ``sum``.
        gain: ``sum`` less ``alone``, paired by user.
        lead: ``text`` less ``interactions``, paired by user.
        chosen: what each half of the users was read with, chosen on the other.
        groups: the thirds of the items.
        users: users with validation items that were ranked for.
    """

    coverage: Coverage
    shape: Shape
    agreement: Agreement | None
    reliability: float
    regression: Regression
    recalls: dict[str, ByPopularity]
    gain: ByPopularity
    lead: ByPopularity
    chosen: dict[str, tuple[str, str]]
    groups: tuple[Group, ...]
    users: int
