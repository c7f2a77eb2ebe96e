"""Training on several processes: how they join, how they communicate, and how tables are divided among them."""

from __future__ import annotations

from darec.processes.columns import Columns
from darec.processes.group import ALONE, ElsewhereError, Group, LostError, current
from darec.processes.layout import WHOLE, Kind, Layout
from darec.processes.rows import Rows

__all__ = [
    "ALONE",
    "WHOLE",
    "Columns",
    "ElsewhereError",
    "Group",
    "Kind",
    "Layout",
    "LostError",
    "Rows",
    "current",
]
