"""Files that are whole or not there, and errors that say of which file they are."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors import SafetensorError

from darec.errors import FolderError
from darec.files import (
    is_free,
    parquet_bytes,
    parse_json,
    read_json,
    write_array,
    write_atomic,
    writing,
)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("No space left on device (os error 28)"),
        pl.exceptions.ComputeError(
            "parquet: underlying IO error: No space left on device (os error 28)"
        ),
        SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        ),
        RuntimeError(
            "'ret == size' failed: write error in x: 4051 != 1600000 (No space left on device)"
        ),
    ],
)
def test_an_error_of_writing_says_of_which_file(error: Exception) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught, writing(Path("a/b")):
        raise error
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "a/b")


def test_other_errors_stay_what_they_are() -> None:
    known = OSError(errno.EACCES, "Permission denied", "elsewhere")
    for error in (
        known,
        pl.exceptions.ComputeError("no such column"),
        ValueError("x"),
        RuntimeError("x"),
    ):
        with pytest.raises(type(error)) as caught, writing(Path("a/b")):
            raise error
        assert caught.value is error


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=f"{tmp_path} is a folder: name a file"):
        write_atomic(tmp_path, "x")
    with pytest.raises(FolderError, match="/ is a folder"):
        write_atomic(Path("/"), "x")


def test_arrays_and_frames_read_back_equal(tmp_path: Path) -> None:
    for array in (np.arange(6.0).reshape(2, 3).T, np.zeros((0, 4), np.float16), np.float32([1, 2])):
        with (tmp_path / "a.npy").open("wb") as handle:
            write_array(handle, array)
        read = np.load(tmp_path / "a.npy", allow_pickle=False)
        assert read.dtype == array.dtype and np.array_equal(read, array)
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "é"]})
    (tmp_path / "a.parquet").write_bytes(parquet_bytes(frame))
    assert pl.read_parquet(tmp_path / "a.parquet").equals(frame)


def test_json_is_an_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}
    for text, said in (
        ("[1]", "holds list"),
        ("null", "NoneType"),
        ("[" * 10**5, "deeply"),
        ("{", "Expecting"),
    ):
        with pytest.raises(ValueError, match=said):
            parse_json(text)
    with pytest.raises(ValueError, match="codec can't decode"):
        parse_json(b'{"a": "\xff"}')


def test_what_a_killed_writer_left_is_no_obstacle(tmp_path: Path) -> None:
    assert is_free(tmp_path / "none") and is_free(tmp_path)
    for name in (".lock", ".config.yaml.partial"):
        (tmp_path / name).touch()
    assert is_free(tmp_path)
    (tmp_path / ".hidden").touch()
    assert not is_free(tmp_path)
    assert not is_free(tmp_path / ".hidden")
