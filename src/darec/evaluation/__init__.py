"""Evaluation: metrics, groups, and tests of whether two scorers differ."""

from __future__ import annotations

from darec.evaluation.evaluate import Evaluator, evaluate_scorer, exclusion
from darec.evaluation.result import Evaluation
from darec.evaluation.significance import PairedTest, compare, holm

__all__ = [
    "Evaluation",
    "Evaluator",
    "PairedTest",
    "compare",
    "evaluate_scorer",
    "exclusion",
    "holm",
]
