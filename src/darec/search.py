"""What may be tuned: the search space that each config declares beside its fields, read by ``darec tune``.

A field says where to look by an annotation::

    rho: Annotated[float, Range(0.03, 1.0, log=True)] = Field(0.3, ge=0)
    layers: Annotated[int, Choice(1, 2, 3)] = Field(3, ge=0)
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Any number between two bounds, both included.

    Attributes:
        low: least value.
        high: greatest value.
        log: search evenly in the logarithm.
    """

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, init=False)
class Choice:
    """One of a few values."""

    values: tuple[int | float | str | bool, ...]

    def __init__(self, *values: int | float | str | bool) -> None:
        object.__setattr__(self, "values", values)
