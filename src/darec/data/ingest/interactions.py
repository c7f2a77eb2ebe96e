"""Interactions from a table: which column holds what, ids as text, ratings and times as numbers."""

from __future__ import annotations

import math
from typing import Final

import polars as pl

from darec.data.ingest.columns import find_columns, plain, usual_columns
from darec.data.ingest.dates import AmbiguousTimesError
from darec.data.ingest.source import LINE, Columns, Reading, Source, SourceTable
from darec.data.ingest.times import iso_times, read_times
from darec.data.ingest.values import scalar
from darec.errors import DataError
from darec.wording import agreeing

HEAD: Final = 10**6
"""Number of the first rows by which the column of times is chosen."""


def read_interactions(
    table: SourceTable, columns: Columns, reading: Reading | None = None
) -> Source:
    """Read interactions from a table.

    Args:
        table: as read.
        columns: names of columns; those that are None are guessed.
        reading: which columns are needed, which are ignored, and how times are written.

    Raises:
        DataError: a column is missing; an id is blank; a needed rating is not a finite number; or a needed time is
            neither a number nor a date, or can be read in several ways.
    """
    reading = reading or Reading()
    names = tuple(table.columns)
    table = table.without(reading.ignored)
    found = find_columns(table, columns)
    read = {kind: table.ids(found[kind]) for kind in ("user", "item")}
    types = {kind: table.id_type(found[kind]) for kind in read}
    notices = table.notices
    wanted = [kind for kind in reading.wanted if kind in found]
    if "time" in wanted:
        found["time"], read["time"], told = _read_time(table, columns, reading.time_format)
        notices += told
    if "rating" in wanted:
        read["rating"] = ratings(table, found["rating"])
        check_numbers(table, "rating", found["rating"], read["rating"], "is not a finite number")
    else:
        for name in unused_ratings(columns, table.columns):
            low = LowRatings()
            low.add(ratings(table, name))
            notices += low.told(table.name, name)
    if "split" in wanted:
        read["split"] = labels(table, found["split"])
    return Source(
        table.name,
        pl.DataFrame([values.alias(kind) for kind, values in read.items()]).with_columns(
            table.frame[LINE].alias("line")
        ),
        table.unit,
        table.files,
        table.starts,
        notices,
        columns=found,
        names=names,
        types=types,
    )


def ratings(table: SourceTable, name: str) -> pl.Series:
    """Return a column as floats, null where it holds no number; true is 1 and false is 0."""
    values = table.frame[name]
    if values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.String):
        numbers = values.cast(pl.Float64, strict=False)
        if numbers.null_count() == values.null_count():
            return numbers
    texts = table.texts(name)
    truth = texts.str.to_lowercase().replace_strict(
        {"true": 1.0, "false": 0.0}, default=None, return_dtype=pl.Float64
    )
    return texts.cast(pl.Float64, strict=False).fill_null(truth)


class LowRatings:
    """Counts ratings of zero or less in a column that is not used: such a rating is seldom a like.

    The column may come in pieces.
    """

    def __init__(self) -> None:
        self._low = self._n = 0
        self._least = math.inf

    def add(self, numbers: pl.Series) -> None:
        """Look at a piece of the column."""
        self._n += len(numbers)
        self._low += int((numbers <= 0).sum())
        positive = numbers.filter(numbers > 0).to_numpy()
        self._least = (
            min(self._least, *positive.min(keepdims=True)) if positive.size else self._least
        )

    def told(self, table: str, name: str) -> tuple[str, ...]:
        """Return the notice; empty if there is none."""
        if not self._low:
            return ()
        remedy = (
            f"; --rating-column {name} --min-rating {self._least:g} leaves them out"
            if math.isfinite(self._least)
            else ""
        )
        return (
            f"{table}: {self._low} of {self._n} interactions {agreeing(self._low, 'has', 'have')} a {name!r} of 0 or "
            f"less and {agreeing(self._low, 'counts as positive', 'count as positives')} all the same{remedy}.",
        )


def unused_ratings(columns: Columns, names: list[str]) -> list[str]:
    """Return the columns of ratings that :class:`LowRatings` should look at."""
    return [columns.rating] if columns.rating else usual_columns("rating", names)


def _read_time(
    table: SourceTable, columns: Columns, form: str | None
) -> tuple[str, pl.Series, tuple[str, ...]]:
    """Return the name of the column of times, its values, and the notices about them.

    Of several usual columns it takes the finest that can be read: the one with the most different values in the first
    million rows. A place in a history is taken only if there is nothing else.
    """
    refused = []
    for name in time_columns(table, columns):
        try:
            return name, *_times(table, name, form)
        except DataError as error:
            refused.append(error)
    raise refused[0]


def time_columns(table: SourceTable, columns: Columns) -> list[str]:
    """Return the columns that may hold times; the first is tried first."""
    if columns.time:
        return [columns.time]
    candidates = usual_columns("time", table.columns)
    if len(candidates) > 1:
        different = {name: _different(table.frame[name].head(HEAD)) for name in candidates}
        candidates.sort(key=lambda name: (plain(name) == "position", -different[name]))
    return candidates


def _different(values: pl.Series) -> int:
    return 0 if values.dtype == pl.Object else values.n_unique()


def _times(table: SourceTable, name: str, form: str | None) -> tuple[pl.Series, tuple[str, ...]]:
    values = time_values(table, name)
    try:
        times, guessed = read_times(values, form)
    except AmbiguousTimesError as error:
        raise several_readings(table.at(table.frame[LINE][0]), values[0], name, error) from None
    check_times(table, name, times, form, guessed)
    return times, guessed_times(table.name, name, guessed)


def time_values(table: SourceTable, name: str) -> pl.Series:
    """Return a column in the form that :func:`read_times` takes."""
    values = table.frame[name]
    return table.texts(name) if values.dtype == pl.Object else values


def several_readings(place: str, value: object, name: str, error: AmbiguousTimesError) -> DataError:
    """Return the error of dates that fit several formats."""
    return DataError(
        f"{place}: times such as {value!r} in column {name!r} can be read as "
        f"{' and as '.join(map(repr, error.formats))}, which both fit all of them: name the format with --time-format."
    )


def check_times(
    table: SourceTable, name: str, times: pl.Series, form: str | None, guessed: str | None
) -> None:
    """Refuse times that could not be read.

    ``form`` is the format that was asked for, ``guessed`` the one that was found.
    """
    if form:
        wanted, hint = f"does not fit --time-format {form!r}", ""
    elif guessed:
        wanted, hint = f"does not fit {guessed!r} as others do", ", or name another --time-format"
    else:
        bad = _unread(times)
        mixed = _mixed(time_values(table, name)[bad[0]]) if len(bad) else ""
        wanted = mixed or "is neither a finite number nor an ISO date"
        hint = (
            "; write all times in one format"
            if mixed
            else ", or name the format of times, as in --time-format '%m/%d/%Y'"
        )
    check_numbers(table, "time", name, times, wanted, hint)


def _unread(numbers: pl.Series) -> pl.Series:
    """Return where there are no finite numbers."""
    return (numbers.is_null() | ~numbers.is_finite()).fill_null(True).arg_true()


def _mixed(value: object) -> str:
    """Describe a time that could be read if the others were like it; empty if it could not."""
    text = pl.Series([scalar(value)], dtype=pl.String)
    number = text.cast(pl.Float64, strict=False)[0]
    if number is not None and math.isfinite(number):
        return "is a number where other rows have dates"
    if iso_times(text).count():
        return "is a date where other rows have numbers (such as seconds since 1970)"
    return ""


def guessed_times(table: str, name: str, guessed: str | None) -> tuple[str, ...]:
    """Return the notice about a format that was found."""
    if guessed is None:
        return ()
    return (f"{table}: times in column {name!r} were read as {guessed!r}.",)


def check_numbers(
    table: SourceTable, kind: str, name: str, numbers: pl.Series, wanted: str, hint: str = ""
) -> None:
    """Refuse a column with values that could not be read as numbers."""
    bad = _unread(numbers)
    if not len(bad):
        return
    value, place = table.frame[name][bad[0]], table.frame[LINE][bad[0]]
    if value is None or value == "":
        table.check_part(place, name)
        what, remedy = "is nothing", "complete or remove it"
    else:
        what, remedy = f"is {value!r:.60}, which {wanted}", f"mend or remove it{hint}"
    raise DataError(
        f"{table.at(place)}: {kind} in column {name!r} {what} ({table.such(len(bad))}): {remedy}."
    )


def labels(table: SourceTable, name: str) -> pl.Series:
    """Return a column as text. Raises ``DataError`` if it holds anything else."""
    values = table.frame[name]
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        raise DataError(
            f"{table.name}: column {name!r} holds {values.dtype} where text is expected."
        )
    return table.texts(name)
