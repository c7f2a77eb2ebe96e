"""Fair comparison of pairs of backbone and alignment: the grid, its runs, and what they say."""

from __future__ import annotations

from darec.compare.result import Comparison, Curve, Gain, Pair, RunRecord, Spread
from darec.compare.run import compare

__all__ = ["Comparison", "Curve", "Gain", "Pair", "RunRecord", "Spread", "compare"]
