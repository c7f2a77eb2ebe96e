"""Scorers, the results of runs: two tables, an item-item matrix, popularity, or the sum of several of them."""

from typing import Final

from darec.scoring.added import AddedScorer
from darec.scoring.base import Explanation, Scorer, Term, one_history
from darec.scoring.folding import Folding, LinearFolding, MeanFolding, RidgeFolding
from darec.scoring.matrix import MatrixScorer
from darec.scoring.popularity import PopularityScorer
from darec.scoring.ranking import Ranked, Ranker, check_k, select
from darec.scoring.tables import TableScorer
from darec.scoring.ties import tie_order

KINDS: Final[dict[str, type[Scorer]]] = {
    scorer.kind: scorer for scorer in (TableScorer, MatrixScorer, PopularityScorer, AddedScorer)
}
"""Kind in a saved file -> class."""

__all__ = [
    "KINDS",
    "AddedScorer",
    "Explanation",
    "Folding",
    "LinearFolding",
    "MatrixScorer",
    "MeanFolding",
    "PopularityScorer",
    "Ranked",
    "Ranker",
    "RidgeFolding",
    "Scorer",
    "TableScorer",
    "Term",
    "check_k",
    "one_history",
    "select",
    "tie_order",
]
