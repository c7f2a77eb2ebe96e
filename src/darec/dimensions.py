"""Search ranges of settings, which are declared with the fields of a config and read by ``darec tune``.

An annotation gives the range of a field, and the value of another field on which it depends::

    balance: Literal["gradient", "fixed"] = "gradient"
    rho: Annotated[float, Range(0.03, 1.0, log=True, when=("balance", "gradient"))] = Field(0.3, ge=0)
    layers: Annotated[int, Choice(1, 2, 3)] = Field(3, ge=0)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Value = int | float | str | bool | None


@dataclass(frozen=True)
class Range:
    """Any number between two bounds, both included.

    Attributes:
        low: least value.
        high: greatest value.
        log: search uniformly in the logarithm.
        when: name and value of another field of the same config; the dimension only has an effect with that value.
        integer: only whole numbers; :func:`darec.search.search_space` sets it for fields of whole numbers.
    """

    low: float
    high: float
    log: bool = False
    when: tuple[str, Value] | None = None
    integer: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}{':log' if self.log else ''}"

    def under(self, when: tuple[str, Value] | None) -> Range:
        """The same under another condition."""
        return replace(self, when=when)

    def including(self, value: Value) -> Range | None:
        """The range extended to contain ``value``; None if that is impossible."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if self.log and value <= 0:
            return None
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def ends(self) -> tuple[Value, ...]:
        """Values that must be valid settings if all are."""
        return (int(self.low), int(self.high)) if self.integer else (self.low, self.high)


@dataclass(frozen=True, init=False)
class Choice:
    """One of a few values; ``when`` as for :class:`Range`."""

    values: tuple[Value, ...]
    when: tuple[str, Value] | None

    def __init__(self, *values: Value, when: tuple[str, Value] | None = None) -> None:
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "when", when)

    def __str__(self) -> str:
        return ",".join(str(value) for value in self.values)

    def under(self, when: tuple[str, Value] | None) -> Choice:
        """The same under another condition."""
        return Choice(*self.values, when=when)

    def including(self, value: Value) -> Choice | None:
        """The choice with ``value`` added to its values."""
        return self if value in self.values else Choice(*self.values, value, when=self.when)

    def ends(self) -> tuple[Value, ...]:
        """Values that must be valid settings if all are."""
        return self.values


Dimension = Range | Choice
