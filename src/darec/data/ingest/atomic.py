"""RecBole atomic files: tab-separated, with a type behind each column's name (``user_id:token``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from darec.data.ingest.columns import SPLIT_NAMES
from darec.data.ingest.interactions import read_interactions
from darec.data.ingest.source import LINE, Columns, Reading, Source, SourceTable
from darec.data.ingest.tabular import one_table, read_table
from darec.errors import DataError

TYPES: Final = ("token", "token_seq", "float", "float_seq")


def read(path: Path, columns: Columns, reading: Reading) -> Source:
    """Read a ``.inter`` file, or the folder that holds one. The items come from a ``.item`` file beside it.

    RecBole's benchmark files (``NAME.train.inter``, ``NAME.valid.inter``, ``NAME.test.inter``) become the splits of the
    dataset.

    Args:
        path: file or folder.
        columns: names of columns, without their types.
        reading: how the files are read.

    Raises:
        DataError: the folder holds several ``.inter`` files that are not the parts of a split, a header has no types,
            or a table cannot be read.
    """
    files = _files(path) if path.is_dir() else {"": path}
    tables = [_read(file, reading, split) for split, file in files.items()]
    source = read_interactions(one_table(path, tables), columns, reading)
    splits = _split_files(sorted(path.parent.glob("*.inter")))
    if path in splits.values():
        others = ", ".join(file.name for file in splits.values() if file != path)
        told = f"{path} was read alone: name its folder to read {others} as the other splits."
        source = replace(source, notices=(*source.notices, told))
    first = next(iter(files.values()))
    names = [first.name.removesuffix(".inter")]
    names.append(names[0].rpartition(".")[0])  # NAME.train.inter goes with NAME.item
    for beside in (first.with_name(f"{name}.item") for name in names):
        if beside.exists():
            return replace(source, items=_read(beside, reading))
    return source


def _files(folder: Path) -> dict[str, Path]:
    """Return the one file of a folder, or the file of each split."""
    found = sorted(folder.glob("*.inter"))
    files = _split_files(found) if len(found) > 1 else {"": found[0]}
    if not files:
        names = ", ".join(file.name for file in found)
        raise DataError(
            f"{folder} holds several .inter files ({names}), and they are not NAME.train.inter, NAME.valid.inter and "
            "NAME.test.inter: name one."
        )
    return files


def _split_files(found: list[Path]) -> dict[str, Path]:
    """Return the file of each split; empty if the files are not the splits of one data set."""
    names = [file.name.removesuffix(".inter").rpartition(".") for file in found]
    files = {part: file for (_, _, part), file in zip(names, found, strict=True)}
    splits = {SPLIT_NAMES.get(part.lower()) for part in files}
    whole = None not in splits and "train" in splits and len(splits) == len(found)
    return files if whole and len({name for name, _, _ in names}) == 1 else {}


def _read(path: Path, reading: Reading, split: str = "") -> SourceTable:
    """Return the table with names without types. Sequences of tokens stay text: a title is such a sequence."""
    table = read_table(path, reading)
    typed = {name: name.rpartition(":") for name in table.columns}
    untyped = [name for name, (_, _, kind) in typed.items() if kind not in TYPES]
    if untyped:
        raise DataError(
            f"{path}, line 1: column {untyped[0]!r} has no type: write NAME:TYPE with one of {', '.join(TYPES)}."
        )
    names = [plain for plain, _, _ in typed.values()]
    if len(set(names)) < len(names):
        raise DataError(f"{path}, line 1: a column's name occurs twice: rename one.")
    frame = table.frame.select(
        pl.col(LINE),
        *(pl.col(name).alias(plain) for name, (plain, _, _) in typed.items()),
    )
    return replace(table, frame=frame.with_columns(split=pl.lit(split)) if split else frame)
