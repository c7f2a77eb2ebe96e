"""The figures of a text report."""

from __future__ import annotations

from dataclasses import dataclass

from darec.diagnose.agreement import Agreement
from darec.diagnose.coverage import Coverage, Shape
from darec.diagnose.estimate import ByPopularity
from darec.diagnose.regression import Regression
from darec.evaluation.groups import Group


@dataclass(frozen=True)
class Figures:
    """The measurements of a text report.

    Attributes:
        coverage: which items and users have text.
        shape: how the embeddings fill their space.
        agreement: of neighbours; None if no two items with text share a user.
        reliability: how well an item's neighbours in the shared part of the text predict its users, from 0 to 1
            (:func:`darec.graph.reliability`). DaRec's smoothing is multiplied by it, for the same number of neighbours.
        regression: from text to collaborative factors.
        recalls: recall@20 of ``random``, ``popular``, ``profile``, ``neighbours``, ``text`` (the better of the two),
            ``interactions`` (the best of several widths), ``predicted`` and ``own`` (the items' factors predicted from
            their text, and their own factors of the same width), ``alone`` (the best of all without a sum) and ``sum``.
            gain: ``sum`` minus ``alone``, paired by user. lead: ``text`` minus ``interactions``, paired by user.
            chosen: the setting for each half of the users, which was chosen on the other half. groups: the thirds of
            the items. users: number of users with validation items that were evaluated.
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
