"""Reads a pickled ``scipy.sparse`` matrix without running the pickle.

:mod:`darec.data.ingest.pickle_notes` notes the content of the pickle. The code of this module builds the arrays from
the notes: numpy and scipy never get arguments from the file.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import scipy.sparse as sp

from darec.data.ingest.pickle_notes import Call, Name, RefusedError, read_notes

__all__ = ["RefusedError", "load_matrix"]

NUMBER: Final = re.compile(r"[biuf](1|2|4|8)")
LATIN1: Final = ("latin1", "latin-1")
NAMES: Final = {
    "numpy.ndarray": "type",  # an argument only
    "numpy.dtype": "dtype",  # (code, align, copy); the state's second entry is the byte order
    "_codecs.encode": "bytes",  # (text, "latin1"), in protocols up to 2
    **{
        f"numpy.{core}.{name}": kind
        for core in ("core", "_core")
        for name, kind in (
            # (ndarray, shape, code); the state is (version, shape, dtype, is_fortran, bytes)
            ("multiarray._reconstruct", "empty array"),
            ("multiarray.scalar", "scalar"),  # (dtype, bytes)
            # (bytes, dtype, shape, order), in protocol 5
            ("numeric._frombuffer", "array"),
        )
    },
    **{
        f"scipy.sparse.{module}.{kind}_{form}": "matrix"  # the state is its __dict__
        for kind in ("coo", "csr")
        for module in (kind, f"_{kind}")
        for form in ("matrix", "array")
    },
    # Protocols 0 and 1 make a matrix by _reconstructor(type, object, None).
    **dict.fromkeys(("copy_reg._reconstructor", "copyreg._reconstructor"), "instance"),
    **dict.fromkeys(("__builtin__.object", "builtins.object"), "type"),
}


def load_matrix(data: bytes) -> sp.coo_matrix:
    """Return the sparse matrix in a pickle, in COO or CSR form and of any protocol.

    Raises:
        RefusedError: the pickle holds anything else or is cut off, or its arrays are not those of a matrix.
    """
    found = read_notes(data, NAMES)
    if not _is_matrix(found) or not isinstance(found.state, dict):
        raise RefusedError("it holds no scipy.sparse matrix")
    try:
        return _build(found.state)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise RefusedError(f"its arrays are not those of a matrix: {error}") from error


def _is_matrix(noted: Any) -> bool:
    if isinstance(noted, Call) and noted.kind == "instance" and noted.arguments:
        made = noted.arguments[0]
        return isinstance(made, Name) and made.kind == "matrix"
    return isinstance(noted, Call) and noted.kind == "matrix"


def _build(state: dict[str, Any]) -> sp.coo_matrix:
    """Build the matrix from the state that some version of scipy wrote; scipy's constructor checks it."""
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
    """Return a vector of numbers from the note of an array."""
    if not isinstance(noted, Call):
        raise ValueError("an array is missing")
    if noted.kind == "empty array" and isinstance(noted.state, tuple):
        _, shape, dtype, _, data = noted.state
    elif noted.kind == "array":
        data, dtype, shape = noted.arguments[:3]
    else:
        raise ValueError("an array is missing")
    number = _dtype(dtype)
    array = np.frombuffer(_bytes(data), number)
    if shape != (len(array),):
        raise ValueError("an array has several dimensions, or its length differs from its shape")
    return array.astype(array.dtype.newbyteorder("="))


def _dtype(noted: Any) -> np.dtype[Any]:
    """Return the dtype; only those of plain numbers are accepted."""
    known = isinstance(noted, Call) and noted.kind == "dtype" and noted.arguments
    code = noted.arguments[0] if known else None
    if not isinstance(code, str) or not NUMBER.fullmatch(code):
        shown = repr(code[:20]) if isinstance(code, str) else "of a damaged array"
        raise ValueError(f"dtype {shown} is not one of numbers")
    order = noted.state[1] if isinstance(noted.state, tuple) and len(noted.state) > 1 else "="
    if order not in ("<", ">", "=", "|"):
        raise ValueError("an unknown byte order")
    return np.dtype(f"{order}{code}")


def _bytes(noted: Any) -> bytes:
    if isinstance(noted, Call) and noted.kind == "bytes":
        noted, coding = noted.arguments
        if coding not in LATIN1:
            raise ValueError("bytes in an encoding other than Latin-1")
    if isinstance(noted, str):  # protocol 2 of Python 2
        return noted.encode("latin1")
    if isinstance(noted, bytes | bytearray):
        return bytes(noted)
    raise ValueError("an array without bytes")


def _integer(noted: Any) -> int:
    if isinstance(noted, Call) and noted.kind == "scalar":
        dtype, data = noted.arguments
        return int(np.frombuffer(_bytes(data), _dtype(dtype))[0])
    if not isinstance(noted, int):
        raise ValueError("its shape does not hold whole numbers")
    return noted
