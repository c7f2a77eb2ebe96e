"""From a file's bytes to text: unpacked, decoded and with line feeds, whatever the file's name claims.

What a file is called may be wrong; its bytes decide. A mark of Unicode (BOM) is obeyed, text that is valid UTF-8 is
UTF-8, and compressed bytes are unpacked.
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


# Suffix, the bytes that such a file begins with, and what unpacks it.
PACKED: Final[tuple[tuple[str, bytes, Callable[[bytes], bytes]], ...]] = (
    (".gz", rb"\x1f\x8b", gzip.decompress),
    (".zst", rb"\x28\xb5\x2f\xfd", _zstd),
    (".bz2", rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", bz2.decompress),
    (".xz", rb"\xfd7zXZ\x00", lzma.decompress),
)


class EmptyFileError(DataError):
    """A file that holds nothing but blanks."""


@dataclass(frozen=True)
class Text:
    """A text file's content.

    Attributes:
        data: in UTF-8, lines ended by line feeds, without a mark of Unicode.
        notices: what was assumed, one sentence each.
    """

    data: bytes
    notices: tuple[str, ...] = ()


def unpacked_name(path: Path) -> Path:
    """The path without the suffix of a compression: ``log.csv.gz`` is ``log.csv``."""
    packed = path.suffix.lower() in [suffix for suffix, _, _ in PACKED]
    return path.with_suffix("") if packed else path


def read_text(path: Path, encoding: str | None = None, *, otherwise: str | None = None) -> Text:
    """Read a text file.

    Args:
        path: of a plain file, or one packed by gzip, zstd, bzip2 or xz.
        encoding: of the file; None: its mark's, else UTF-8. A mark wins over what is asked for.
        otherwise: the encoding of what is not UTF-8, where there is a usual one and none is asked for.

    Raises:
        DataError: an empty, cut or damaged file, an unknown encoding, or a byte that does not fit, with its line.
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
        notices += (f"{path} begins with the mark of {marked.upper()} and is read so{instead}.",)
    elif encoding and not marked and decoded != data and _is_utf8(data):
        notices += (f"{path} is valid UTF-8, and was read as {encoding} as asked.",)
    data = _cleaned(path, decoded)
    if not data or data.isspace():
        raise EmptyFileError(f"{path} is empty.")
    return Text(data, notices)


def plain_text(path: Path, data: bytes, line: int, offset: int) -> bytes:
    """Some lines of a file in UTF-8 as :func:`read_text` gives them all.

    Args:
        path: for messages.
        data: whole lines.
        line: number of the first.
        offset: bytes before it.

    Raises:
        DataError: a byte that does not fit, with its line.
    """
    return _cleaned(path, _decode(path, data, "utf-8", line, offset), line)


def _cleaned(path: Path, data: bytes, line: int = 1) -> bytes:
    """Text with line feeds and without marks. Raises ``DataError`` on NUL bytes."""
    _check_zeros(path, data, line)
    if codecs.BOM_UTF8 in data:  # of files that were put one behind the other
        data = re.sub(rb"(?m)^\xef\xbb\xbf", b"", data)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def packing(path: Path, data: bytes) -> tuple[str, tuple[str, ...]]:
    """How bytes are compressed, as the suffix of such files; "" if they are not. And what to tell of it.

    Raises:
        DataError: they are a ZIP archive.
    """
    if re.match(rb"PK\x03\x04", data):
        raise DataError(f"{path} is a ZIP archive: unpack it, and name the file inside.")
    for suffix, begin, _ in PACKED:
        named = path.suffix.lower() == suffix
        if re.match(begin, data):
            known = () if named else (f"{path} is compressed ({suffix}) and was unpacked.",)
            return suffix, known
        if named and not data.isspace():
            return "", (f"{path} is not compressed, whatever its name says: read as it is.",)
    return "", ()


def cut_off(path: Path, error: Exception) -> DataError:
    """The error of a compressed file that cannot be unpacked."""
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
    """The text in UTF-8. Raises ``DataError`` naming the byte that does not fit."""
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
        raise DataError(f"{path} is no text in {encoding}: name its encoding.") from None


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
    """Refuse NUL bytes, which no text has: UTF-16 without a mark, or blocks that a crash left empty."""
    place = data.find(b"\0")
    if place < 0:
        return
    if _seems_wide(data):
        raise DataError(
            f"{path} looks like UTF-16 without a mark: pass --encoding utf-16-le (or utf-16-be)."
        )
    line += data.count(b"\n", 0, place)
    raise DataError(
        f"{path}, line {line}: a NUL byte ({data.count(0)} such): the file is damaged, or no text. Get it again, or "
        "take them out (tr -d '\\000')."
    )
