"""Reads the times of a column that comes in pieces, with the same result as for a whole column."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.data.ingest.dates import AmbiguousTimesError, Guess, by_format, matching
from darec.data.ingest.interactions import check_times, guessed_times, several_readings, time_values
from darec.data.ingest.source import LINE, SourceTable
from darec.data.ingest.times import Epochs, iso_times, read_times


class Times:
    """A column of times.

    The first piece decides whether all pieces hold numbers, ISO dates or dates in another format. One more pass over
    the column finds that format. The unit of numbers is known only at the end, so :meth:`seconds` converts them then.

    Args:
        name: of the column.
        form: the format that was asked for.
        again: yields all pieces again.
    """

    def __init__(
        self, name: str, form: str | None, again: Callable[[], Iterator[SourceTable]]
    ) -> None:
        self.name, self.form, self._again = name, form, again
        self.epochs = Epochs()
        self._numbers = False
        self._texts: Callable[[pl.Series], pl.Series] | None = None
        self._guessed: str | None = None

    def read(self, table: SourceTable) -> pl.Series:
        """Return the times of a piece. Raises ``DataError`` on one that cannot be read."""
        values = time_values(table, self.name)
        times = self._read(values)
        check_times(table, self.name, times, self.form, self._guessed)
        if self._numbers:
            self.epochs += Epochs.of(times)
        return times

    def _read(self, values: pl.Series) -> pl.Series:
        if values.dtype.is_numeric() and self.form is None:
            self._numbers = True
            return values.cast(pl.Float64)
        if values.dtype != pl.String or self.form is not None:
            return read_times(values, self.form)[0]
        texts = values.str.strip_chars()
        if self._texts is None and texts.count():
            self._texts = self._way(texts)
        return self._texts(texts) if self._texts else texts.cast(pl.Float64, strict=False)

    def _way(self, texts: pl.Series) -> Callable[[pl.Series], pl.Series]:
        """Return the way to read the texts of the column, from some of them."""
        if _numbers(texts).count():
            self._numbers = True
            return _numbers
        if iso_times(texts).count():
            return iso_times
        guess = Guess()
        first = None
        for table in self._again():
            values = time_values(table, self.name)
            if first is None:
                first = table.at(table.frame[LINE][0]), values[0]
            guess.add(values.cast(pl.String).str.strip_chars())
        try:
            found = guess.best()
        except AmbiguousTimesError as error:
            assert first is not None
            raise several_readings(*first, self.name, error) from None
        if found is None:
            return _numbers
        form, year = found
        self._guessed = form
        return lambda texts: by_format(matching(texts, year), form)

    def seconds(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert times to seconds; call it once all pieces are read."""
        return self.epochs.seconds(times) if self._numbers else times

    def notices(self, table: str) -> tuple[str, ...]:
        """Return the notices about the times."""
        return guessed_times(table, self.name, self._guessed)


def _numbers(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Float64, strict=False)
