"""Reads times as seconds since 1970: numbers in any unit, ISO dates, and other formats of dates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.data.ingest.dates import Guess, by_format, matching, seconds_of

# From these sizes on, a number is not an epoch in seconds but in milliseconds, microseconds or nanoseconds.
UNITS: Final = ((1e11, 1e3), (1e14, 1e6), (1e17, 1e9))
_RECENT: Final = 1e8  # seconds; the year 1973
# Dates and moments that are written as one number.
_DIGITS: Final = (
    (19000101, 21001231, "%Y%m%d"),
    (19000101000000, 21001231235959, "%Y%m%d%H%M%S"),
)
_ISO: Final = r"^\d{4}-\d{1,2}-\d{1,2}"


def read_times(values: pl.Series, form: str | None = None) -> tuple[pl.Series, str | None]:
    """Return times as float seconds since 1970 (UTC where no zone is named), null where unreadable.

    Args:
        values: dates, numbers or texts. Numbers may be seconds, milliseconds, microseconds or nanoseconds, or days
            written as ``20220422``. Small numbers, such as places in a history, are not changed.
        form: the format of the texts in the codes of ``strftime``.

    Returns:
        The times, and the format that was found if they are neither numbers nor ISO dates.

    Raises:
        AmbiguousTimesError: several formats fit all values.
        ConfigError: the format is not valid.
    """
    if values.dtype in (pl.Date, pl.Datetime):
        return seconds_of(values), None
    if values.dtype.is_numeric() and form is None:
        return _epochs(values.cast(pl.Float64)), None
    if values.dtype == pl.Boolean or values.dtype.is_temporal() or values.dtype.is_nested():
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64), None
    texts = values.cast(pl.String).str.strip_chars()
    if form is not None:
        return by_format(texts, form), None
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() < len(texts):
        return _epochs(numbers), None
    moments = iso_times(texts)
    if moments.null_count() < len(texts):
        return moments, None
    return _guessed(texts)


@dataclass(frozen=True)
class Epochs:
    """The facts that decide the unit of numbers; they add up over pieces of a column.

    Attributes:
        largest: the largest absolute value.
        smallest: the smallest absolute value; infinite if there are no numbers.
        dates: for each of ``_DIGITS``, whether all numbers are dates in this form.
    """

    largest: float = 0.0
    smallest: float = math.inf
    dates: tuple[bool, ...] = (True,) * len(_DIGITS)

    @classmethod
    def of(cls, numbers: pl.Series) -> Epochs:
        """Return the facts of some numbers. Null, NaN and infinities say only that not all are dates."""
        finite = numbers.filter(numbers.is_finite().fill_null(False)).to_numpy()
        if not len(finite):
            return cls()
        sizes = np.abs(finite)
        whole = len(finite) + numbers.null_count() == len(numbers)
        dates = (whole and _are_dates(finite, *digits) for digits in _DIGITS)
        return cls(float(sizes.max()), float(sizes.min()), tuple(dates))

    def __add__(self, other: Epochs) -> Epochs:
        both = zip(self.dates, other.dates, strict=True)
        return Epochs(
            max(self.largest, other.largest),
            min(self.smallest, other.smallest),
            tuple(one and another for one, another in both),
        )

    def seconds(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the seconds of epochs in any unit.

        If the units differ, each value is read by its own, if all are recent.
        """
        if not math.isfinite(self.smallest):
            return values
        for are_dates, (_, _, form) in zip(self.dates, _DIGITS, strict=True):
            if are_dates:
                texts = pl.Series(values).fill_nan(None).cast(pl.Int64).cast(pl.String)
                return seconds_of(texts.str.to_datetime(form)).to_numpy()
        if self.largest < UNITS[0][0]:
            return values
        units = np.ones_like(values)
        for size, unit in UNITS:
            units[np.abs(values) >= size] = unit
        if self.smallest < _RECENT:  # these are not moments, so one unit for all keeps their order
            units[:] = max((unit for size, unit in UNITS if self.largest >= size), default=1.0)
        return np.asarray(values / units)


def _are_dates(finite: NDArray[np.float64], least: int, most: int, form: str) -> bool:
    if finite.min() < least or finite.max() > most or (finite != np.floor(finite)).any():
        return False
    texts = pl.Series(finite).cast(pl.Int64).cast(pl.String)
    return texts.str.to_datetime(form, strict=False).null_count() == 0


def _epochs(numbers: pl.Series) -> pl.Series:
    """Return numbers as seconds, null where there is no number."""
    seconds = Epochs.of(numbers).seconds(numbers.to_numpy())
    return pl.Series(numbers.name, seconds).fill_nan(None)


def iso_times(texts: pl.Series) -> pl.Series:
    """Read ISO dates. Polars reads those in the format of the first one; others are read one by one."""
    texts = matching(texts, _ISO).str.replace(r"\s*(UTC|GMT)$", "Z")
    if texts.null_count() == len(texts):
        return texts.cast(pl.Float64)
    try:
        numbers = seconds_of(texts.str.to_datetime(strict=False, time_zone="UTC"))
    except pl.exceptions.ComputeError:  # polars 1, where the first one has no known format
        numbers = pl.Series(texts.name, [None] * len(texts), pl.Float64)
    if numbers.null_count() == texts.null_count():
        return numbers
    others = texts.filter(numbers.is_null()).drop_nulls().unique()
    read = {text: _moment(text) for text in others}
    return numbers.fill_null(texts.replace_strict(read, default=None, return_dtype=pl.Float64))


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _guessed(texts: pl.Series) -> tuple[pl.Series, str | None]:
    """Read dates in the one format that fits all of them; if none does, in the one that fits the most."""
    guess = Guess()
    guess.add(texts)
    found = guess.best()
    if found is None:
        return pl.Series(texts.name, [None] * len(texts), dtype=pl.Float64), None
    form, year = found
    return by_format(matching(texts, year), form), form
