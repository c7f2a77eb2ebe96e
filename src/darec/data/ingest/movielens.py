"""MovieLens-1M (``ratings.dat``, ``movies.dat``) and -100K (``u.data``, ``u.item``, ``u.genre``) folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from darec.data.ingest.interactions import read_interactions
from darec.data.ingest.items import table_of_items
from darec.data.ingest.source import LINE, Columns, Source, SourceTable
from darec.data.ingest.tabular import decode, read_unquoted
from darec.errors import DataError

ENCODING: Final = "latin-1"
COLUMNS: Final = Columns("user", "item", "rating", "time")
FLAGS: Final = 5  # fields of u.item before the genres' flags: id, title, two dates, address


def is_folder(folder: Path) -> bool:
    """Whether the folder is one of these."""
    return (folder / "ratings.dat").exists() or (folder / "u.data").exists()


def read(folder: Path) -> Source:
    """Ratings with times, and the movies' titles and genres.

    Raises:
        DataError: a file that is missing, or a line with too few fields or no numbers.
    """
    if (folder / "ratings.dat").exists():
        ratings, movies = folder / "ratings.dat", folder / "movies.dat"
        records = [
            (number, line[0], line[1], line[2].split("|"))
            for number, line in _lines(movies, "::", 3)
        ]
        files: tuple[Path, ...] = (ratings, movies)
        separator = "::"
    else:
        ratings, movies, genre = folder / "u.data", folder / "u.item", folder / "u.genre"
        genres = [line[0] for _, line in _lines(genre, "|", 2)]
        records = [
            (
                number,
                line[0],
                line[1],
                [g for g, flag in zip(genres, line[FLAGS:], strict=True) if flag == "1"],
            )
            for number, line in _lines(movies, "|", FLAGS + len(genres))
        ]
        files = (ratings, movies, genre)
        separator = "\t"
    text = _decode(ratings)
    if "\t" in text and separator == "::":
        raise DataError(f"{ratings}: fields are separated by tabs where '::' was expected.")
    names = ["user", "item", "rating", "time"]
    table = SourceTable(str(ratings), read_unquoted(ratings, text.replace("::", "\t"), "\t", names))
    items = pl.DataFrame(
        records,
        schema={
            LINE: pl.UInt32,
            "item_id": pl.String,
            "title": pl.String,
            "genres": pl.List(pl.String),
        },
        orient="row",
    )
    known = table_of_items(SourceTable(str(movies), items), "item_id")
    source = read_interactions(table, COLUMNS)
    return replace(source, name=str(folder), files=files, items=known, columns={})


def _decode(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"no file {path}: the MovieLens folder is not complete.")
    return decode(path, ENCODING)


def _lines(path: Path, separator: str, n_fields: int) -> list[tuple[int, list[str]]]:
    """The number and the fields of each line."""
    found = []
    for number, line in enumerate(_decode(path).split("\n"), 1):
        fields = line.split(separator)
        if line and len(fields) != n_fields:
            raise DataError(
                f"{path}, line {number}: {len(fields)} fields where {n_fields} separated by {separator!r} were "
                "expected."
            )
        if line:
            found.append((number, fields))
    return found
