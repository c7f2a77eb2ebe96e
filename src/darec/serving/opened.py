"""A bundle that is open and has been tried, so that it can take the place of another at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from darec.errors import DarecError, RunError
from darec.export.bundle import Bundle, open_bundle
from darec.ids.idmap import Id
from darec.listing.fields import OWN
from darec.listing.recommending import Recommending
from darec.serving.finding import Finder

LOG: Final = logging.getLogger("darec.serving")
Signature = tuple[tuple[str, int, int, int], ...]


def signature(path: Path) -> Signature:
    """Changes whenever a file of a folder does; empty where there is no folder."""
    try:
        stats = [(file.name, file.stat()) for file in sorted(path.iterdir()) if file.is_file()]
    except OSError:
        return ()
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


class Opened:
    """What answers: a bundle, and what it is asked through.

    Attributes:
        bundle: the bundle.
        shown: what recommends, the bundle or the bundle with new items.
        digits: the first 12 of the bundle's hash.
        signature: of the folder, before it was opened.
    """

    def __init__(self, bundle: Bundle, signature: Signature = ()) -> None:
        self.bundle, self.signature = bundle, signature
        self.shown: Recommending = bundle
        self.digits = str(bundle.manifest["sha256"])[:12]

    @classmethod
    def open(cls, path: Path) -> Opened:
        """Open a bundle, read what may be replaced on disk meanwhile, and try it.

        Raises:
            DarecError: it cannot be opened, or does not answer.
        """
        before = signature(path)
        opened = cls(open_bundle(path), before)
        opened._try()
        return opened

    def _try(self) -> None:
        """Ask for what requests will ask for: what is read late is read, and what is counted late is counted."""
        bundle = self.bundle
        bundle.fields.columns(list(bundle.fields.types))
        if not len(bundle.users) or not len(bundle.items):
            raise RunError(f"{bundle.path} holds no users or no items: export a run that has some.")
        user, item = bundle.users.ids[0], bundle.items.ids[0]
        try:
            bundle.recommend(user, 1, exclude_seen=False)
            bundle.similar(item, 1)
            bundle.explain(user, item)
            bundle.names.row(item)
        except DarecError:
            raise
        except Exception as error:
            raise RunError(
                f"{bundle.path} does not answer ({type(error).__name__}: {error}): export again."
            ) from error

    @cached_property
    def finder(self) -> Finder:
        """For type-ahead."""
        return Finder(self.shown)

    @cached_property
    def field_types(self) -> dict[str, pl.DataType]:
        """Fields of the items beside id, title and text."""
        return {name: kind for name, kind in self.bundle.fields.types.items() if name not in OWN}

    def fields_of(self, rows: list[int], names: list[str]) -> list[dict[str, Any]]:
        """Some fields of some items, as JSON takes them. Raises ``ConfigError`` on a field that is not there."""
        if not names:
            return [{} for _ in rows]
        frame = self.shown.named.fields.columns(names)[rows]
        return [{name: plain(value) for name, value in row.items()} for row in frame.to_dicts()]


def plain(value: Any) -> Any:
    """A value of a field as JSON takes it."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | pl.Series):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def text_of(identifier: Id) -> int | str:
    """An id as JSON takes it."""
    return identifier if isinstance(identifier, int) else str(identifier)
