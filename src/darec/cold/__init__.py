"""Items that have only text, and users who have only liked items or words: recommended by a finished run.

:class:`ColdStart` fits, on the warm items of a run, a map from their text to the rows that the run scores, and gives
rows to new items by it. See docs/cold-start.md, and docs/studies/cold-start.md for what it is worth.
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
