"""MovieLens folders: 100K (``u.data``), 1M and 10M (``ratings.dat``), 20M and later (``ratings.csv``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from darec.data.ingest.decoding import Text, read_text
from darec.data.ingest.delimited import cut_lines
from darec.data.ingest.interactions import read_interactions
from darec.data.ingest.source import LINE, Columns, Reading, Source, SourceTable
from darec.data.ingest.tabular import read_table
from darec.errors import DataError

ENCODING: Final = "latin-1"  # encoding of the files that are not UTF-8: those of 100K and 1M
COLUMNS: Final = Columns("user", "item", "rating", "time")
FLAGS: Final = 5  # fields of u.item before the genres' flags: id, title, two dates, address


def is_folder(folder: Path) -> bool:
    """Whether the folder is one of these."""
    csv = (folder / "ratings.csv").exists() and (folder / "movies.csv").exists()
    return csv or (folder / "ratings.dat").exists() or (folder / "u.data").exists()


def read(folder: Path, reading: Reading | None = None) -> Source:
    """Read ratings with times, and the movies' titles and genres.

    Args:
        folder: that holds the files.
        reading: which columns are needed and which are ignored; the files' bytes say how they are written.

    Raises:
        DataError: a file is missing, or a line has too few fields or fields that are not numbers.
    """
    if (folder / "ratings.dat").exists():
        ratings, movies = _read_dat(folder)
    elif (folder / "u.data").exists():
        ratings, movies = _read_100k(folder)
    else:
        ratings, movies = read_table(folder / "ratings.csv"), read_table(folder / "movies.csv")
        if "genres" in movies.columns:
            genres = pl.col("genres").str.split("|")
            movies = replace(movies, frame=movies.frame.with_columns(genres))
    columns = Columns() if (folder / "ratings.csv") in ratings.files else COLUMNS
    source = read_interactions(ratings, columns, reading)
    return replace(source, items=movies, columns={})


def _read_dat(folder: Path) -> tuple[SourceTable, SourceTable]:
    ratings, movies = folder / "ratings.dat", folder / "movies.dat"
    text, about = _text(ratings), _text(movies)
    if b"\t" in text.data:
        raise DataError(f"{ratings}: fields are separated by tabs where '::' was expected.")
    records = [
        (number, line[0], line[1], line[2].split("|"))
        for number, line in _lines(movies, about, "::", 3)
    ]
    text = replace(text, data=text.data.replace(b"::", b"\t"))
    return _ratings(ratings, text), _movies(records, (movies,), about)


def _read_100k(folder: Path) -> tuple[SourceTable, SourceTable]:
    ratings, movies, genre = folder / "u.data", folder / "u.item", folder / "u.genre"
    about = _text(movies)
    genres = [line[0] for _, line in _lines(genre, _text(genre), "|", 2)]
    records = [
        (
            number,
            line[0],
            line[1],
            [g for g, flag in zip(genres, line[FLAGS:], strict=True) if flag == "1"],
        )
        for number, line in _lines(movies, about, "|", FLAGS + len(genres))
    ]
    return _ratings(ratings, _text(ratings)), _movies(records, (movies, genre), about)


def _ratings(path: Path, text: Text) -> SourceTable:
    frame = cut_lines(path, text.data, "\t", ("user", "item", "rating", "time"))
    return SourceTable(str(path), frame, files=(path,), notices=text.notices)


def _movies(
    records: list[tuple[int, str, str, list[str]]], files: tuple[Path, ...], text: Text
) -> SourceTable:
    schema: dict[str, Any] = {
        LINE: pl.UInt32,
        "item_id": pl.String,
        "title": pl.String,
        "genres": pl.List(pl.String),
    }
    frame = pl.DataFrame(records, schema=schema, orient="row")
    return SourceTable(str(files[0]), frame, files=files, notices=text.notices)


def _text(path: Path) -> Text:
    if not path.is_file():
        raise DataError(f"no file {path}: the MovieLens folder is not complete.")
    return read_text(path, otherwise=ENCODING)


def _lines(path: Path, text: Text, separator: str, n_fields: int) -> list[tuple[int, list[str]]]:
    """Yield the number and the fields of each line."""
    found = []
    for number, line in enumerate(text.data.decode().split("\n"), 1):
        fields = line.split(separator)
        if line and len(fields) != n_fields:
            raise DataError(
                f"{path}, line {number}: {len(fields)} fields where {n_fields} separated by {separator!r} were "
                "expected."
            )
        if line:
            found.append((number, fields))
    return found
