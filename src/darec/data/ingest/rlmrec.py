"""RLMRec folders: the three splits as pickled ``scipy.sparse`` matrices, users by items."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import scipy.sparse as sp

from darec.data.ingest.recorded import RefusedError, load_matrix
from darec.data.ingest.source import Source
from darec.errors import DataError

SPLIT_FILES: Final = {"train": "trn_mat.pkl", "valid": "val_mat.pkl", "test": "tst_mat.pkl"}


def is_folder(folder: Path) -> bool:
    """Whether the folder is one of these."""
    return (folder / SPLIT_FILES["train"]).exists()


def read_matrix(path: Path) -> sp.coo_matrix:
    """Read one pickled sparse matrix.

    Raises:
        DataError: the file does not exist, the pickle holds anything else, or its arrays are not those of a matrix.
    """
    if not path.is_file():
        raise DataError(
            f"no file {path}: an RLMRec folder holds {', '.join(SPLIT_FILES.values())}."
        )
    try:
        return load_matrix(path.read_bytes())
    except RefusedError as error:
        raise DataError(
            f"{path} is refused, and nothing in it was run: a pickled scipy.sparse COO or CSR matrix was expected, and "
            f"{error}."
        ) from error


def read(folder: Path) -> Source:
    """Read the three matrices of an RLMRec folder. Ids are row and column numbers, non-zeros are interactions.

    The place of an interaction is its number in the order train, valid, test.

    Raises:
        DataError: as :func:`read_matrix`, or the matrices have different shapes.
    """
    frames = []
    shapes = {}
    for split, name in SPLIT_FILES.items():
        matrix = read_matrix(folder / name)
        shapes[name] = matrix.shape
        kept = matrix.data != 0
        pairs = pl.DataFrame({"user": matrix.row[kept], "item": matrix.col[kept]})
        frames.append(pairs.cast(pl.String).with_columns(pl.lit(split).alias("split")))
    if len(set(shapes.values())) > 1:
        sizes = ", ".join(f"{name} {shape[0]} x {shape[1]}" for name, shape in shapes.items())
        raise DataError(
            f"{folder}: matrices of different shapes ({sizes}): they must be of one data set."
        )
    frame = pl.concat(frames)
    frame = frame.with_columns(pl.Series("line", np.arange(1, len(frame) + 1, dtype=np.uint32)))
    files = tuple(folder / name for name in SPLIT_FILES.values())
    return Source(str(folder), frame, "entry", files)
