"""MovieLens-1M (``ratings.dat``, ``movies.dat``) and -100K (``u.data``, ``u.item``, ``u.genre``) folders."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from darec.data.ingest.source import Source
from darec.errors import DataError


def read(folder: Path) -> Source:
    """Ratings with times, and the movies' titles and genres.

    Raises:
        DataError: a file that is missing, or a line with too few fields or no numbers.
    """
    if (folder / "ratings.dat").exists():
        ratings, movies = folder / "ratings.dat", folder / "movies.dat"
        frame = _ratings(ratings, "::")
        records = [(line[0], line[1], line[2].split("|")) for line in _lines(movies, "::", 3)]
        files: tuple[Path, ...] = (ratings, movies)
    else:
        ratings, movies, genre = folder / "u.data", folder / "u.item", folder / "u.genre"
        frame = _ratings(ratings, "\t")
        genres = [line[0] for line in _lines(genre, "|", 2)]
        records = [
            (
                line[0],
                line[1],
                [g for g, flag in zip(genres, line[5:], strict=False) if flag == "1"],
            )
            for line in _lines(movies, "|", 5)
        ]
        files = (ratings, movies, genre)
    items = pl.DataFrame(
        records,
        schema={"item_id": pl.String, "title": pl.String, "genres": pl.List(pl.String)},
        orient="row",
    )
    return Source(folder.name, frame, files, items)


def _ratings(path: Path, separator: str) -> pl.DataFrame:
    lines = _lines(path, separator, 4)
    frame = pl.DataFrame(
        [line[:4] for line in lines],
        schema=dict.fromkeys(("user", "item", "rating", "time"), pl.String),
        orient="row",
    ).with_row_index("line", offset=1)
    numbers = frame.with_columns(pl.col("rating", "time").cast(pl.Float64, strict=False))
    bad = numbers.filter(pl.col("rating").is_null() | pl.col("time").is_null())
    if len(bad):
        raise DataError(f"{path}, line {bad['line'][0]}: rating or time is not a number.")
    return numbers


def _lines(path: Path, separator: str, n_fields: int) -> list[list[str]]:
    if not path.is_file():
        raise DataError(f"no file {path}: the MovieLens folder is not complete.")
    lines = [line.split(separator) for line in path.read_text(encoding="latin-1").splitlines()]
    if not lines:
        raise DataError(f"{path} is empty.")
    for number, line in enumerate(lines, 1):
        if len(line) < n_fields and line != [""]:
            raise DataError(
                f"{path}, line {number}: {len(line)} fields where {n_fields} separated by {separator!r} were expected."
            )
    return [line for line in lines if line != [""]]
