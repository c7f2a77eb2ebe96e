"""The store of one encoder's vectors: a folder that stays valid if the process is killed at any moment.

::

    text/SLUG/
      meta.json               encoder, revision, settings, counts, and the names and hashes of the files below
      vectors-HASH.npy        [n, d] float16 or float32, one row a distinct text
      reduced-HASH.npy        [n, d'] likewise, where dimensions were reduced: what readers get
      index-HASH.parquet      kind ("item" or "user"), id, sha256 of the text, row, tokens of the text before any cut;
                              null where there is no text, or tokens are not counted
      pending-IDENTITY/       finished batches of a run that has not ended, one .safetensors each
      .lock                   there while a process writes (darec.lock)

A finished batch appears by one rename. At the end, the new vectors and the index are written under new names, one
rename of ``meta.json`` makes them current, and only then the old ones and the batches are deleted. *Identity* is a hash
of everything except its text on which a vector depends. Vectors of another identity are never reused. The full vectors
are kept together with reduced ones, so that neither a new text nor another number of dimensions makes it necessary to
encode again. Format 1 had no ``reduced``, no ``tokens`` and only float32; it can be read as well.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from darec.errors import TextError
from darec.files import parquet_bytes, read_json, write_array, write_atomic, write_json
from darec.lock import locked
from darec.types import IntArray

FORMAT: Final = 2
READ: Final = (1, 2)
INDEX_SCHEMA: Final = {
    "kind": pl.String,
    "id": pl.String,
    "sha256": pl.String,
    "row": pl.UInt32,
    "tokens": pl.UInt32,
}


@dataclass(frozen=True)
class Block:
    """Vectors of some texts.

    Attributes:
        keys: SHA-256 of each text, in hexadecimal.
        vectors: [len(keys), d] float16 or float32.
        tokens: [len(keys)] number of tokens of each text before it is cut; -1 if not counted.
    """

    keys: Sequence[str]
    vectors: NDArray[Any]
    tokens: IntArray


@dataclass(frozen=True)
class Stored:
    """The result of a finished run.

    Attributes:
        meta: the content of ``meta.json``.
        index: one row for each entity: kind, id, sha256, row, tokens.
        full: [n, d] float16 or float32, one row for each distinct text; the memory-mapped file.
        vectors: the reduced vectors if there are any, memory-mapped as well; else ``full``.
    """

    meta: dict[str, Any]
    index: pl.DataFrame
    full: NDArray[Any]
    vectors: NDArray[Any]

    def find(
        self, column: Literal["sha256", "id"], values: Sequence[str | None], kind: str | None = None
    ) -> IntArray:
        """[len(values)] rows of the texts with these hashes, or of the entities with these ids; -1 if there is none."""
        index = self.index if kind is None else self.index.filter(kind=kind)
        known = index.select(column, "row").drop_nulls().unique(column)
        wanted = pl.DataFrame({column: values}, schema={column: pl.String}).with_row_index("place")
        rows = wanted.join(known, on=column, how="left").sort("place")["row"]
        return np.asarray(rows.cast(pl.Int64).fill_null(-1).to_numpy(), np.int64)

    def save(self, folder: Path) -> None:
        """Write it as the store in a folder."""
        reduced = None if self.vectors is self.full else self.vectors
        store = TextStore(folder)
        with store.writing():
            store.commit(self.meta, self.index, self.full, reduced)

    def block(self) -> Block:
        """The full vectors with their texts' hashes."""
        texts = self.index.drop_nulls("row").unique("row").sort("row")
        tokens = texts["tokens"].cast(pl.Int64).fill_null(-1).to_numpy()
        return Block(texts["sha256"].to_list(), self.full, np.asarray(tokens, np.int64))


class TextStore:
    """One encoder's folder inside a dataset's ``text`` folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the store for writing. Raises ``FolderError`` while another process writes."""
        with locked(self.folder):
            yield

    def meta(self) -> dict[str, Any] | None:
        """The content of ``meta.json``; None before the first run has ended. Raises ``TextError``."""
        try:
            meta = read_json(self.folder / "meta.json")
            known = meta["format"] in READ
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError) as error:
            raise TextError(f"{self.folder / 'meta.json'} is damaged: encode again.") from error
        if not known:
            raise TextError(
                f"{self.folder} has format {meta['format']!r} and this darec reads {READ}: encode again."
            )
        return dict(meta)

    def read(self) -> Stored | None:
        """The result of the last finished run; None before the first. Raises ``TextError`` if it is damaged."""
        meta = self.meta()
        if meta is None:
            return None
        try:
            for name, expected in meta["files"].items():
                with (self.folder / name).open("rb") as handle:
                    if hashlib.file_digest(handle, "sha256").hexdigest() != expected:
                        raise TextError(f"{self.folder / name} is damaged: encode again.")
            names = {name.partition("-")[0]: self.folder / name for name in meta["files"]}
            # Memory-mapped with "c" for copy-on-write: readers need no memory for it, and no one can change the file.
            arrays = {
                stem: np.load(path, mmap_mode="c", allow_pickle=False)
                for stem, path in names.items()
                if stem != "index"
            }
            index = pl.read_parquet(names["index"])
            if "tokens" not in index.columns:
                index = index.with_columns(tokens=pl.lit(None, pl.UInt32))
            full = arrays["vectors"]
        except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
            if isinstance(error, TextError):
                raise
            raise TextError(f"{self.folder} is damaged ({error}): encode again.") from error
        return Stored(meta, index, full, arrays.get("reduced", full))

    def add(self, identity: str, block: Block) -> None:
        """Store one finished batch. For identity, see the top of this file."""
        folder = self._pending(identity)
        folder.mkdir(parents=True, exist_ok=True)
        hashes = np.frombuffer(bytes.fromhex("".join(block.keys)), np.uint8).reshape(-1, 32)
        tensors: dict[str, NDArray[Any]] = {
            "keys": hashes,
            "vectors": np.ascontiguousarray(block.vectors),
            "tokens": block.tokens,
        }
        name = hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
        data = safetensors.numpy.save(tensors, {"sha256": _checksum(tensors)})
        write_atomic(folder / f"{name}.safetensors", data)

    def pending(self, identity: str) -> tuple[list[Block], int]:
        """The batches of an interrupted run, and how many were damaged and deleted."""
        blocks: list[Block] = []
        damaged = 0
        for file in sorted(self._pending(identity).glob("*.safetensors")):
            try:
                with safetensors.safe_open(file, framework="np") as opened:
                    tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118, no dict
                    whole = (opened.metadata() or {}).get("sha256") == _checksum(tensors)
            except (safetensors.SafetensorError, OSError):
                whole = False
            if not whole:
                file.unlink()
                damaged += 1
                continue
            keys = [row.tobytes().hex() for row in tensors["keys"]]
            tokens = tensors.get("tokens", np.full(len(keys), -1, np.int64))
            blocks.append(Block(keys, tensors["vectors"], tokens))
        return blocks, damaged

    def commit(
        self,
        meta: dict[str, Any],
        index: pl.DataFrame,
        vectors: NDArray[Any],
        reduced: NDArray[Any] | None = None,
    ) -> None:
        """Make new vectors current, then delete the old ones and all pending batches."""
        arrays = {"vectors": vectors} | ({} if reduced is None else {"reduced": reduced})
        files = {}
        for stem in (*arrays, "index"):
            suffix = "parquet" if stem == "index" else "npy"
            partial = self.folder / f".{stem}.partial"
            try:
                with partial.open("wb") as handle:
                    if stem == "index":
                        handle.write(parquet_bytes(index))
                    else:
                        write_array(handle, arrays[stem])
                    handle.flush()
                    os.fsync(handle.fileno())
                with partial.open("rb") as handle:
                    digest = hashlib.file_digest(handle, "sha256").hexdigest()
                name = f"{stem}-{digest[:16]}.{suffix}"
                partial.replace(self.folder / name)
            finally:
                partial.unlink(missing_ok=True)
            files[name] = digest
        write_json(self.folder / "meta.json", {"format": FORMAT, **meta, "files": files})
        for entry in self.folder.iterdir():
            if entry.is_dir() and entry.name.startswith("pending-"):
                shutil.rmtree(entry)
            elif entry.name.startswith(
                ("vectors-", "reduced-", "index-", ".")
            ) and entry.name not in {
                *files,
                ".lock",
            }:
                entry.unlink()

    def _pending(self, identity: str) -> Path:
        return self.folder / f"pending-{identity[:16]}"


class MemoryStore(TextStore):
    """The vectors of one encoder for a dataset in memory; they are lost when the process ends.

    Args:
        kept: the dataset's vectors by the name that their folder would have.
        name: of these.
    """

    def __init__(self, kept: MutableMapping[str, Any], name: str) -> None:
        super().__init__(Path(name))
        self._kept, self._name = kept, name

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do nothing: no other process can write."""
        yield

    def meta(self) -> dict[str, Any] | None:
        """See :meth:`TextStore.meta`."""
        stored = self.read()
        return None if stored is None else stored.meta

    def read(self) -> Stored | None:
        """See :meth:`TextStore.read`."""
        return self._kept.get(self._name)

    def add(self, identity: str, block: Block) -> None:
        """Do nothing: an encoding in memory cannot be resumed."""

    def pending(self, identity: str) -> tuple[list[Block], int]:
        """None."""
        return [], 0

    def commit(
        self,
        meta: dict[str, Any],
        index: pl.DataFrame,
        vectors: NDArray[Any],
        reduced: NDArray[Any] | None = None,
    ) -> None:
        """Replace the old vectors by new ones."""
        self._kept[self._name] = Stored(
            meta, index, vectors, vectors if reduced is None else reduced
        )


def _checksum(tensors: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}\0".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()
