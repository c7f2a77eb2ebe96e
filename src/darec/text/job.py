"""One encoding: the distinct texts of some entities in, one matrix of vectors out, by way of a store or not."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.errors import TextError
from darec.text.encoders.base import Encoder, EncoderConfig
from darec.text.inputs import Entities
from darec.text.progress import Progress
from darec.text.store import INDEX_SCHEMA, TextStore
from darec.text.users import TextVectors
from darec.types import FloatArray

KEPT_AT_ONCE: Final = 256
"""Texts in a batch that is kept: what a kill costs at most."""


class Job:
    """Finds out what has to be encoded, and has it encoded.

    Args:
        encoder: what encodes.
        config: its settings.
        groups: the items, and the users if there are texts about them.
        progress: where progress goes.

    Attributes:
        identity: hash of all that a vector depends on beside its own text.
        rows: row of each distinct text in ``matrix``, by its hash; set by :meth:`run`.
        matrix: [n, d] float32, set by :meth:`run`.
        n_new: distinct texts that were encoded.
        seconds: time spent in encoding.
        notices: sentences for the report.
    """

    def __init__(
        self,
        encoder: Encoder,
        config: EncoderConfig,
        groups: Sequence[Entities],
        progress: Progress,
    ) -> None:
        self.encoder, self.groups, self.progress = encoder, list(groups), progress
        self.texts: dict[str, str] = {}
        self.owners: dict[str, str] = {}
        for group in groups:
            for identifier, key, text in zip(group.ids, group.keys, group.texts, strict=True):
                if key is not None and text is not None and key not in self.texts:
                    self.texts[key] = text
                    self.owners[key] = f"{group.kind} {identifier!r}"
        self.rows = {key: row for row, key in enumerate(self.texts)}
        self.identity = self._identify(config)
        self.matrix: FloatArray = np.empty((0, 0), np.float32)
        self.n_new = 0
        self.seconds = 0.0
        self.notices: list[str] = []

    def _identify(self, config: EncoderConfig) -> str:
        facts = {
            "encoder": type(self.encoder).__qualname__,
            "argument": self.encoder.argument,
            "revision": self.encoder.revision,
            "options": config.model_dump(mode="json", exclude=set(config.RUN_ONLY)),
            "corpus": None if self.encoder.incremental else self.groups[0].keys,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def run(self, store: TextStore | None = None) -> None:
        """Fill ``matrix``.

        Raises:
            TextError: vectors that cannot be used, or nothing found in any item's text.
        """
        keys, blocks = self._known(store) if store else ([], [])
        known = {key: n for n, key in enumerate(keys) if key in self.texts}
        new = [key for key in self.texts if key not in known]
        if new and not self.encoder.incremental:
            known, new = {}, list(self.texts)
        have = np.concatenate(blocks) if known else None
        self.n_new = len(new)
        started = time.perf_counter()
        made: list[tuple[list[str], FloatArray]] = []
        for batch, vectors in self._encode(new, reused=len(known)):
            width = have.shape[1] if have is not None else made[0][1].shape[1] if made else None
            self._check(batch, vectors, width)
            if store and self.encoder.incremental:
                store.add(self.identity, batch, vectors)
            made.append((batch, vectors))
        self.seconds = time.perf_counter() - started

        dim = made[0][1].shape[1] if made else have.shape[1] if have is not None else 0
        self.matrix = np.empty((len(self.texts), dim), np.float32)
        if have is not None:
            self.matrix[[self.rows[key] for key in known]] = have[list(known.values())]
        for batch, vectors in made:
            self.matrix[[self.rows[key] for key in batch]] = vectors
        self._report_nothing_found()

    def _known(self, store: TextStore) -> tuple[list[str], list[FloatArray]]:
        """Keys and vectors that the store holds under this identity."""
        keys, blocks, damaged = store.pending(self.identity)
        if keys:
            self.notices.append(f"{len(keys)} texts come from an interrupted run.")
        if damaged:
            self.notices.append(f"{damaged} damaged batches of an interrupted run are made again.")
        try:
            stored = store.read()
        except TextError as error:
            self.notices.append(f"the vectors stored before are not used: {error}")
            return keys, blocks
        if stored is not None and stored.meta.get("identity") == self.identity:
            rows = stored.rows()
            keys += rows
            blocks.append(stored.vectors[list(rows.values())])
        return keys, blocks

    def _encode(self, new: list[str], reused: int) -> Iterator[tuple[list[str], FloatArray]]:
        texts = self.texts
        if not new:
            return
        if not self.encoder.incremental:
            corpus = [text for text in self.groups[0].texts if text is not None]
            with self.progress.working(len(new)):
                yield new, self.encoder.encode([texts[key] for key in new], corpus)
            return
        new = sorted(new, key=lambda key: (-len(texts[key]), key))
        with self.progress.counting(len(new), reused) as advance:
            for start in range(0, len(new), KEPT_AT_ONCE):
                batch = new[start : start + KEPT_AT_ONCE]
                yield batch, self.encoder.encode([texts[key] for key in batch])
                advance(len(batch))

    def _check(self, batch: list[str], vectors: FloatArray, width: int | None) -> None:
        expected = (len(batch), width or vectors.shape[-1])
        if vectors.shape != expected or not vectors.shape[-1]:
            raise TextError(
                f"the encoder made {list(vectors.shape)} numbers where {list(expected)} were expected."
            )
        bad = ~np.isfinite(vectors).all(axis=1)
        if bad.any():
            raise TextError(
                f"the encoder made NaN or infinity of the text of {self.owners[batch[int(bad.argmax())]]}: "
                "mend the text or the model."
            )

    def _report_nothing_found(self) -> None:
        """Texts that are there, but in which the encoder found nothing, have rows of zeros and count as missing."""
        nothing = ~not_zero(self.matrix)
        if not self.vectors().item_mask.any():
            raise TextError("the encoder found nothing in the text of any item: check the texts.")
        if nothing.any() and self.encoder.reads == "text":
            first = next(key for key, row in self.rows.items() if nothing[row])
            self.notices.append(
                f"nothing is found in {nothing.sum()} texts (first: {self.owners[first]}): they count as missing."
            )

    def index(self) -> pl.DataFrame:
        """Each entity's text hash and row, as the store keeps it."""
        return pl.DataFrame(
            [
                (group.kind, identifier, key, None if key is None else self.rows[key])
                for group in self.groups
                for identifier, key in zip(group.ids, group.keys, strict=True)
            ],
            schema=INDEX_SCHEMA,
            orient="row",
        )

    def vectors(self) -> TextVectors:
        """The matrix, spread over the entities' rows."""
        tables = [
            spread(self.matrix, [self.rows.get(key or "") for key in g.keys]) for g in self.groups
        ]
        return TextVectors(*tables[0], *(tables[1] if len(tables) > 1 else ()))


def spread(matrix: FloatArray, rows: Sequence[int | None]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Rows of a matrix by number, zeros for None, and a mask that is False where a row is all zeros."""
    present = np.array([n for n, row in enumerate(rows) if row is not None], np.int64)
    table = np.zeros((len(rows), matrix.shape[1]), np.float32)
    table[present] = matrix[[row for row in rows if row is not None]]
    return table, not_zero(table)


def not_zero(table: FloatArray) -> NDArray[np.bool_]:
    """[n] whether each row holds anything but zeros."""
    return np.asarray(table.any(axis=1), np.bool_)
