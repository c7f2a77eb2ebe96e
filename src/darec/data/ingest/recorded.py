"""Reading a pickled ``scipy.sparse`` matrix without running the program that a pickle is.

Of all names that a pickle may call, the few that a sparse matrix of numbers is made of are each replaced by a class
that notes its arguments and does nothing; any other name ends the reading before anything is called. The arrays are
built afterwards, from the notes, by code of this module: numpy and scipy never see what the file would have passed.
"""

from __future__ import annotations

import pickle
import re
from io import BytesIO
from typing import Any, ClassVar, Final

import numpy as np
import scipy.sparse as sp

NUMBER: Final = re.compile(r"[biuf](1|2|4|8)")
LATIN1: Final = ("latin1", "latin-1")


class RefusedError(Exception):
    """What the file holds is no sparse matrix of numbers."""


class _Noted:
    """A call that was noted instead of made."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> _Noted:
        self = object.__new__(cls)
        self.arguments = arguments
        self.state = None
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Type(_Noted):
    """``numpy.ndarray``, which pickles name as an argument only."""


class _Bytes(_Noted):
    """``_codecs.encode(text, "latin1")``: bytes, as protocols up to 2 write them."""


class _Dtype(_Noted):
    """``numpy.dtype(code, align, copy)``; the state's second entry is the byte order."""


class _Scalar(_Noted):
    """``multiarray.scalar(dtype, bytes)``."""


class _Empty(_Noted):
    """``multiarray._reconstruct(ndarray, shape, code)``; the state is (version, shape, dtype, is_fortran, bytes)."""


class _Filled(_Noted):
    """``numeric._frombuffer(bytes, dtype, shape, order)``, as protocol 5 writes arrays."""


class _Matrix(_Noted):
    """A scipy matrix or array; the state is its ``__dict__``."""


class _Unpickler(pickle.Unpickler):
    allowed: ClassVar[dict[tuple[str, str], type[_Noted]]] = {
        ("numpy", "ndarray"): _Type,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _Bytes,
        **{
            (f"numpy.{core}.{module}", name): noted
            for core in ("core", "_core")
            for module, name, noted in (
                ("multiarray", "_reconstruct", _Empty),
                ("multiarray", "scalar", _Scalar),
                ("numeric", "_frombuffer", _Filled),
            )
        },
        **{
            (f"scipy.sparse.{module}", f"{kind}_{form}"): _Matrix
            for kind in ("coo", "csr")
            for module in (kind, f"_{kind}")
            for form in ("matrix", "array")
        },
    }

    def find_class(self, module: str, name: str) -> type[_Noted]:
        try:
            return self.allowed[module, name]
        except KeyError:
            raise RefusedError(f"it names {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise RefusedError("it refers to something outside the file")


def load_matrix(data: bytes) -> sp.coo_matrix:
    """The sparse matrix in a pickle, of form COO or CSR and of any protocol.

    Raises:
        RefusedError: the pickle names anything else, is cut short, or its arrays make no matrix.
    """
    try:
        found = _Unpickler(BytesIO(data), encoding="latin1").load()
    except RefusedError:
        raise
    except Exception as error:  # the file's program may fail in any way; it has called nothing
        raise RefusedError(f"it is damaged or no pickle ({error})") from error
    if not isinstance(found, _Matrix) or not isinstance(found.state, dict):
        raise RefusedError("it holds no scipy.sparse matrix")
    try:
        return _build(found.state)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise RefusedError(f"its arrays make no matrix: {error}") from error


def _build(state: dict[str, Any]) -> sp.coo_matrix:
    """The matrix of a state as scipy of some version wrote it, checked by scipy's own constructor."""
    n_rows, n_columns = (_integer(size) for size in state.get("_shape", state.get("shape", ())))
    data = _array(state["data"])
    if not np.isfinite(data).all():
        raise ValueError("a value is not finite")
    if "indptr" in state:
        indices, indptr = _indices(state["indices"]), _indices(state["indptr"])
        csr = sp.csr_matrix((data, indices, indptr), shape=(n_rows, n_columns))
        csr.check_format(full_check=True)
        return csr.tocoo()
    coords = state["coords"] if "coords" in state else (state["row"], state["col"])
    rows, columns = (_indices(index) for index in coords)
    return sp.coo_matrix((data, (rows, columns)), shape=(n_rows, n_columns))


def _indices(noted: Any) -> np.ndarray[Any, Any]:
    array = _array(noted)
    if array.dtype.kind not in "iu":
        raise ValueError("its indices are not whole numbers")
    return array


def _array(noted: Any) -> np.ndarray[Any, Any]:
    """A row of numbers from the note of an array."""
    if isinstance(noted, _Empty) and isinstance(noted.state, tuple):
        _, shape, dtype, _, data = noted.state
    elif isinstance(noted, _Filled):
        data, dtype, shape = noted.arguments[:3]
    else:
        raise ValueError("an array is missing")
    number = _dtype(dtype)
    array = np.frombuffer(_bytes(data), number)
    if shape != (len(array),):
        raise ValueError("an array is not one row, or its length is not what it says")
    return array.astype(array.dtype.newbyteorder("="))


def _dtype(noted: Any) -> np.dtype[Any]:
    """The dtype of plain numbers."""
    code = noted.arguments[0] if isinstance(noted, _Dtype) and noted.arguments else None
    if not isinstance(code, str) or not NUMBER.fullmatch(code):
        raise ValueError(f"dtype {code!r} is not of numbers")
    order = noted.state[1] if isinstance(noted.state, tuple) and len(noted.state) > 1 else "="
    if order not in ("<", ">", "=", "|"):
        raise ValueError(f"byte order {order!r} is none")
    return np.dtype(f"{order}{code}")


def _bytes(noted: Any) -> bytes:
    if isinstance(noted, _Bytes) and noted.arguments[1:] in ((name,) for name in LATIN1):
        noted = noted.arguments[0]
    if isinstance(noted, str):  # protocol 2 of Python 2
        return noted.encode("latin1")
    if isinstance(noted, bytes | bytearray):
        return bytes(noted)
    raise ValueError("an array without bytes")


def _integer(noted: Any) -> int:
    if isinstance(noted, _Scalar):
        dtype, data = noted.arguments
        return int(np.frombuffer(_bytes(data), _dtype(dtype))[0])
    if not isinstance(noted, int):
        raise ValueError("its shape is not of whole numbers")
    return noted
