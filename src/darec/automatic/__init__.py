"""Choosing a model for a dataset: candidates from the cheapest on, judged by the validation split, within a time."""

from darec.automatic.fit import Automatic, fit_auto
from darec.automatic.record import Record, Tried

__all__ = ["Automatic", "Record", "Tried", "fit_auto"]
