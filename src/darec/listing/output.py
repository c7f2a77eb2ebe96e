"""A file of lists that is written atomically, and whose writing can be resumed after a kill.

Lists are written part by part into ``.NAME.partial`` in the same folder. When all parts are finished, they are joined
one at a time, and the file is renamed into place. The folder of parts records the request to which they belong.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from darec.errors import ConfigError, FolderError
from darec.files import json_value, partial_of, sync, write_json, writing
from darec.lock import locked
from darec.spreadsheet import safe_column

_ABOUT: Final = "request.json"
FORMATS: Final = (".parquet", ".csv", ".jsonl")


class ListFile:
    """A file of lists while it is written.

    Args:
        path: the file; its ending gives the format.
        safe: in CSV, mark cells as text that a spreadsheet would run as a formula.
    """

    def __init__(self, path: Path, *, safe: bool = False) -> None:
        self.path, self.safe, self.format = path, safe, path.suffix.lower()
        self.folder = partial_of(path)
        self.done: dict[int, tuple[int, int]] = {}
        self._request = ""

    def check(self, *, overwrite: bool) -> None:
        """Raise ``ConfigError`` for another ending, and ``FolderError`` if the file may not be written."""
        if self.format not in FORMATS:
            raise ConfigError(
                f"--out {self.path}: lists are written as {', '.join(FORMATS)}: choose one of these endings."
            )
        if self.path.is_dir():
            raise FolderError(f"{self.path} is a folder: choose another --out.")
        if self.path.exists() and not overwrite:
            raise FolderError(
                f"{self.path} exists already: choose another --out, or pass --overwrite."
            )

    @contextmanager
    def begun(self, request: str) -> Iterator[dict[int, tuple[int, int]]]:
        """Lock the folder of parts. Returns the counts of finished parts.

        Args:
            request: hash of the request. Parts of another request are removed.

        Raises:
            FolderError: another process writes the file, or the folder cannot be written.
        """
        with locked(self.folder):
            self.done, self._request = self._found(request), request
            if not self.done:
                self._clear()
            yield self.done
        with suppress(OSError):  # it is not empty, unless the file is complete
            self.folder.rmdir()

    def write(self, number: int, frame: pl.DataFrame, counts: tuple[int, int]) -> None:
        """Write a part, and record its counts when it is complete.

        Args:
            number: from 0, in the file's order.
            frame: its rows.
            counts: counts that are added up.
        """
        part = self._part(number)
        partial = partial_of(part)
        with writing(self.path):
            if self.format == ".parquet":
                frame.write_parquet(partial, row_group_size=max(1, len(frame)))
            elif self.format == ".csv":
                columns = [safe_column(one) if self.safe else one for one in frame]
                pl.DataFrame(columns).write_csv(partial, include_header=False)
            else:
                frame.write_ndjson(partial)
            sync(partial)
        partial.replace(part)
        self.done[number] = counts
        write_json(self.folder / _ABOUT, {"request": self._request, "done": self.done})

    def join(self, columns: Sequence[str]) -> None:
        """Join the parts one at a time, and move the file into place."""
        parts = [self._part(number) for number in sorted(self.done)]
        whole = partial_of(self.folder / self.path.name)
        with writing(self.path):
            if self.format == ".parquet":
                with pq.ParquetWriter(
                    whole, pq.read_schema(parts[0]), compression="zstd"
                ) as writer:
                    for part in parts:
                        table = pq.read_table(part)
                        if len(table):
                            writer.write_table(table, row_group_size=len(table))
            else:
                with whole.open("wb") as file:
                    if self.format == ".csv":
                        file.write((",".join(columns) + "\n").encode())
                    for part in parts:
                        with part.open("rb") as one:
                            shutil.copyfileobj(one, file, 1 << 20)
            sync(whole)
        whole.replace(self.path)
        sync(self.path.parent)
        self._clear()

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}{self.format}"

    def _clear(self) -> None:
        for entry in self.folder.iterdir():
            if entry.name.startswith(("part-", ".part-")) or entry.name == _ABOUT:
                entry.unlink()

    def _found(self, request: str) -> dict[int, tuple[int, int]]:
        """Counts of the finished parts of this request."""
        try:
            about = json_value((self.folder / _ABOUT).read_text())
            if about["request"] != request:
                return {}
            done = {int(number): (int(a), int(b)) for number, (a, b) in about["done"].items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}
        return {number: counts for number, counts in done.items() if self._part(number).is_file()}
