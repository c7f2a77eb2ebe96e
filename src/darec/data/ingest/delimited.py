"""Reading CSV and TSV: the separator, the header, whether quotes enclose fields, and lines that do not fit.

Fields are strings, null where empty. In CSV quotes enclose fields (RFC 4180). In TSV they do so only if every field
that holds a quote is quoted as a whole: a single inch mark is a character there, and swallows no rows.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.data.ingest.columns import column_names
from darec.data.ingest.decoding import unpacked_name
from darec.data.ingest.header import check_header, misfit, without_headers
from darec.data.ingest.quoted import read_quoted, unquoted
from darec.data.ingest.source import LINE, Reading
from darec.errors import DataError

TABS: Final = (".tsv", ".tab", ".inter", ".item")
COMMAS: Final = (".csv", ".txt")
SEPARATORS: Final = (",", "\t", ";", "|")
UNQUOTED: Final = (".inter", ".item")  # RecBole writes fields as they are, quotes and all
_PACKED: Final = b"\x1f\x28\x78"  # polars takes text that begins with these bytes for compressed
_BLOCK: Final = 2**24  # bytes that are looked at together


def read_delimited(
    path: Path, data: bytes, reading: Reading
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the rows of a file with their line in ``__line__``, and the assumptions that were made.

    Args:
        path: of the file; its suffix says which separator to expect.
        data: the content in UTF-8; each line ends with a line feed.
        reading: names of the columns if the file has no header, and what quotes mean.

    Raises:
        DataError: a line has more or fewer fields than the first, a quote is not closed or the quotes can be read in
            two ways, or there is only one column.
    """
    suffix = unpacked_name(path).suffix.lower()
    separator, notices = separator_of(path, data, "\t" if suffix in TABS else ",")
    quotes = False if suffix in UNQUOTED or b'"' not in data else reading.quotes
    if quotes is False:
        frame = cut_lines(path, data, separator, reading.header)
    elif quotes is None and separator == "\t":
        try:
            frame = unquoted(cut_lines(path, data, separator, reading.header))
        except DataError as misfit:
            try:
                frame, told = read_quoted(path, data, separator, reading.header, sure=True)
            except DataError:
                raise misfit from None
            notices += told
    else:
        frame, told = read_quoted(path, data, separator, reading.header, sure=quotes is True)
        notices += told
    frame, notices = without_headers(path, frame, notices)
    if not reading.header:
        check_header(path, frame, [name for name in frame.columns if name != LINE])
    return frame, notices


def separator_of(path: Path, data: bytes, usual: str) -> tuple[str, tuple[str, ...]]:
    """Return the separator of fields: the usual one of such files, or the one that the first line has instead."""
    first = first_line(data)
    if usual in first:
        return usual, ()
    counts = {mark: first.count(mark) for mark in SEPARATORS}
    likely = max(counts, key=lambda mark: counts[mark])
    if not counts[likely]:
        raise DataError(
            f"{path}, line 1: one column only, although {path.suffix} means columns separated by {usual!r}: rewrite "
            "the file or rename it (.csv for commas, .tsv for tabs)."
        )
    return likely, (f"{path}: columns are separated by {likely!r}.",)


def first_line(data: bytes) -> str:
    """Return the first line that is not empty."""
    end = data.find(b"\n", len(data) - len(data.lstrip(b"\n")))
    return data[: end if end >= 0 else None].decode().lstrip("\n")


def cut_lines(
    path: Path,
    data: bytes,
    separator: str,
    header: Sequence[str] | None = None,
    line: int = 1,
) -> pl.DataFrame:
    """Split lines at every separator, also inside quotes.

    Args:
        path: for messages.
        data: the content in UTF-8.
        separator: one character.
        header: names of the columns; None: the first line is the header.
        line: number of the first line.

    Raises:
        DataError: a line has more or fewer fields than the first.
    """
    data = data.rstrip(b"\n")
    starts, fields = _scan(data, separator)
    lines = np.arange(line, line + len(starts), dtype=np.uint32)
    blank = _blank(data, starts, fields)
    if blank.any():
        data = _without(data, starts, blank)
        starts, fields = _scan(data, separator)
        lines = lines[~blank]
    first = 0 if header else 1
    names = list(header or first_line(data).split(separator))
    below, ends = fields[first:], np.append(starts[1:] - 2, len(data) - 1)[first:]
    last = np.frombuffer(data, np.uint8)[ends]
    if len(below) and (below == len(names) + 1).all() and (last == ord(separator)).all():
        names.append("")  # every row ends with a separator, but the header does not
    wrong = np.flatnonzero(below != len(names))
    if wrong.size:
        raise misfit(path, lines[first + wrong[0]], below[wrong[0]], len(names))
    names = column_names(names)
    if not len(below):
        return pl.DataFrame(schema={**dict.fromkeys(names, pl.String), LINE: pl.UInt32})
    if data[:1] in _PACKED:
        data = codecs.BOM_UTF8 + data
    frame = pl.read_csv(
        data,
        separator=separator,
        quote_char=None,
        has_header=False,
        skip_rows=first,
        new_columns=names,
        infer_schema=False,
    )
    return frame.with_columns(pl.Series(LINE, lines[first:]))


def _scan(data: bytes, separator: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return where each line starts, and how many fields it has."""
    values = np.frombuffer(data, np.uint8)
    ends, counts = [], []
    start = 0
    while start < len(values):
        stop = data.find(b"\n", start + _BLOCK)
        block = values[start : stop if stop >= 0 else len(values)]
        # The number of separators before each place. Its differences between ends of lines count those of each line.
        before = np.append(0, np.cumsum(block == ord(separator), dtype=np.int32))
        places = np.append(np.flatnonzero(block == ord("\n")), len(block))
        counts.append(np.diff(before[places], prepend=0).astype(np.int32))
        ends.append(places + start)
        start += len(block) + 1
    starts = np.append(0, np.concatenate(ends)[:-1] + 1)
    return starts, np.concatenate(counts) + np.int32(1)


def _blank(data: bytes, starts: NDArray[np.int64], fields: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which lines hold only separators and blanks."""
    lengths = np.diff(starts, append=len(data) + 1) - 1
    blank = lengths == fields - 1
    for row in np.flatnonzero(~blank & (fields == 1))[:1000]:
        blank[row] = not data[starts[row] : starts[row] + lengths[row]].strip()
    return np.asarray(blank)


def _without(data: bytes, starts: NDArray[np.int64], blank: NDArray[np.bool_]) -> bytes:
    """Return the text without the blank lines."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], blank, [True]]).astype(np.int8)))
    bounds = np.append(starts, len(data) + 1)[edges].reshape(-1, 2)
    return b"".join(data[begin:end] for begin, end in bounds.tolist()).rstrip(b"\n")
