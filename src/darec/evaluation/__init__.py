"""Metrics, groups and tests of significance: how good a scorer is, and whether two differ."""

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
