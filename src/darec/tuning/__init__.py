"""Search for settings on validation data: Optuna over the search space that configs declare (extra ``tune``)."""

from darec.tuning.study import Tuning
from darec.tuning.table import Tuned

__all__ = ["Tuned", "Tuning"]
