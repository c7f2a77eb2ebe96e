"""Ranking, metrics, groups and tests of significance: how good two tables are, and whether they differ."""

from __future__ import annotations

from darec.evaluation.evaluate import Evaluator, evaluate_tables, exclusion
from darec.evaluation.ranking import Ranker, top_k
from darec.evaluation.result import Evaluation
from darec.evaluation.significance import PairedTest, compare, holm

__all__ = [
    "Evaluation",
    "Evaluator",
    "PairedTest",
    "Ranker",
    "compare",
    "evaluate_tables",
    "exclusion",
    "holm",
    "top_k",
]
