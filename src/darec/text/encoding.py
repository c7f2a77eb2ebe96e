"""One encoding: from the distinct texts of some entities to one matrix of vectors, with or without a store."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.errors import TextError
from darec.meter import Meter
from darec.text.encoders.base import Encoder, EncoderConfig, Precision
from darec.text.inputs import Entities
from darec.text.reduce import BLOCK, Reduction
from darec.text.store import INDEX_SCHEMA, Block, TextStore
from darec.text.table import not_zero, spread
from darec.text.users import TextVectors
from darec.types import FloatArray, IntArray
from darec.wording import agreeing, counted_noun

KEPT_AT_ONCE: Final = 256
"""Number of texts in a stored batch, which is the most that is lost if the process is killed."""
COUNTED_AT_ONCE: Final = 4096
MANY: Final = 20_000
"""Number of texts above which counting tokens takes seconds."""


EncodeBatches = Callable[[Sequence[Sequence[str]]], Iterator[tuple[int, FloatArray]]]


class Encoding:
    """Finds the texts that have no vector yet and encodes them.

    Args:
        encoder: the encoder.
        config: the settings of the encoder.
        groups: the items, and the users if there are texts about them.
        progress: receiver of progress.
        precision: precision of the vectors; None is that of the encoder.
        part: whether this is a shard, which may contain no text.
        encode_batches: yields each batch's number and vectors, in any order. With None, this process computes them.

    Attributes:
        identity: hash of everything except its text on which a vector depends.
        rows: row of each distinct text in ``matrix``, by the hash of the text.
        dtype: type of the vectors.
        matrix: [n, d] of ``dtype``, set by :meth:`run`; None if there is no text at all.
        reduced: [n, d'] of ``dtype``, set by :meth:`reduce`, else None; ``reduction`` describes it.
        tokens: [n] number of tokens of each text before it is cut; -1 if not counted.
        limit: number of tokens after which texts are cut; None if they are not cut or not counted.
        truncated: number of texts that are cut; None if not counted.
        n_new: number of distinct texts that were encoded.
        seconds: time spent in encoding.
        notices: sentences for the report.
    """

    def __init__(
        self,
        encoder: Encoder[Any],
        config: EncoderConfig,
        groups: Sequence[Entities],
        progress: Meter,
        *,
        precision: Precision | None = None,
        part: bool = False,
        encode_batches: EncodeBatches | None = None,
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
        self.dtype: np.dtype[Any] = np.dtype(precision or encoder.precision)
        self.part = part
        self.encode_batches = encode_batches or self._one_by_one
        self.matrix: NDArray[Any] | None = None
        self.reduced: NDArray[Any] | None = None
        self.reduction: dict[str, Any] | None = None
        self.tokens = np.full(len(self.rows), -1, np.int64)
        self.limit: int | None = None
        self.truncated: int | None = None
        self._done = np.zeros(len(self.rows), np.bool_)
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

    def run(self, store: TextStore | None = None, blocks: Sequence[Block] | None = None) -> None:
        """Fill ``matrix``.

        Args:
            store: store whose vectors are reused and in which finished batches are stored. With None, nothing is
                stored.
            blocks: vectors to use instead of those in the store.

        Raises:
            TextError: vectors cannot be used, or the encoder found nothing in the text of any item.
        """
        if blocks is None:
            blocks = self._known(store) if store else []
        for block in blocks:
            self._take(block)
        new = [key for key, row in self.rows.items() if not self._done[row]]
        if new and not self.encoder.incremental:
            new, self.matrix = list(self.texts), None
        self.n_new = len(new)
        started = time.perf_counter()
        for block in self._encode(new, reused=len(self.texts) - len(new)):
            self._check(block)
            rounded = self._round(block)
            if store and self.encoder.incremental:
                store.add(self.identity, rounded)
            self._take(rounded)
        self.seconds = time.perf_counter() - started
        self._report_truncated()
        if not self.part:
            self._report_nothing_found()

    def _take(self, block: Block) -> None:
        """Copy the needed vectors into their rows."""
        if block.vectors.dtype.itemsize < self.dtype.itemsize:
            return  # stored with a lower precision than is wanted now
        places = [(n, self.rows[key]) for n, key in enumerate(block.keys) if key in self.rows]
        if not places:
            return
        sources, rows = np.array(places).T
        if self.matrix is None:
            self.matrix = np.empty((len(self.texts), block.vectors.shape[1]), self.dtype)
        for start in range(0, len(rows), BLOCK):
            some = slice(start, start + BLOCK)
            self.matrix[rows[some]] = block.vectors[sources[some]]
        self.tokens[rows] = block.tokens[sources]
        self._done[rows] = True

    def _known(self, store: TextStore) -> list[Block]:
        """The vectors that the store has for this identity."""
        blocks, damaged = store.pending(self.identity)
        if blocks:
            n = sum(len(block.keys) for block in blocks)
            self.notices.append(
                f"{counted_noun(n, 'text comes', 'texts come')} from an interrupted run."
            )
        if damaged:
            self.notices.append(
                f"{counted_noun(damaged, 'damaged batch', 'damaged batches')} of an interrupted run "
                "made again."
            )
        try:
            stored = store.read()
        except TextError as error:
            self.notices.append(f"the vectors stored before are not used: {error}")
            return blocks
        if stored is not None and stored.meta.get("identity") == self.identity:
            self.limit = stored.meta.get("limit")
            blocks.append(stored.block())
        return blocks

    def _encode(self, new: list[str], reused: int) -> Iterator[Block]:
        texts = self.texts
        if not new:
            return
        if not self.encoder.incremental:
            corpus = [text for text in self.groups[0].texts if text is not None]
            with self.progress.working(len(new)):
                vectors = self.encoder.encode([texts[key] for key in new], corpus)
            yield Block(new, vectors, np.full(len(new), -1, np.int64))
            return
        tokens = self._count(new)
        order = sorted(range(len(new)), key=lambda n: (-tokens[n], -len(texts[new[n]]), new[n]))
        blocks = [order[n : n + KEPT_AT_ONCE] for n in range(0, len(order), KEPT_AT_ONCE)]
        batches = [[texts[new[row]] for row in rows] for rows in blocks]
        with self.progress.counting(len(new), reused) as advance:
            for n, vectors in self.encode_batches(batches):
                yield Block([new[row] for row in blocks[n]], vectors, tokens[blocks[n]])
                advance(len(blocks[n]))

    def _one_by_one(self, batches: Sequence[Sequence[str]]) -> Iterator[tuple[int, FloatArray]]:
        for n, batch in enumerate(batches):
            yield n, self.encoder.encode(batch)

    def _count(self, keys: list[str]) -> IntArray:
        """Number of tokens of each text; -1 if the encoder does not count."""
        counts = []
        progress = self.progress.doing_else("counting the tokens of", show=len(keys) > MANY)
        with progress.counting(len(keys), 0) as advance:
            for start in range(0, len(keys), COUNTED_AT_ONCE):
                some = [self.texts[key] for key in keys[start : start + COUNTED_AT_ONCE]]
                counted = self.encoder.count_tokens(some)
                if counted is None:  # then it does not count the others either
                    return np.full(len(keys), -1, np.int64)
                counts.append(counted)
                advance(len(some))
        self.limit = self.encoder.limit
        return np.concatenate(counts)

    def _check(self, block: Block) -> None:
        vectors = block.vectors
        width = vectors.shape[-1] if self.matrix is None else self.matrix.shape[1]
        expected = (len(block.keys), width)
        if vectors.shape != expected or not width:
            raise TextError(
                f"the encoder made {list(vectors.shape)} numbers where {list(expected)} were expected."
            )
        bad = ~np.isfinite(vectors).all(axis=1)
        if bad.any():
            raise TextError(
                f"the encoder made NaN or infinity of the text of {self.owners[block.keys[int(bad.argmax())]]}: "
                "correct the text or the model."
            )

    def _round(self, block: Block) -> Block:
        """Round to the stored precision, so that vectors in memory equal those that a later run reads."""
        with np.errstate(over="ignore"):
            vectors = block.vectors.astype(self.dtype)
        if not np.isfinite(vectors).all():
            raise TextError(
                "the encoder made numbers beyond 65,504, the largest of float16: pass --precision=float32."
            )
        return Block(block.keys, vectors, block.tokens)

    def _report_truncated(self) -> None:
        """Number of texts that the encoder's tokenizer cuts."""
        unknown = [key for key, row in self.rows.items() if self.tokens[row] < 0]
        if unknown and self.encoder.incremental:  # vectors of an earlier darec, or no counter
            self.tokens[[self.rows[key] for key in unknown]] = self._count(unknown)
        if not len(self.tokens) or self.tokens.min() < 0:
            return
        self.limit = self.limit or self.encoder.limit
        self.truncated = int((self.tokens > self.limit).sum()) if self.limit else 0
        if self.truncated:
            self.notices.append(
                f"{self.truncated} of {len(self.tokens)} texts {agreeing(self.truncated, 'is', 'are')} cut to "
                f"{self.limit} tokens."
            )

    def reduce(self, reduction: Reduction) -> None:
        """Set ``reduced``. Raises ``ConfigError``: see :class:`darec.text.reduce.Reduction`."""
        of_items = np.zeros(len(self.rows), np.bool_)
        of_items[[self.rows[key] for key in self.groups[0].keys if key is not None]] = True
        self.reduced, self.reduction = reduction.apply(self.full, of_items)
        if reduction.kind == "first":
            self.notices.append(
                f"the first {reduction.dim} of {self.full.shape[1]} dimensions are used. Only models trained for "
                "it (Matryoshka) keep their quality; use --pca for others."
            )

    @property
    def full(self) -> NDArray[Any]:
        """[n, d] the encoder's vectors, rounded to ``dtype``."""
        return np.empty((0, 0), self.dtype) if self.matrix is None else self.matrix

    @property
    def table(self) -> NDArray[Any]:
        """The vectors for readers: the reduced ones if there are any, else the full ones."""
        return self.full if self.reduced is None else self.reduced

    def _report_nothing_found(self) -> None:
        """Texts in which the encoder found nothing have rows of zeros and count as missing."""
        nothing = ~not_zero(self.full)
        if not self.vectors().item_mask.any():
            raise TextError("the encoder found nothing in the text of any item: check the texts.")
        if nothing.any() and self.encoder.reads == "text":
            first = next(key for key, row in self.rows.items() if nothing[row])
            self.notices.append(
                f"the encoder found nothing in {counted_noun(nothing.sum(), 'text')}"
                f" (first: {self.owners[first]}): they count as "
                "missing."
            )

    def index(self) -> pl.DataFrame:
        """The hash, the row and the number of tokens of each entity's text, in the form of the store."""
        frames = []
        for group in self.groups:
            rows = self._rows_of(group)
            tokens = np.where(rows < 0, -1, self.tokens[rows]) if len(self.tokens) else rows
            columns = {"kind": [group.kind] * len(rows), "id": group.ids, "sha256": group.keys}
            frame = pl.DataFrame({**columns, "row": rows, "tokens": tokens})
            unknown = pl.col("row", "tokens") < 0
            frames.append(
                frame.with_columns(pl.when(~unknown).then(pl.col("row", "tokens"))).cast(
                    INDEX_SCHEMA  # type: ignore[arg-type]
                )
            )
        return pl.concat(frames)

    def vectors(self) -> TextVectors:
        """The table with one row for each entity."""
        tables = [spread(self.table, self._rows_of(group)) for group in self.groups]
        return TextVectors(*tables[0], *(tables[1] if len(tables) > 1 else ()))

    def _rows_of(self, group: Entities) -> IntArray:
        return np.array([-1 if key is None else self.rows[key] for key in group.keys], np.int64)
