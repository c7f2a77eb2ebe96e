"""Fields in quotes, which may hold separators and line breaks (RFC 4180), and quotes that are only characters."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import polars as pl

from darec.data.ingest.columns import column_names
from darec.data.ingest.header import misfit
from darec.data.ingest.source import LINE
from darec.errors import DataError
from darec.wording import counted_noun

_FIELD: Final = r'^"(?:[^"]|"")*"$'
_ROWS: Final = 2**16  # records that become one frame
_LONGEST: Final = 2**31 - 1  # characters of a field; the csv module's own limit is 131,072


def unquoted(frame: pl.DataFrame) -> pl.DataFrame:
    """Remove the quotes if every field that holds one is quoted as a whole; otherwise leave all of them."""
    names = [name for name in frame.columns if name != LINE]
    fields = pl.col(names)
    holds = fields.str.contains('"', literal=True).fill_null(False)
    if not all(frame.select((~holds | fields.str.contains(_FIELD)).all()).row(0)):
        return frame
    inner = fields.str.slice(1, fields.str.len_chars() - 2).str.replace_all('""', '"', literal=True)
    plain = frame.with_columns(pl.when(holds).then(inner.replace("", None)).otherwise(fields))
    return plain.rename({name: name.strip('"') for name in names if name.strip('"')})


def read_quoted(
    path: Path, data: bytes, separator: str, header: tuple[str, ...] | None, *, sure: bool
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read records one after the other, each of one line or more.

    A quote that is only a character and begins a field looks like an opening one, and swallows the rows up to the next
    quote. So a file can be read in two ways if each line of every record over several lines is a whole row by itself.
    Quotes inside fields are doubled. If that does not fit and some quotes are escaped by backslashes, as Spark and
    MySQL write them, that is tried too.

    Args:
        path: for messages.
        data: the content in UTF-8.
        separator: one character.
        header: names of the columns; None: the first record is the header.
        sure: quotes enclose fields, also if the file can be read in two ways.

    Returns:
        The rows, and notices of records over several lines and of backslashes.

    Raises:
        DataError: a quote is not closed, a record has more or fewer fields than the first, or the file can be read in
            two ways.
    """
    try:
        return _read(QuotedRows(path, _lines(data), separator, header, sure=sure))
    except DataError:
        if b'\\"' not in data:
            raise
        rows = QuotedRows(path, _lines(data), separator, header, sure=sure, escaped=True)
        try:
            return _read(rows)
        except DataError:
            pass
        raise


def _lines(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="\n")


def _read(rows: QuotedRows) -> tuple[pl.DataFrame, tuple[str, ...]]:
    return pl.concat(rows), rows.notices


class QuotedRows:
    """The rows of :func:`read_quoted`, as frames of some rows each.

    Args:
        path: for messages.
        lines: of the file, each with its line feed.
        separator: one character.
        header: names of the columns; None: the first record is the header.
        sure: quotes enclose fields, also if the file can be read in two ways.
        escaped: backslashes escape quotes inside fields.

    Attributes:
        notices: of records over several lines and of backslashes; complete once all rows are read.
    """

    def __init__(
        self,
        path: Path,
        lines: Iterable[str],
        separator: str,
        header: Sequence[str] | None,
        *,
        sure: bool,
        escaped: bool = False,
    ) -> None:
        self._records = _Records(path, lines, separator, "\\" if escaped else None)
        self._header, self._sure = header, sure
        self.notices: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield frames with ``__line__``, at least one. Raises ``DataError`` as :func:`read_quoted`."""
        records = self._records
        rest = iter(records)
        names = list(self._header or next(rest))
        second = next(rest, None)
        trailing = second is not None and len(second) == len(names) + 1 and not second[-1]
        columns = column_names([*names, ""] if trailing else names)
        rows: list[list[str]] = []
        lines: list[int] = []
        spanning: list[tuple[int, int]] = []
        swallowing = 0
        for record in chain([second] if second else [], rest):
            if len(record) != len(columns) or (trailing and record[-1]):
                raise misfit(records.path, records.line, len(record), len(names))
            rows.append(record)
            lines.append(records.line)
            if len(records.taken) > 1:
                spanning.append((records.line, records.line + len(records.taken) - 1))
                swallowing += all(records.whole(line, len(columns)) for line in records.taken)
            if len(rows) == _ROWS:
                yield _frame(columns, rows, lines)
                rows, lines = [], []
        yield _frame(columns, rows, lines)
        self._judge(spanning, swallowing)

    def _judge(self, spanning: list[tuple[int, int]], swallowing: int) -> None:
        """Note the records over several lines, or refuse them if each of their lines is a row by itself."""
        path = self._records.path
        if swallowing and swallowing == len(spanning) and not self._sure:
            raise DataError(
                f"{path}, line {spanning[0][0]}: a quote opens here and closes in line {spanning[0][1]}, but each "
                "of these lines is a whole row. Double the quotes inside fields; or pass --no-quotes if "
                "quotes are plain characters in this file, --quotes if that field does hold line breaks."
            )
        if spanning:
            begin, end = max(spanning, key=lambda lines: lines[1] - lines[0])
            self.notices += (
                f"{path}: {counted_noun(len(spanning), 'row holds', 'rows hold')}"
                f" line breaks inside quotes, the longest in lines {begin} to {end}.",
            )
        if self._records.escape:
            self.notices += (f"{path}: backslashes escape quotes inside fields.",)


class _Records:
    """Iterates over the records of a file that are not blank.

    Attributes:
        line: line in which the last record begins.
        taken: number of lines of that record.
    """

    def __init__(
        self, path: Path, lines: Iterable[str], separator: str, escape: str | None = None
    ) -> None:
        self.path, self.separator, self.escape = path, separator, escape
        self.line = 1
        self.taken: list[str] = []
        self._text = lines

    def __iter__(self) -> Iterator[list[str]]:
        reader = csv.reader(
            self._lines(), delimiter=self.separator, escapechar=self.escape, strict=True
        )
        limit = csv.field_size_limit(_LONGEST)
        before = 0
        try:
            for record in reader:
                if any(record) and (len(record) > 1 or record[0].strip()):
                    self.line = before + 1
                    yield record
                before = reader.line_num
                self.taken.clear()
        except csv.Error as error:
            raise DataError(
                f"{self.path}, line {before + 1}: {error}: close the quotes, and double those inside a field; or pass "
                "--no-quotes if quotes are plain characters in this file."
            ) from None
        finally:
            csv.field_size_limit(limit)

    def _lines(self) -> Iterator[str]:
        for line in self._text:
            self.taken.append(line)
            yield line

    def whole(self, line: str, fields: int) -> bool:
        """Whether a line is a row by itself, split at every separator or only at those outside quotes."""
        if line.count(self.separator) + 1 == fields:
            return True
        alone = csv.reader([line], delimiter=self.separator, escapechar=self.escape)
        return len(next(alone, [])) == fields


def _frame(names: list[str], rows: list[list[str]], lines: list[int]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    series = [
        pl.Series(name, values, dtype=pl.String)
        for name, values in zip(names, columns, strict=True)
    ]
    frame = pl.DataFrame(series).with_columns(pl.all().replace("", None))
    return frame.with_columns(pl.Series(LINE, lines, dtype=pl.UInt32))
