"""Times as people write them, as seconds since 1970: numbers in any unit, ISO dates, and other formats of dates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from darec.errors import ConfigError

# From each of these sizes on, a number is no epoch in seconds any more but one in milli-, micro- or nanoseconds.
UNITS: Final = ((1e11, 1e3), (1e14, 1e6), (1e17, 1e9))
_RECENT: Final = 1e8  # seconds; the year 1973
# Dates and moments written as one number.
_DIGITS: Final = (
    (19000101, 21001231, "%Y%m%d"),
    (19000101000000, 21001231235959, "%Y%m%d%H%M%S"),
)
_ISO: Final = r"^\d{4}-\d{1,2}-\d{1,2}"
_CLOCKS: Final = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
# Each way of writing a date beside ISO's, and what its year looks like: %Y reads "14" as the year 14.
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
    """Dates that can be read in several ways; ``formats`` are these."""

    def __init__(self, formats: list[str]) -> None:
        super().__init__(", ".join(formats))
        self.formats = formats


def read_times(values: pl.Series, form: str | None = None) -> tuple[pl.Series, str | None]:
    """Times as float seconds since 1970 (UTC where no zone is given), null where unreadable.

    Args:
        values: dates, numbers or texts. Numbers may be seconds, milliseconds, microseconds or nanoseconds, or days
            written as ``20220422``; small numbers, such as places in a history, stay as they are.
        form: the format of the texts in the codes of ``strftime``.

    Returns:
        The times, and the format that was found where they are neither numbers nor ISO dates.

    Raises:
        AmbiguousTimesError: several formats fit all values.
        ConfigError: a format that is none.
    """
    if values.dtype in (pl.Date, pl.Datetime):
        return _seconds(values), None
    if values.dtype.is_numeric() and form is None:
        return _epochs(values.cast(pl.Float64)), None
    if values.dtype == pl.Boolean or values.dtype.is_temporal() or values.dtype.is_nested():
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64), None
    texts = values.cast(pl.String).str.strip_chars()
    if form is not None:
        return _by_format(texts, form), None
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() < len(texts):
        return _epochs(numbers), None
    moments = _iso(texts)
    if moments.null_count() < len(texts):
        return moments, None
    return _guessed(texts)


def _epochs(numbers: pl.Series) -> pl.Series:
    """Seconds of epochs in whatever unit. Values of several units are each read by their own if all are recent."""
    finite = numbers.filter(numbers.is_finite().fill_null(False))
    if not len(finite):
        return numbers
    for least, most, form in _DIGITS:
        if finite.is_between(least, most).all() and len(finite) + numbers.null_count() == len(
            numbers
        ):
            dates = numbers.cast(pl.Int64).cast(pl.String).str.to_datetime(form, strict=False)
            if dates.null_count() == numbers.null_count() and (finite == finite.floor()).all():
                return _seconds(dates)
    sizes = finite.abs()
    if not (sizes >= UNITS[0][0]).any():
        return numbers
    values = numbers.to_numpy()
    units = np.ones_like(values)
    for size, unit in UNITS:
        units[np.abs(values) >= size] = unit
    if (
        sizes < _RECENT
    ).any():  # some are no moments, so that there is but one unit: keep the order
        units[:] = units.max()
    return pl.Series(numbers.name, values / units).fill_nan(None)


def _by_format(texts: pl.Series, form: str) -> pl.Series:
    try:
        dates = texts.str.to_datetime(form, strict=False)
    except pl.exceptions.PolarsError:
        dates = None
    if dates is None or "%" not in form:
        raise ConfigError(
            f"--time-format {form!r} is no format of dates: write it as '%m/%d/%Y' or '%d.%m.%Y %H:%M'."
        )
    late = dates.dt.year() >= 1000  # %Y reads "14" as the year 14
    return _seconds(dates.zip_with(late.fill_null(False), dates.clear(len(dates))))


def _iso(texts: pl.Series) -> pl.Series:
    """Polars reads dates written as the first one is; what is written otherwise is read one by one."""
    texts = _matching(texts, _ISO).str.replace(r"\s*(UTC|GMT)$", "Z")
    if texts.null_count() == len(texts):
        return texts.cast(pl.Float64)
    numbers = _seconds(texts.str.to_datetime(strict=False, time_zone="UTC"))
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
    """Dates in the one format that fits them all; where none does, in the one that leaves the fewest out."""
    sample = texts.drop_nulls().head(1000)
    read: dict[str, pl.Series] = {}
    for form, year in FORMATS:
        fits = sample.filter(sample.str.contains(year)).str.to_datetime(form, strict=False)
        if fits.count() > 0.9 * len(sample):
            read[form] = _by_format(_matching(texts, year), form)
    whole = [form for form, times in read.items() if times.null_count() == texts.null_count()]
    if len(whole) > 1 and not all(read[form].equals(read[whole[0]]) for form in whole):
        raise AmbiguousTimesError(whole)
    if not read:
        return pl.Series(texts.name, [None] * len(texts), dtype=pl.Float64), None
    best = min(read, key=lambda form: read[form].null_count())
    return read[best], best


def _matching(texts: pl.Series, pattern: str) -> pl.Series:
    """The texts that hold the pattern, null in the place of others."""
    return texts.zip_with(texts.str.contains(pattern).fill_null(False), texts.clear(len(texts)))


def _seconds(dates: pl.Series) -> pl.Series:
    return dates.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
