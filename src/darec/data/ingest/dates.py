"""Formats of dates other than ISO's, and which of them fits a column."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import polars as pl

from darec.errors import ConfigError

_CLOCKS: Final = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
# Each format of dates other than ISO's, and a pattern of its year: %Y alone would read "14" as the year 14.
_DATES: Final = (
    ("%Y-%m-%d", r"^\d{4}\D"),
    ("%m-%d-%Y", r"^\d{1,2}\D\d{1,2}\D\d{4}"),
    ("%d-%m-%Y", r"^\d{1,2}\D\d{1,2}\D\d{4}"),
    ("%m-%d-%y", r"^\d{1,2}\D\d{1,2}\D\d{2}(\D|$)"),
    ("%d-%m-%y", r"^\d{1,2}\D\d{1,2}\D\d{2}(\D|$)"),
    ("%y-%m-%d", r"^\d{2}\D\d{1,2}\D\d{1,2}(\D|$)"),
)
_NAMED: Final = ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%a, %d %b %Y")
FORMATS: Final = (
    *(
        (d.replace("-", mark) + clock, year)
        for d, year in _DATES
        for mark in "/-."
        for clock in _CLOCKS
    ),
    *((date + clock, r"[A-Za-z]{3}.* \d{4}|-\d{4}") for date in _NAMED for clock in _CLOCKS),
    ("%a %b %d %H:%M:%S %z %Y", r" \d{4}$"),  # Twitter's, Goodreads' and Foursquare's
    ("%a, %d %b %Y %H:%M:%S %z", r" \d{4} "),
    ("%m %d, %Y", r"^\d{1,2} \d{1,2}, \d{4}$"),  # Amazon's
)


class AmbiguousTimesError(Exception):
    """Dates that several formats can read; ``formats`` lists these."""

    def __init__(self, formats: list[str]) -> None:
        super().__init__(", ".join(formats))
        self.formats = formats


class Guess:
    """Finds the one format of dates that fits a whole column, which may come in pieces.

    It tries the formats that fit most of the first thousand texts.
    """

    def __init__(self) -> None:
        self._missing: dict[tuple[str, str], int] = {}
        self._equal: dict[tuple[str, str], bool] = {}

    def add(self, texts: pl.Series) -> None:
        """Look at a piece of the column."""
        if not self._missing:
            self._missing = dict.fromkeys(_fitting(texts.drop_nulls().head(1000)), 0)
        read = {form: by_format(matching(texts, year), form) for form, year in self._missing}
        for form, year in self._missing:
            self._missing[form, year] += read[form].null_count() - texts.null_count()
        for one, other in combinations(read, 2):
            equal = self._equal.get((one, other), True) and read[one].equals(read[other])
            self._equal[one, other] = equal

    def best(self) -> tuple[str, str] | None:
        """Return the format that fits the most texts, with the pattern of its year; None if no format fits any.

        Raises:
            AmbiguousTimesError: several formats fit all values and read them as different dates.
        """
        whole = [form for (form, _), missing in self._missing.items() if not missing]
        if not all(self._equal[whole[0], form] for form in whole[1:]):
            raise AmbiguousTimesError(whole)
        return min(self._missing, key=lambda form: self._missing[form], default=None)


def _fitting(sample: pl.Series) -> list[tuple[str, str]]:
    found = []
    for form, year in FORMATS:
        fits = sample.filter(sample.str.contains(year)).str.to_datetime(form, strict=False)
        if fits.count() > 0.9 * len(sample):
            found.append((form, year))
    return found


def by_format(texts: pl.Series, form: str) -> pl.Series:
    """Return the seconds of dates in a format, null where it does not fit.

    Raises ``ConfigError`` on an invalid format.
    """
    try:
        dates = texts.str.to_datetime(form, strict=False)
    except pl.exceptions.PolarsError:
        dates = None
    if dates is None or "%" not in form:
        raise ConfigError(
            f"--time-format {form!r} is not a format of dates: write it as '%m/%d/%Y' or '%d.%m.%Y %H:%M'."
        )
    late = dates.dt.year() >= 1000  # %Y alone reads "14" as the year 14
    return seconds_of(dates.zip_with(late.fill_null(False), dates.clear(len(dates))))


def matching(texts: pl.Series, pattern: str) -> pl.Series:
    """Return the texts that hold the pattern, and null for the others."""
    return texts.zip_with(texts.str.contains(pattern).fill_null(False), texts.clear(len(texts)))


def seconds_of(dates: pl.Series) -> pl.Series:
    """Return dates and moments as seconds since 1970."""
    return dates.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
