"""A bundle that is open and was tried, so that it can replace another at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from darec.errors import DarecError, RunError
from darec.export.bundle import Bundle, open_bundle
from darec.export.reader import TextReader
from darec.ids.idmap import Id
from darec.scoring.mixing import unit
from darec.serving.finding import Finder
from darec.serving.grown import Grown, NewItem
from darec.serving.refusals import RefusalError
from darec.serving.texts import has_vectors, reader_of
from darec.types import FloatArray

LOG: Final = logging.getLogger("darec.serving")
Signature = tuple[tuple[str, int, int, int], ...]


def signature(path: Path) -> Signature:
    """Return a value that changes whenever a file of the folder changes; empty without a folder."""
    try:
        files = [file for file in sorted(path.iterdir()) if not file.name.startswith(".")]
        stats = [(file.name, file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


class Opened:
    """An open bundle, with or without new items.

    Attributes:
        bundle: the bundle.
        new: items that the bundle does not have.
        shown: the bundle with the new items; this recommends.
        digits: the first 12 of the bundle's hash.
        signature: of the folder before it was opened.

    Args:
        bundle: the bundle.
        signature: of its folder.
        new: items that the bundle does not have.
        reader: of new texts, if it is open already.
    """

    def __init__(
        self,
        bundle: Bundle,
        signature: Signature = (),
        new: Sequence[NewItem] = (),
        reader: TextReader | str | None = None,
    ) -> None:
        self.bundle, self.signature, self.new = bundle, signature, tuple(new)
        self.shown: Bundle | Grown = Grown(bundle, new) if new else bundle
        self.digits = str(bundle.manifest["sha256"])[:12]
        self._reader = reader_of(bundle) if reader is None else reader

    @classmethod
    def open(cls, path: Path) -> Opened:
        """Open a bundle, read all that may be replaced on disk later, and try it.

        Raises:
            DarecError: the bundle cannot be opened, or does not answer.
        """
        before = signature(path)
        opened = cls(open_bundle(path), before)
        opened._try()
        return opened

    def grown(self, new: Sequence[NewItem]) -> Opened:
        """Return the same bundle with further items."""
        return Opened(self.bundle, self.signature, [*self.new, *new], self._reader)

    def _try(self) -> None:
        """Make the kinds of requests that users will make, so that all lazy parts are read and computed now."""
        bundle = self.bundle
        bundle.fields.columns(list(bundle.fields.types))
        if not len(bundle.users) or not len(bundle.items):
            raise RunError(f"{bundle.path} has no users or no items: export a run that has both.")
        user, item = bundle.users.ids[0], bundle.items.ids[0]
        try:
            bundle.recommend(user, 1, exclude_seen=False)
            bundle.similar(item, 1)
            bundle.explain(user, item)
            self.finder.items("a", 1)
            self.finder.users("a", 1)
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

    @property
    def reads(self) -> bool:
        """Whether new texts can be read."""
        return isinstance(self._reader, TextReader)

    @property
    def reader(self) -> TextReader:
        """The reader of new texts. Raises ``RefusalError`` if there is none."""
        if isinstance(self._reader, str):
            raise RefusalError(409, self._reader)
        return self._reader

    @property
    def has_vectors(self) -> bool:
        """Whether items have language vectors."""
        return has_vectors(self.bundle)

    @cached_property
    def unit_vectors(self) -> FloatArray:
        """[I, d_L] language vectors of unit length. Raises ``RefusalError`` if there are none."""
        if not self.has_vectors:
            raise RefusalError(
                409,
                "text_weight: this bundle holds no language vectors. Run 'darec encode' on the dataset, and export "
                "again.",
            )
        return unit(self.shown.item_vectors())

    @cached_property
    def alike(self) -> bool:
        """Whether the similarity of items is known; lists can then be diversified."""
        return self.has_vectors or self.bundle.scorer.item_vectors() is not None

    def fields_of(self, rows: list[int], names: list[str]) -> list[dict[str, Any]]:
        """Return some fields of some items as JSON values. Raises ``ConfigError`` on an unknown field."""
        if not names:
            return [{} for _ in rows]
        frame = self.shown.named.fields.columns(list(dict.fromkeys(names)))[rows]
        return [{name: plain(value) for name, value in row.items()} for row in frame.to_dicts()]


def plain(value: Any) -> Any:
    """Return a value of a field as a JSON value."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | pl.Series):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def text_of(identifier: Id) -> int | str:
    """Return an id as a JSON value."""
    return identifier if isinstance(identifier, int) else str(identifier)
