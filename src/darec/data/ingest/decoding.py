"""From a file's bytes to text: unpacked, decoded and with line feeds.

A file's name may be wrong, so its bytes decide. A byte order mark (BOM) of Unicode is obeyed, text that is valid UTF-8
is read as UTF-8, and compressed bytes are unpacked.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from darec.errors import DataError

# UTF-32's mark begins with UTF-16's.
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _zstd(data: bytes) -> bytes:
    return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())


# Suffix, the bytes that such a file begins with, and the function that unpacks it.
PACKED: Final[tuple[tuple[str, bytes, Callable[[bytes], bytes]], ...]] = (
    (".gz", rb"\x1f\x8b", gzip.decompress),
    (".zst", rb"\x28\xb5\x2f\xfd", _zstd),
    (".bz2", rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", bz2.decompress),
    (".xz", rb"\xfd7zXZ\x00", lzma.decompress),
)


class EmptyFileError(DataError):
    """A file that holds only blanks."""


@dataclass(frozen=True)
class Text:
    """A text file's content.

    Attributes:
        data: in UTF-8, each line ends with a line feed, without a byte order mark.
        notices: the assumptions that were made, one sentence each.
    """

    data: bytes
    notices: tuple[str, ...] = ()


def unpacked_name(path: Path) -> Path:
    """Return the path without the suffix of a compression: ``log.csv.gz`` becomes ``log.csv``."""
    packed = path.suffix.lower() in [suffix for suffix, _, _ in PACKED]
    return path.with_suffix("") if packed else path


def read_text(path: Path, encoding: str | None = None, *, otherwise: str | None = None) -> Text:
    """Read a text file.

    Args:
        path: a plain file, or one that is compressed by gzip, zstd, bzip2 or xz.
        encoding: of the file. None: that of its byte order mark, or UTF-8 without one. A mark wins over this argument.
        otherwise: the usual encoding of files of this kind that are not UTF-8, used if ``encoding`` is None.

    Raises:
        DataError: the file is empty, cut off or damaged, the encoding is unknown, or a byte does not fit it; with its
            line.
    """
    data, notices = _unpack(path, path.read_bytes())
    if not data or data.isspace():
        raise EmptyFileError(f"{path} is empty.")
    mark, marked = next((pair for pair in MARKS if data.startswith(pair[0])), (b"", None))
    data = data[len(mark) :] if marked == "utf-8" else data  # the others' decoders need the mark
    try:
        decoded = _decode(path, data, marked or encoding or "utf-8")
    except DataError:
        if otherwise is None or marked or encoding or _seems_wide(data):
            raise
        decoded = _decode(path, data, otherwise)
        notices += (f"{path} is not UTF-8 and was read as {otherwise}.",)
    if marked and not _name(encoding or "utf-8").startswith(marked):
        instead = f", and not as {encoding}" if encoding else ""
        notices += (
            f"{path} begins with the mark of {marked.upper()} and is read as such{instead}.",
        )
    elif encoding and not marked and decoded != data and _is_utf8(data):
        notices += (f"{path} is valid UTF-8, and was read as {encoding} as asked.",)
    data = _cleaned(path, decoded)
    if not data or data.isspace():
        raise EmptyFileError(f"{path} is empty.")
    return Text(data, notices)


def plain_text(path: Path, data: bytes, line: int, offset: int) -> bytes:
    """Clean some lines of a file in UTF-8 as :func:`read_text` cleans all of them.

    Args:
        path: for messages.
        data: whole lines.
        line: number of the first line.
        offset: bytes of the file before that line.

    Raises:
        DataError: a byte is not UTF-8, with its line.
    """
    return _cleaned(path, _decode(path, data, "utf-8", line, offset), line)


def _cleaned(path: Path, data: bytes, line: int = 1) -> bytes:
    """Return the text with line feeds and without marks. Raises ``DataError`` on NUL bytes."""
    _check_zeros(path, data, line)
    if codecs.BOM_UTF8 in data:  # marks inside come from files that were concatenated
        data = re.sub(rb"(?m)^\xef\xbb\xbf", b"", data)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def packing(path: Path, data: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the suffix that names the compression of some bytes, or "" if there is none; and the notices about it.

    Raises:
        DataError: the bytes are a ZIP archive.
    """
    if re.match(rb"PK\x03\x04", data):
        raise DataError(f"{path} is a ZIP archive: unpack it, and name the file inside.")
    for suffix, begin, _ in PACKED:
        named = path.suffix.lower() == suffix
        if re.match(begin, data):
            known = () if named else (f"{path} is compressed ({suffix}) and was unpacked.",)
            return suffix, known
        if named and not data.isspace():
            return "", (
                f"{path} is not compressed, although its name says so: it was read as plain text.",
            )
    return "", ()


def cut_off(path: Path, error: Exception) -> DataError:
    """Return the error of a compressed file that cannot be unpacked."""
    return DataError(
        f"{path} is cut off or damaged ({error}) and cannot be unpacked: get it again."
    )


def _unpack(path: Path, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    packed, notices = packing(path, data)
    for suffix, _, unpack in PACKED:
        if suffix == packed:
            try:
                return unpack(data), notices
            except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise cut_off(path, error) from None
    return data, notices


def _decode(path: Path, data: bytes, encoding: str, line: int = 1, offset: int = 0) -> bytes:
    """Return the text in UTF-8. Raises ``DataError`` that names the byte that does not fit."""
    if encoding == "utf-8" and data.isascii():
        return data
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        wide = " (it looks like UTF-16: utf-16-le or utf-16-be)" if _seems_wide(data) else ""
        raise DataError(
            f"{path}, line {line}: byte {data[error.start]:#04x} at offset {offset + error.start} is not {encoding}: "
            f"name the file's encoding with --encoding, for example latin-1{wide}."
        ) from None
    except (LookupError, UnicodeError, ValueError):
        raise DataError(f"no encoding {encoding!r}: try utf-8 or latin-1.") from None
    if encoding == "utf-8":
        return data
    try:
        return text.removeprefix("\ufeff").encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{path} is not text in {encoding}: name its encoding with --encoding."
        ) from None


def _name(encoding: str) -> str:
    return encoding.lower().replace("_", "-")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _seems_wide(data: bytes) -> bool:
    """Whether every other byte is zero, as in UTF-16 of European text."""
    start = data[:1000]
    return start.count(b"\0") > len(start) // 4


def _check_zeros(path: Path, data: bytes, line: int = 1) -> None:
    """Refuse NUL bytes. They come from UTF-16 without a mark, or from blocks that a crash left empty."""
    place = data.find(b"\0")
    if place < 0:
        return
    if _seems_wide(data):
        raise DataError(
            f"{path} looks like UTF-16 without a mark: pass --encoding utf-16-le (or utf-16-be)."
        )
    line += data.count(b"\n", 0, place)
    raise DataError(
        f"{path}, line {line}: a NUL byte ({data.count(0)} such): the file is damaged, or is not text. Get it "
        "again, or remove these bytes (tr -d '\\000')."
    )
