"""Write files atomically."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError

from darec.errors import FolderError

DAMAGE: Final = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    pl.exceptions.PolarsError,
)
"""Errors from reading a file that was cut short or edited."""


_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def partial_of(path: Path) -> Path:
    """The temporary name of a file until it is complete."""
    return path.with_name(f".{path.name}.partial")


def is_free(folder: Path) -> bool:
    """Whether a folder does not exist, or only has a lock file and unfinished files of a killed writer."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(
        entry.name == ".lock" or (entry.name.startswith(".") and entry.name.endswith(".partial"))
        for entry in folder.iterdir()
    )


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file under another name, flush it to disk, then rename it into place.

    A kill or a full disk at any moment leaves the earlier file as it was.

    Raises:
        FolderError: a folder has that name.
    """
    if path.is_dir():
        raise FolderError(f"{path} is a folder: name a file.")
    partial = partial_of(path)
    try:
        with writing(path), partial.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame as Parquet, atomically."""
    write_atomic(path, parquet_bytes(frame))


def write_array(handle: IO[bytes], array: NDArray[Any]) -> None:
    """Write numbers as ``.npy``. On a full disk, ``np.save`` would only report how many it could not write."""
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(handle, np.lib.format.header_data_from_array_1_0(array))
    handle.write(array.data if array.size else b"")


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet bytes. If polars writes a file itself, its error for a full disk does not name the file."""
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of names, to disk before anything that depends on it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def json_value(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ``ValueError``, also if it is nested too deeply for Python."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_json(text: str | bytes) -> dict[str, Any]:
    """The object of a JSON text. Raises ``ValueError`` like :func:`json_value`, and for another type of value."""
    value = json_value(text)
    if not isinstance(value, dict):
        raise ValueError(f"it holds {type(value).__name__} where a JSON object is expected")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ``OSError``, or the errors of :func:`parse_json`."""
    return parse_json(path.read_bytes())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Add the file's name to an ``OSError``; on a full disk the system does not name it.

    Errors of polars, safetensors and faiss that come from the system become an ``OSError``.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, SafetensorError, RuntimeError) as error:
        number = _errno(error)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _errno(error: Exception) -> int | None:
    """Return the number of the system's error; None if there is none."""
    said = re.search(r"\(os error (\d+)\)", str(error))
    number = getattr(error, "errno", None) or (int(said[1]) if said else None)
    if number is None and isinstance(error, RuntimeError):  # faiss quotes the system's message
        return next((code for code in _FULL if f"({os.strerror(code)})" in str(error)), None)
    return number


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
