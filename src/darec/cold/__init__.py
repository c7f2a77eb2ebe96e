"""Recommendations of a finished run for items that have only text, and for users known by liked items or words.

:class:`ColdStart` fits a map from text to item vectors on the warm items of a run, and computes the vectors of new
items with it. See docs/cold-start.md for its use and docs/studies/cold-start.md for its accuracy.
"""

from darec.cold.evaluate import evaluate_cold
from darec.cold.items import NewItems, read_new_items
from darec.cold.maps import MAPS, NeighbourMap, RidgeMap, SharedNeighbourMap
from darec.cold.start import ColdRecommendation, ColdStart

__all__ = [
    "MAPS",
    "ColdRecommendation",
    "ColdStart",
    "NeighbourMap",
    "NewItems",
    "RidgeMap",
    "SharedNeighbourMap",
    "evaluate_cold",
    "read_new_items",
]
