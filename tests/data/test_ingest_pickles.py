"""RLMRec's pickles: every way in which scipy and numpy write a matrix is read, and nothing else is, nor run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from darec.data.ingest import read_source
from darec.data.ingest.recorded import RefusedError, load_matrix
from darec.data.ingest.source import Columns
from darec.errors import ConfigError, DataError

DENSE = np.array([[1.0, 0, 2], [0, 0, 0], [0, 3, 0]])


class Call:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments, self.state


def matrix_with(**entries: Any) -> bytes:
    matrix = sp.coo_matrix(DENSE)
    matrix.__dict__.update(entries)
    return pickle.dumps(matrix)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<i8", "|i1", "|b1"])
@pytest.mark.parametrize("form", [sp.coo_matrix, sp.csr_matrix])
def test_matrices_of_all_number_types_are_read(
    form: type[sp.coo_matrix], dtype: str, protocol: int
) -> None:
    matrix = form(DENSE)
    matrix.data = matrix.data.astype(dtype)
    assert (load_matrix(pickle.dumps(matrix, protocol)).toarray() == DENSE.astype(dtype)).all()


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (b"scipy.sparse._coo\n", b"scipy.sparse.coo\n"),
        (b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"),
    ],
)
def test_names_of_older_versions_are_known(new: bytes, old: bytes) -> None:
    data = pickle.dumps(sp.coo_matrix(DENSE), 2)
    written, other = (new, old) if new in data else (old, new)  # numpy 1 writes the older
    assert written in data
    assert (load_matrix(data.replace(written, other)).toarray() == DENSE).all()


def test_a_state_of_row_and_col_as_older_scipy_wrote_it() -> None:
    matrix = sp.coo_matrix(DENSE)
    row, col = matrix.__dict__.pop("coords")
    matrix.__dict__.update(row=row, col=col)
    assert (load_matrix(pickle.dumps(matrix)).toarray() == DENSE).all()


def test_a_shape_of_numpy_scalars() -> None:
    assert load_matrix(matrix_with(_shape=(np.int64(5), np.int32(3)))).shape == (5, 3)


ATTACKS = {
    "system": Call(os.system, "touch pwned"),
    "eval": Call(eval, "open('pwned', 'w')"),
    "open": Call(open, "pwned", "w"),
    "Popen": Call(subprocess.Popen, ["touch", "pwned"]),
    "getattr": Call(getattr, "", "format"),
    "inside an array's state": Call(np.ndarray, (1,), state=Call(os.system, "touch pwned")),
    "as an argument of an allowed name": Call(np.dtype, Call(os.system, "touch pwned")),
    "as bytes": Call(np.frombuffer, b"12345678"),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["alone", "in a matrix"])
def test_what_is_not_allowed_is_refused_and_not_run(
    attack: str, place: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil: Any = ATTACKS[attack]
    if place == "in a matrix":
        matrix = sp.coo_matrix(DENSE)
        matrix.__dict__["data"] = evil
        evil = matrix
    data = pickle.dumps(evil, protocol)
    with pytest.raises(RefusedError):
        load_matrix(data)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'touch pwned'\ntR.",  # GLOBAL and REDUCE
        b"(S'touch pwned'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch pwned'\no.",  # OBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch pwned\x85R.",  # STACK_GLOBAL
        b"\x80\x02cnumpy\ndtype\n(\x8c\x0b__globals__tR.",
        b"cdarec.data.ingest.recorded\nload_matrix\n.",
        b"cscipy.sparse._coo\ncoo_matrix.__init__\n.",
        b"Psomewhere else\n.",  # a persistent reference
        b"\x82\x01.",  # an extension code
        b"cscipy.sparse._coo\ncoo_matrix\n(dS'data'\nI1\nsb.",  # BUILD on the class itself
        b"\x80\x02cscipy.sparse._coo\ncoo_matrix\n)\x81N}X\x09\x00\x00\x00__class__K\x01s\x86b.",
        b"",
        b"not a pickle",
    ],
)
def test_programs_written_by_hand(
    program: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefusedError):
        load_matrix(program)
    assert not (tmp_path / "pwned").exists()


def test_reading_imports_nothing_that_a_pickle_names() -> None:
    sys.modules.pop("antigravity", None)
    with pytest.raises(RefusedError, match=r"names antigravity\.fly"):
        load_matrix(b"cantigravity\nfly\n.")
    assert "antigravity" not in sys.modules


def test_the_dtypes_of_this_process_stay_as_they_are() -> None:
    """A pickle can ask numpy to change a dtype's state in place; only a note of that is taken."""
    load_matrix(matrix_with(data=np.arange(3, dtype=">f8")))
    assert np.dtype("f8").isnative and np.dtype("f8").itemsize == 8


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"data": np.array(["x", "y", "z"], object)}, "dtype 'O8' is not one of numbers"),
        ({"data": np.array(["x", "y", "z"])}, "dtype 'U1' is not one of numbers"),
        ({"data": np.zeros(3, [("a", "f8")])}, "dtype 'V8' is not one of numbers"),
        ({"data": np.array([1.0, np.nan, 1])}, "not finite"),
        ({"data": np.ones((3, 1))}, "several dimensions"),
        ({"data": np.ones(2)}, "not those of a matrix"),
        ({"data": [1.0, 1.0, 1.0]}, "an array is missing"),
        ({"coords": (np.array([0, 1, 3]), np.array([0, 0, 0]))}, "not those of a matrix"),
        ({"coords": (np.array([0, -1, 2]), np.array([0, 0, 0]))}, "not those of a matrix"),
        ({"coords": (np.array([0.0, 1, 2]), np.array([0, 0, 0]))}, "not whole numbers"),
        ({"coords": (np.array([0, 1, 2]),)}, "not those of a matrix"),
        ({"_shape": (3,)}, "not those of a matrix"),
        ({"_shape": (3, "3")}, "not hold whole numbers"),
        ({"_shape": (-3, 3)}, "not those of a matrix"),
    ],
)
def test_arrays_that_make_no_matrix(entries: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        load_matrix(matrix_with(**entries))


def test_csr_indices_out_of_range() -> None:
    matrix = sp.csr_matrix(DENSE)
    matrix.indices = np.array([0, 9, 1], np.int32)
    with pytest.raises(RefusedError, match="not those of a matrix"):
        load_matrix(pickle.dumps(matrix))


def test_every_cut_of_a_good_pickle_is_refused() -> None:
    data = pickle.dumps(sp.coo_matrix(DENSE))
    for length in range(len(data)):
        with pytest.raises(RefusedError):
            load_matrix(data[:length])


DEEP = b"\x80\x02)" + b"\x85" * 300_000  # a tuple in a tuple in a tuple
DOUBLED = b"\x80\x02)" + b"".join(
    b"q\x01h\x01\x86" for _ in range(60)
)  # t = (t, t), 60 times: 2^60 paths
IN_A_MATRIX = (
    b"\x80\x02cscipy.sparse._coo\ncoo_matrix\n)\x81}"
    b"X\x06\x00\x00\x00_shapeK\x03K\x03\x86sX\x04\x00\x00\x00data%bsb."
)
BOMBS = {
    "a memo of 16 GB": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a hash of 2^60 steps": b"\x80\x02}" + DOUBLED[2:] + b"K\x01s.",
    "a comparison of 2^60 steps": IN_A_MATRIX % (DOUBLED[2:]),
    "a dtype of 2^60 paths": IN_A_MATRIX
    % (b"cnumpy.core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\n" + DOUBLED[2:] + b"\x85RK\x00\x85tR"),
    "a shape of 2^60 paths": IN_A_MATRIX
    % (b"cnumpy.core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R" + DOUBLED[2:] + b"tR"),
    "depth": DEEP + b".",
    "depth in a matrix": IN_A_MATRIX % DEEP[2:],
    "a string said to be of 8 EB": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f" + b"x.",
    "an array said to be of 8 EB": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f" + b"x.",
    "a list in itself": b"]q\x00h\x00a.",
    "a dict in itself": b"}q\x00X\x01\x00\x00\x00ah\x00s.",
    "a number of 300,000 digits": b"L" + b"9" * 300_000 + b"L\n.",
    "marks": b"(" * 300_000 + b".",
    "a matrix of 10^4,000 rows": pickle.dumps(sp.coo_matrix(DENSE)).replace(
        b"_shape\x94K\x03K\x03", b"_shape\x94L" + b"9" * 4000 + b"L\nK\x03"
    ),
}  # fmt: skip
LIMITED = """
import pickle, resource, sys, time
from darec.data.ingest.recorded import RefusedError, load_matrix
bombs = pickle.load(sys.stdin.buffer)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, size + 2**28))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for name, bomb in bombs.items():
    began = time.process_time()
    try:
        load_matrix(bomb)
        print(name, "was taken for a matrix")
    except RefusedError:
        print(name, "took too long") if time.process_time() - began > 2 else None
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its size from /proc")
def test_what_would_take_all_memory_or_time_is_refused_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], input=pickle.dumps(BOMBS), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_steps_are_bounded() -> None:
    with pytest.raises(RefusedError, match="more than 10,000 steps"):
        load_matrix(b"(" + b"N" * 20_000 + b"t.")


def test_a_folder(tmp_path: Path) -> None:
    for name, cell in (("trn", (0, 0)), ("val", (0, 2)), ("tst", (2, 1))):
        matrix = sp.coo_matrix(([1.0, 0.0], ([cell[0], 1], [cell[1], 1])), shape=(3, 3))
        (tmp_path / f"{name}_mat.pkl").write_bytes(pickle.dumps(matrix))
    source = read_source(tmp_path, Columns())
    assert source.frame.select("user", "item", "split", "line").rows() == [
        ("0", "0", "train", 1),
        ("0", "2", "valid", 2),
        ("2", "1", "test", 3),
    ]  # what is stored as zero is no interaction
    with pytest.raises(ConfigError, match="columns of this folder are fixed"):
        read_source(tmp_path, Columns(user="u"))
    (tmp_path / "val_mat.pkl").unlink()
    with pytest.raises(DataError, match=r"no file .*val_mat\.pkl: an RLMRec folder holds"):
        read_source(tmp_path, Columns())
