"""Fair comparison of variants, which are a grid of pairs, a sweep or an ablation of one pair: runs and results."""

from __future__ import annotations

from darec.compare.ablate import ablate
from darec.compare.figures import Curve, Gain, RunRecord, Spread
from darec.compare.result import Comparison, Variant
from darec.compare.run import compare
from darec.compare.sweep import sweep

__all__ = [
    "Comparison",
    "Curve",
    "Gain",
    "RunRecord",
    "Spread",
    "Variant",
    "ablate",
    "compare",
    "sweep",
]
