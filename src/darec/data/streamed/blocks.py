"""Reads a large text file, compressed or not, in blocks of whole lines, each as a table."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

import polars as pl
import pyarrow as pa

from darec.data.ingest.decoding import (
    MARKS,
    EmptyFileError,
    cut_off,
    packing,
    plain_text,
    unpacked_name,
)
from darec.data.ingest.delimited import TABS, cut_lines, separator_of
from darec.data.ingest.header import check_header, split_headers, told_headers
from darec.data.ingest.quoted import QuotedRows
from darec.data.ingest.source import LINE, Reading, SourceTable
from darec.errors import DataError

BLOCK: Final = 2**26
"""Bytes of a block; smaller files are read whole."""
UNPACKED: Final = 8
"""How many times as large as its compressed file a log is."""
_OPEN: Final[dict[str, Callable[[IO[bytes]], Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda file: pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"),
}


def text_size(path: Path) -> int:
    """Return the bytes of a file; for a compressed file an estimate of its size when unpacked."""
    packed = unpacked_name(path) != path
    return path.stat().st_size * (UNPACKED if packed else 1)


def in_blocks(path: Path, reading: Reading) -> bool:
    """Whether a file can be read in blocks: it is large and in UTF-8, and its first block shows what quotes mean."""
    if text_size(path) < BLOCK or reading.encoding not in (None, "utf-8"):
        return False
    with _unpacked(path) as stream:
        start = stream.read(4)
    mark = next((name for mark, name in MARKS if start.startswith(mark)), "utf-8")
    return mark == "utf-8" and not (
        reading.quotes is None and _is_tabbed(path) and holds(path, b'"')
    )


def holds(path: Path, sign: bytes) -> bool:
    """Whether a file contains a sequence of one or two bytes."""
    before = b""
    with _unpacked(path) as stream:
        while chunk := stream.read(BLOCK):
            if sign in before + chunk:
                return True
            before = chunk[-1:]
    return False


def _is_tabbed(path: Path) -> bool:
    """Whether tabs may separate fields: always in .tsv, and in .csv if the first line has no comma."""
    if unpacked_name(path).suffix.lower() in TABS:
        return True
    with _unpacked(path) as stream:
        return b"\t" in stream.read(2**16)


class Blocks:
    """Iterates over the rows of a file that :func:`in_blocks` accepts.

    Args:
        path: the file.
        reading: how it is read.
        escaped: backslashes escape quotes inside fields.

    Attributes:
        notices: the assumptions that were made; complete once all is read.
    """

    def __init__(self, path: Path, reading: Reading, *, escaped: bool = False) -> None:
        self.path, self.reading, self.escaped = path, reading, escaped
        self.quoted = reading.quotes is not False and holds(path, b'"')
        self.notices: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[SourceTable]:
        """Yield tables of some rows.

        Raises:
            DataError: as :func:`darec.data.ingest.tabular.read_file`.
        """
        repeats: list[int] = []
        for frame in self._quoted() if self.quoted else self._plain():
            names = [name for name in frame.columns if name != LINE]
            rows, lines = split_headers(frame)
            repeats += lines
            if not self.reading.header:
                check_header(self.path, rows, names)
            yield SourceTable(str(self.path), rows, "line", (self.path,), piece=True)
        self.notices += told_headers(self.path, repeats)

    def _plain(self) -> Iterator[pl.DataFrame]:
        """Yield tables of lines that are split at every separator."""
        separator = ""
        names: Sequence[str] | None = self.reading.header
        for data, line in self._texts():
            if data.isspace():
                continue
            separator = separator or self._separator(data)
            frame = cut_lines(self.path, data, separator, names, line)
            names = [name for name in frame.columns if name != LINE]
            yield frame
        if not separator:
            raise EmptyFileError(f"{self.path} is empty.")

    def _quoted(self) -> Iterator[pl.DataFrame]:
        """Yield tables of records whose fields may be in quotes."""
        texts = self._texts()
        first: list[bytes] = []
        while not first or first[-1].isspace():
            first.append(next(texts)[0])
        separator = self._separator(first[-1])
        lines = (
            line
            for data in chain(first, (data for data, _ in texts))
            for line in StringIO(data.decode(), newline="\n")
        )
        rows = QuotedRows(
            self.path,
            lines,
            separator,
            self.reading.header,
            sure=self.reading.quotes is True,
            escaped=self.escaped,
        )
        yield from rows
        self.notices += rows.notices

    def _separator(self, data: bytes) -> str:
        usual = "\t" if unpacked_name(self.path).suffix.lower() in TABS else ","
        separator, told = separator_of(self.path, data, usual)
        self.notices += told
        return separator

    def _texts(self) -> Iterator[tuple[bytes, int]]:
        """Yield blocks of whole lines, each with the number of its first line."""
        line = offset = 0
        with _unpacked(self.path) as stream:
            rest, more = b"", True
            while more:
                chunk = stream.read(BLOCK)
                more = bool(chunk)
                if not offset and chunk.startswith(codecs.BOM_UTF8):
                    chunk = chunk[len(codecs.BOM_UTF8) :]
                data = rest + chunk
                cut = data.rfind(b"\n") + 1 if more else len(data)
                data, rest = data[:cut], data[cut:]
                text = plain_text(self.path, data, line + 1, offset)
                if text:
                    yield text, line + 1
                line += text.count(b"\n")
                offset += len(data)
        self.notices = (*packing(self.path, _start(self.path))[1], *self.notices)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


@contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    """Yield the file's bytes, unpacked if it is compressed. Raises ``DataError`` if it cannot be unpacked."""
    suffix = packing(path, _start(path))[0]
    with path.open("rb") as file:
        try:
            yield _OPEN[suffix](file) if suffix else file
        except DataError:
            raise
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            if not suffix:
                raise
            raise cut_off(path, error) from None
