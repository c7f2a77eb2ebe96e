"""Choose a model for a dataset: try candidates, the cheapest first, in a time limit, and judge them on validation."""

from darec.automatic.fit import Automatic, fit_auto
from darec.automatic.record import Record, Tried

__all__ = ["Automatic", "Record", "Tried", "fit_auto"]
