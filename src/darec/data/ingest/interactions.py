"""Interactions from a table: which column is what, ids as text, ratings and times as numbers."""

from __future__ import annotations

import polars as pl

from darec.data.ingest.columns import find_columns, plain, usual_columns
from darec.data.ingest.source import LINE, Columns, Reading, Source, SourceTable
from darec.data.ingest.times import AmbiguousTimesError, read_times
from darec.errors import DataError


def read_interactions(
    table: SourceTable, columns: Columns, reading: Reading | None = None
) -> Source:
    """Interactions from a table.

    Args:
        table: as read.
        columns: names of columns, where they are not to be guessed.
        reading: which columns are wanted, which are left alone, and how times are written.

    Raises:
        DataError: a missing column; a blank id; a wanted rating that is no finite number, or a wanted time that is
            neither a number nor a date, or that has several readings.
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
        read["rating"] = _ratings(table, found["rating"])
        _check(table, "rating", found["rating"], read["rating"], "is not a finite number")
    else:
        rated = [columns.rating] if columns.rating else usual_columns("rating", table.columns)
        notices += _low_ratings(table, rated)
    if "split" in wanted:
        read["split"] = _labels(table, found["split"])
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


def _ratings(table: SourceTable, name: str) -> pl.Series:
    """A column as floats, null where it is no number; truth is 1 or 0."""
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


def _low_ratings(table: SourceTable, names: list[str]) -> tuple[str, ...]:
    """What to know of ratings that are not used: those of zero or less are seldom likes."""
    told = []
    for name in names:
        numbers = _ratings(table, name)
        low = int((numbers <= 0).sum())
        if low:
            positive = numbers.filter(numbers > 0).to_numpy()
            remedy = (
                f"; --rating-column {name} --min-rating {positive.min():g} leaves them out"
                if positive.size
                else ""
            )
            told.append(
                f"{table.name}: {low} of {len(numbers)} interactions have a {name!r} of 0 or less and count as "
                f"positives all the same{remedy}."
            )
    return tuple(told)


def _read_time(
    table: SourceTable, columns: Columns, form: str | None
) -> tuple[str, pl.Series, tuple[str, ...]]:
    """The time's column, its values, and what to tell of them.

    Of several usual columns the finest that can be read is taken: the one with the most different values, and a place
    in a history only where there is nothing else.
    """
    candidates = [columns.time] if columns.time else usual_columns("time", table.columns)
    if len(candidates) > 1:
        different = {name: _different(table.frame[name]) for name in candidates}
        candidates.sort(key=lambda name: (plain(name) == "position", -different[name]))
    refused = []
    for name in candidates:
        try:
            return name, *_times(table, name, form)
        except DataError as error:
            refused.append(error)
    raise refused[0]


def _different(values: pl.Series) -> int:
    return 0 if values.dtype == pl.Object else values.n_unique()


def _times(table: SourceTable, name: str, form: str | None) -> tuple[pl.Series, tuple[str, ...]]:
    values = table.frame[name]
    if values.dtype == pl.Object:
        values = table.texts(name)
    try:
        times, guessed = read_times(values, form)
    except AmbiguousTimesError as error:
        raise DataError(
            f"{table.at(table.frame[LINE][0])}: times such as {values[0]!r} in column {name!r} can be read as "
            f"{' and as '.join(map(repr, error.formats))}, which both fit all of them: say which with --time-format."
        ) from None
    if form:
        wanted, hint = f"does not fit --time-format {form!r}", ""
    elif guessed:
        wanted, hint = f"does not fit {guessed!r} as others do", ", or name another --time-format"
    else:
        wanted = "is neither a finite number nor an ISO date"
        hint = ", or name how times are written, as in --time-format '%m/%d/%Y'"
    _check(table, "time", name, times, wanted, hint)
    if guessed is None:
        return times, ()
    return times, (f"{table.name}: times in column {name!r} were read as {guessed!r}.",)


def _check(
    table: SourceTable, kind: str, name: str, numbers: pl.Series, wanted: str, hint: str = ""
) -> None:
    """Refuse a column with values that could not be read as numbers."""
    bad = (numbers.is_null() | ~numbers.is_finite()).fill_null(True).arg_true()
    if not len(bad):
        return
    value = table.frame[name][bad[0]]
    if value is None or value == "":
        what, remedy = "is nothing", "complete or remove it"
    else:
        what, remedy = f"is {value!r:.60}, which {wanted}", f"mend or remove it{hint}"
    raise DataError(
        f"{table.at(table.frame[LINE][bad[0]])}: {kind} in column {name!r} {what} ({len(bad)} such {table.unit}s): "
        f"{remedy}."
    )


def _labels(table: SourceTable, name: str) -> pl.Series:
    values = table.frame[name]
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        raise DataError(
            f"{table.name}: column {name!r} holds {values.dtype} where text is expected."
        )
    return table.texts(name)
