"""Writing files so that they are whole or not there."""

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
"""What reading a file raises that was cut short or edited."""


_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def partial_of(path: Path) -> Path:
    """Where something stands under another name until it is whole."""
    return path.with_name(f".{path.name}.partial")


def is_free(folder: Path) -> bool:
    """Whether a folder is not there, or holds nothing but a lock file and what a killed writer did not finish."""
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
    """Write numbers as ``.npy``. ``np.save`` says of a full disk only how many it could not write."""
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(handle, np.lib.format.header_data_from_array_1_0(array))
    handle.write(array.data if array.size else b"")


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet. Written by polars itself, a full disk is an error of its own kind without the file."""
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def sync(path: Path) -> None:
    """Have a file, or a folder's list of names, on disk before anything that depends on it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def json_value(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ``ValueError``, also where it is nested so deeply that Python gives up."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_json(text: str | bytes) -> dict[str, Any]:
    """The object that a JSON text is. Raises ``ValueError`` as :func:`json_value`, and on another value."""
    value = json_value(text)
    if not isinstance(value, dict):
        raise ValueError(f"it holds {type(value).__name__} where an object of JSON belongs")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ``OSError``, or as :func:`parse_json`."""
    return parse_json(path.read_bytes())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Have an ``OSError`` say of which file it is, as the system does not on a full disk.

    What polars, safetensors and faiss raise where the system refuses to write becomes an ``OSError``.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, SafetensorError, RuntimeError) as error:
        number = _errno(error)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _errno(error: Exception) -> int | None:
    """Number of what the system said; None where it said nothing."""
    said = re.search(r"\(os error (\d+)\)", str(error))
    number = getattr(error, "errno", None) or (int(said[1]) if said else None)
    if number is None and isinstance(
        error, RuntimeError
    ):  # of faiss, which quotes the system's words
        return next((code for code in _FULL if f"({os.strerror(code)})" in str(error)), None)
    return number


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
