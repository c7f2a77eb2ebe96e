"""Your own vectors: an ``.npy`` file with one row for each item, and the list of the items' ids in the same order.

A dataset has its own order of rows, so a file without ids is refused. The ids are read from ``ids``, or else from a
file in the folder of ``VECTORS.npy``: ``VECTORS.ids.txt``, ``VECTORS.ids.json`` or ``items.jsonl`` (``item_id``).
Vectors are used without scaling. Ids that are not in the dataset are counted and left out. Items without a row are
counted as missing and get the mean vector.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from darec.errors import TextError
from darec.text.encoders.base import Encoder, EncoderConfig
from darec.text.sources import read_ids
from darec.types import FloatArray
from darec.wording import agreeing, counted_noun


class FileConfig(EncoderConfig):
    """Settings of :class:`FileEncoder`."""

    RUN_ONLY: ClassVar[frozenset[str]] = frozenset({"ids"})  # the revision hashes what it holds

    ids: Path | None = None
    """File of the ids: .txt, .json or .jsonl. With null, the one in the folder of the vectors."""


class FileEncoder(Encoder[FileConfig]):
    """Looks vectors up by item id.

    Raises:
        TextError: the file does not exist or is not a two-dimensional array of real numbers; a row has NaN or infinity
            or is zero (the error names row and id); there are no ids, or not as many as rows; an id is repeated; or no
            id is in the dataset.
    """

    argument_name: ClassVar[str | None] = "VECTORS.npy"
    reads: ClassVar[Literal["text", "id"]] = "id"
    incremental: ClassVar[bool] = False

    def __init__(self, config: FileConfig, argument: str = "", *, device: str = "cpu") -> None:
        super().__init__(config, argument, device=device)
        self.path = Path(argument)
        self._ids = config.ids

    @cached_property
    def revision(self) -> str:
        """Hash of the file and of its ids."""
        self._open()  # a folder or a missing file is refused with our own message
        with self.path.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        ids = hashlib.sha256("\n".join(self._read_ids()).encode()).hexdigest()
        return f"sha256 {content} ids {ids}"

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """The rows of the given ids, [n, d]; zeros for an id that the file lacks."""
        table, ids = self._open(), self._read_ids()
        if len(ids) != len(table):
            raise TextError(
                f"{self.path} has {len(table)} rows and {self.ids_path} has {len(ids)} ids: give one id for each "
                "row, in the same order."
            )
        self._check(table, ids)
        rows = {identifier: row for row, identifier in enumerate(ids)}
        found = [(n, rows[identifier]) for n, identifier in enumerate(texts) if identifier in rows]
        if not found:
            raise TextError(
                f"none of the ids in {self.ids_path} ({', '.join(map(repr, ids[:3]))}, ...) is an item of this dataset "
                f"({', '.join(map(repr, texts[:3]))}, ...): give the ids of the items."
            )
        if len(found) < len(ids):
            left = len(ids) - len(found)
            self.notices.append(
                f"{left} of {len(ids)} vectors {agreeing(left, 'is', 'are')} left out because the dataset does not "
                "have their items."
            )
        if len(found) < len(texts):
            self.notices.append(
                f"{counted_noun(len(texts) - len(found), 'item has', 'items have')} no vector in {self.path}."
            )
        vectors = np.zeros((len(texts), table.shape[1]), np.float32)
        targets, sources = np.array(found).T
        vectors[targets] = table[sources]
        return vectors

    @cached_property
    def ids_path(self) -> Path:
        """The file of the ids. Raises ``TextError`` if it is neither given nor found."""
        if self._ids is not None:
            return self._ids
        beside = [
            self.path.with_name(f"{self.path.stem}.ids.txt"),
            self.path.with_name(f"{self.path.stem}.ids.json"),
            self.path.with_name("items.jsonl"),
        ]
        for candidate in beside:
            if candidate.is_file():
                self.notices.append(f"the ids of the rows are taken from {candidate}.")
                return candidate
        raise TextError(
            f"{self.path} has no id list, so its rows cannot be matched to items: pass --ids FILE, or put "
            f"{beside[0].name} or items.jsonl into its folder."
        )

    def _read_ids(self) -> list[str]:
        return read_ids(self.ids_path)

    def _open(self) -> NDArray[Any]:
        if not self.path.is_file():
            raise TextError(f"no vectors at {self.path}: give file:PATH of an .npy file.")
        try:
            table = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            if "Object arrays" in str(error) or "Python object" in str(error):
                problem = "holds Python objects, which are never unpickled"
            else:
                problem = "is not an .npy array, or is cut short"
            raise TextError(
                f"{self.path} {problem}: save numbers with numpy.save(path, array)."
            ) from error
        if not isinstance(table, np.ndarray) or table.ndim != 2 or 0 in table.shape:
            shape = getattr(table, "shape", None)
            kind = f"an array of shape {list(shape)}" if shape is not None else "an archive"
            raise TextError(f"{self.path} is {kind}: a table [items, dimensions] is needed.")
        if table.dtype.kind not in "fiu":
            raise TextError(f"{self.path} has values of type {table.dtype}: save real numbers.")
        return table

    def _check(self, table: NDArray[Any], ids: list[str]) -> None:
        """Check every row, also those of items that are not in this dataset: they show whether the file is broken."""
        for start in range(0, len(table), 65_536):
            with np.errstate(
                over="ignore"
            ):  # float64 values beyond float32 become infinite and are refused
                block = np.asarray(table[start : start + 65_536], np.float32)
            for problem, bad in (
                ("NaN or infinity", ~np.isfinite(block).all(1)),
                ("only zeros", ~block.any(1)),
            ):
                if bad.any():
                    row = start + int(bad.argmax())
                    more = f", the first of {bad.sum()} such rows" if bad.sum() > 1 else ""
                    raise TextError(
                        f"{self.path}, row {row} (id {ids[row]!r}{more}) has {problem}: correct it, or leave the "
                        "item out of file and ids."
                    )
