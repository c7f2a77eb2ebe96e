"""RLMRec folders: pickled ``scipy.sparse`` matrices, read by an unpickler that can build nothing else.

A pickle is a program. This reader runs it with every name taken away but those that a sparse matrix of numbers is made
of; any other name ends the reading before anything is called. What comes out is then checked: plain numeric arrays of
fitting shapes.
"""

from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import scipy.sparse as sp

from darec.data.ingest.source import Source
from darec.errors import DataError

SPLIT_FILES: Final = {"train": "trn_mat.pkl", "valid": "val_mat.pkl", "test": "tst_mat.pkl"}


class _Matrix:
    """Stands in for a scipy matrix: takes the state and does nothing with it."""

    state: dict[str, Any]

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes as protocol 2 writes them: ``_codecs.encode(text, "latin1")``, and no other codec."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("an encoded value that is not latin1 text")
    return text.encode("latin1")


def _dtype(*arguments: Any) -> np.dtype[Any]:
    """A number's dtype, as ``numpy.dtype(code, align, copy)`` is called in pickles."""
    if not arguments or not isinstance(arguments[0], str):
        raise pickle.UnpicklingError("a dtype that is not named by a string")
    dtype = np.dtype(arguments[0])
    if dtype.kind not in "iufb":
        raise pickle.UnpicklingError(f"an array of dtype {arguments[0]!r}, which is not a number")
    return dtype


def _reconstruct(kind: Any, shape: Any, code: Any) -> np.ndarray[Any, Any]:
    """An empty array to be filled by its state, as ``numpy._core.multiarray._reconstruct`` makes it."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("an array type other than numpy.ndarray")
    return np.ndarray((0,), np.int8)


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iufb" or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a scalar that is not a number")
    return np.frombuffer(data, dtype)[0]


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    """An array from its bytes, as protocol 5 writes it."""
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iufb":
        raise pickle.UnpicklingError("an array that is not of numbers")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if order == "F" else "C")


ALLOWED: Final[dict[tuple[str, str], Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): stand_in
        for core in ("core", "_core")
        for name, stand_in in (("_reconstruct", _reconstruct), ("scalar", _scalar))
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    **{
        (f"scipy.sparse.{module}", f"{kind}_{form}"): _Matrix
        for kind in ("coo", "csr")
        for module in (kind, f"_{kind}")
        for form in ("matrix", "array")
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the name {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a reference to something outside the file")


def read_matrix(path: Path) -> sp.coo_matrix:
    """One pickled sparse matrix.

    Raises:
        DataError: no such file; a pickle that holds or calls anything else; arrays that make no matrix.
    """
    if not path.is_file():
        raise DataError(
            f"no file {path}: an RLMRec folder holds {', '.join(SPLIT_FILES.values())}."
        )
    try:
        found = _Unpickler(BytesIO(path.read_bytes())).load()
    except Exception as error:  # the file's program may fail in any way; it has done nothing
        raise DataError(
            f"{path} is refused: a pickled sparse matrix was expected, and it holds {error}. Nothing in it was run."
        ) from error
    if not isinstance(found, _Matrix):
        raise DataError(f"{path} is refused: it holds no scipy.sparse matrix.")
    try:
        return _build(found.state)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: its arrays make no matrix ({error}).") from error


def _build(state: dict[str, Any]) -> sp.coo_matrix:
    shape = state.get("_shape", state.get("shape"))
    rows, columns = (int(size) for size in shape)  # type: ignore[union-attr]
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    for name, array in arrays.items():
        if array.ndim != 1 or array.dtype.kind not in "iufb":
            raise ValueError(f"{name} is not a row of numbers")
    data = arrays["data"]
    if "indptr" in arrays:
        matrix = sp.csr_matrix((data, arrays["indices"], arrays["indptr"]), shape=(rows, columns))
        matrix.check_format()
        return matrix.tocoo()
    coords = state.get("coords")
    row, column = coords if coords is not None else (arrays["row"], arrays["col"])
    for index in (row, column):
        if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
            raise ValueError("its indices are not whole numbers")
    return sp.coo_matrix((data, (row, column)), shape=(rows, columns))


def read(folder: Path) -> Source:
    """The three matrices of an RLMRec folder; ids are row and column numbers, non-zeros are interactions.

    Raises:
        DataError: as :func:`read_matrix`; matrices of different shapes.
    """
    frames = []
    shapes = {}
    for split, name in SPLIT_FILES.items():
        matrix = read_matrix(folder / name)
        shapes[name] = matrix.shape
        kept = matrix.data != 0
        rows, columns = matrix.row[kept], matrix.col[kept]
        frames.append(
            pl.DataFrame(
                {
                    "user": pl.Series(rows).cast(pl.String),
                    "item": pl.Series(columns).cast(pl.String),
                    "split": pl.Series([split]).new_from_index(0, len(rows)),
                    "line": np.arange(1, len(rows) + 1, dtype=np.uint32),
                }
            )
        )
    if len(set(shapes.values())) > 1:
        sizes = ", ".join(f"{name} {shape[0]} x {shape[1]}" for name, shape in shapes.items())
        raise DataError(f"{folder}: matrices of different shapes ({sizes}).")
    files = tuple(folder / name for name in SPLIT_FILES.values())
    return Source(folder.name, pl.concat(frames), files)
