"""Training on several processes: how they join, how they communicate, and how tables are divided among them."""

from __future__ import annotations

from darec.processes.columns import WHOLE, Columns
from darec.processes.group import ALONE, ElsewhereError, Group, LostError, current

__all__ = ["ALONE", "WHOLE", "Columns", "ElsewhereError", "Group", "LostError", "current"]
