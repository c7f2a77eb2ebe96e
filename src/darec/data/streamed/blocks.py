"""A large text file in blocks of whole lines, unpacked on the way, and each read as a table."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

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
from darec.data.ingest.source import LINE, Reading, SourceTable
from darec.errors import DataError

BLOCK: Final = 2**26
"""Bytes of text that are read together, and of files that are read whole."""
_OPEN: Final[dict[str, Callable[[IO[bytes]], Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda file: pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"),
}


def in_blocks(path: Path, reading: Reading) -> bool:
    """Whether a file can be read in blocks: it is large, in UTF-8, and no quotes can join lines of it."""
    if path.stat().st_size < BLOCK or reading.encoding not in (None, "utf-8"):
        return False
    with _unpacked(path) as stream:
        chunk = stream.read(BLOCK)
        mark = next((name for mark, name in MARKS if chunk.startswith(mark)), "utf-8")
        if mark != "utf-8":
            return False
        while chunk and reading.quotes is not False:
            if b'"' in chunk:
                return False
            chunk = stream.read(BLOCK)
    return True


class Blocks:
    """The rows of a file of which :func:`in_blocks` says that it can be read so.

    Args:
        path: the file.
        reading: how it is read.

    Attributes:
        notices: what was assumed, once all is read.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path, self.reading = path, reading
        self.notices: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[SourceTable]:
        """Tables of some rows.

        Raises:
            DataError: as :func:`darec.data.ingest.tabular.read_file`.
        """
        path, separator = self.path, ""
        names: Sequence[str] | None = self.reading.header
        repeats: list[int] = []
        for data, line in self._texts():
            if not separator:
                usual = "\t" if unpacked_name(path).suffix.lower() in TABS else ","
                separator, told = separator_of(path, data, usual)
                self.notices += told
            frame = cut_lines(path, data, separator, names, line)
            names = [name for name in frame.columns if name != LINE]
            frame, lines = split_headers(frame)
            repeats += lines
            if not self.reading.header:
                check_header(path, frame, names)
            yield SourceTable(str(path), frame, "line", (path,), piece=True)
        if not separator:
            raise EmptyFileError(f"{path} is empty.")
        self.notices += told_headers(path, repeats)

    def _texts(self) -> Iterator[tuple[bytes, int]]:
        """Whole lines that are not all blank, each with the number of its first line."""
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
                if text and not text.isspace():
                    yield text, line + 1
                line += text.count(b"\n")
                offset += len(data)
        self.notices = (*packing(self.path, _start(self.path))[1], *self.notices)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


@contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    """The file's bytes, unpacked if they are packed. Raises ``DataError`` where they cannot be."""
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
