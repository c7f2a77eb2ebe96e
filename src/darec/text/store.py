"""Where the vectors of one encoder live: a folder that a kill at any moment leaves whole.

::

    text/SLUG/
      meta.json               encoder, revision, settings, counts, and the names and hashes of the two files below
      vectors-HASH.npy        [n, d] float32, one row a distinct text
      index-HASH.parquet      kind ("item" or "user"), id, sha256 of the text, row; null where there is no text
      pending-IDENTITY/       finished batches of a run that has not ended, one .safetensors each
      .lock                   held while a process writes (darec.lock)

A finished batch appears by one rename. At the end the new vectors and index are written under names of their own, one
rename of ``meta.json`` puts them in force, and only then are the old ones and the batches deleted. *Identity* is a hash
of everything but its own text on which a vector depends; what was made under another identity is never reused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from darec.errors import TextError
from darec.files import write_atomic, write_json
from darec.types import FloatArray

FORMAT: Final = 1
INDEX_SCHEMA: Final = {
    "kind": pl.String,
    "id": pl.String,
    "sha256": pl.String,
    "row": pl.UInt32,
}


@dataclass(frozen=True)
class Stored:
    """What a finished run left.

    Attributes:
        meta: the content of ``meta.json``.
        index: one row an entity: kind, id, sha256, row.
        vectors: [n, d] float32, one row a distinct text.
    """

    meta: dict[str, Any]
    index: pl.DataFrame
    vectors: FloatArray

    def rows(self) -> dict[str, int]:
        """Row of each text by its hash."""
        present = self.index.drop_nulls("row")
        return dict(zip(present["sha256"].to_list(), present["row"].to_list(), strict=True))


class TextStore:
    """One encoder's folder inside a dataset's ``text`` folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def meta(self) -> dict[str, Any] | None:
        """The content of ``meta.json``; None before the first run has ended. Raises ``TextError``."""
        try:
            meta = json.loads((self.folder / "meta.json").read_text(encoding="utf-8"))
            known = meta["format"] == FORMAT
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise TextError(f"{self.folder / 'meta.json'} is damaged: encode again.") from error
        if not known:
            raise TextError(
                f"{self.folder} has format {meta['format']!r} and this darec reads {FORMAT}: encode again."
            )
        return dict(meta)

    def read(self) -> Stored | None:
        """What the last finished run left; None before the first. Raises ``TextError`` if damaged."""
        meta = self.meta()
        if meta is None:
            return None
        try:
            for name, expected in meta["files"].items():
                with (self.folder / name).open("rb") as handle:
                    if hashlib.file_digest(handle, "sha256").hexdigest() != expected:
                        raise TextError(f"{self.folder / name} is damaged: encode again.")
            vectors_name, index_name = meta["files"]
            vectors = np.load(self.folder / vectors_name, allow_pickle=False)
            index = pl.read_parquet(self.folder / index_name)
        except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
            if isinstance(error, TextError):
                raise
            raise TextError(f"{self.folder} is damaged ({error}): encode again.") from error
        return Stored(meta, index, vectors)

    def add(self, identity: str, keys: Sequence[str], vectors: FloatArray) -> None:
        """Keep one finished batch.

        Args:
            identity: see the head of this file.
            keys: SHA-256 of each text, in hexadecimal.
            vectors: [len(keys), d] float32.
        """
        folder = self._pending(identity)
        folder.mkdir(parents=True, exist_ok=True)
        hashes = np.frombuffer(bytes.fromhex("".join(keys)), np.uint8).reshape(len(keys), 32)
        tensors: dict[str, NDArray[Any]] = {
            "keys": hashes,
            "vectors": np.ascontiguousarray(vectors, np.float32),
        }
        name = hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
        data = safetensors.numpy.save(tensors, {"sha256": _checksum(tensors)})
        write_atomic(folder / f"{name}.safetensors", data)

    def pending(self, identity: str) -> tuple[list[str], list[FloatArray], int]:
        """The batches of an interrupted run: keys, their vectors by batch, and how many were damaged and deleted."""
        keys: list[str] = []
        blocks: list[FloatArray] = []
        damaged = 0
        for file in sorted(self._pending(identity).glob("*.safetensors")):
            try:
                with safetensors.safe_open(file, framework="np") as opened:
                    tensors = {name: opened.get_tensor(name) for name in ("keys", "vectors")}
                    whole = (opened.metadata() or {}).get("sha256") == _checksum(tensors)
            except (safetensors.SafetensorError, OSError):
                whole = False
            if not whole:
                file.unlink()
                damaged += 1
                continue
            keys += [row.tobytes().hex() for row in tensors["keys"]]
            blocks.append(tensors["vectors"])
        return keys, blocks, damaged

    def commit(self, meta: dict[str, Any], index: pl.DataFrame, vectors: FloatArray) -> None:
        """Put new vectors in force, then delete the old ones and all pending batches."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        files = {}
        for stem, suffix in (("vectors", "npy"), ("index", "parquet")):
            partial = self.folder / f".{stem}.partial"
            try:
                with partial.open("wb") as handle:
                    if stem == "vectors":
                        np.save(handle, vectors, allow_pickle=False)
                    else:
                        index.write_parquet(handle)
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
            elif entry.name.startswith(("vectors-", "index-", ".")) and entry.name not in {
                *files,
                ".lock",
            }:
                entry.unlink()

    def _pending(self, identity: str) -> Path:
        return self.folder / f"pending-{identity[:16]}"


def _checksum(tensors: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}\0".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()
