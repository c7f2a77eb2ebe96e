"""No alignment: the plain backbone, which is the baseline of every comparison."""

from __future__ import annotations

from typing import ClassVar, Literal

from darec.alignments.base import Alignment
from darec.config import PartConfig


class NoAlignmentConfig(PartConfig):
    """Settings of :class:`NoAlignment`, which has none."""

    name: Literal["none"] = "none"
    """Name of the alignment."""


class NoAlignment(Alignment[NoAlignmentConfig]):
    """Leaves the backbone as it is."""

    needs_text: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True
    needs_graph: ClassVar[bool] = False
    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True
