"""Vectors of new texts, by the encoder that has encoded a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.registry.origins import origin_from, recall
from darec.text.inputs import SOURCES, TEXT, Entities, item_inputs, make_encoder
from darec.text.load import find_store
from darec.text.reduce import Reduction
from darec.types import FloatArray

WITNESSES = 3
FITTED: Final = "fitted_items"
"""Key in a store's ``meta.json``: the number of first items on which an encoder of the whole corpus was fitted."""
AGREEMENT = 0.999
"""Smallest accepted cosine between a stored vector and the same text encoded now. Other batches change only the last
digits."""


class NewTexts:
    """The encoder that ``darec encode`` used on a dataset, for new texts.

    Encoders that are fitted on the whole corpus (``tfidf``) are fitted again on the dataset's own texts, which gives
    the same vocabulary. New terms are ignored. Some stored texts are encoded again as a check: their vectors must equal
    the stored ones.

    Args:
        dataset: an encoded dataset on disk.
        encoder: as given to ``darec encode``; None is the most recent one.
        source: ``text`` or ``titles``.
        device: device of a neural encoder.
        looks_up: also accept encoders that look vectors up by id; they get ids instead of texts.

    Attributes:
        name: name of the encoder.
        encoder: the encoder.
        meta: metadata of the store.

    Raises:
        TextError: there are no stored vectors, or they are vectors of ids or of profiles, which new texts do not have.
        ConfigError: the encoder needs a package that is not installed, or its files have moved.
    """

    def __init__(
        self,
        dataset: Dataset,
        encoder: str | None = None,
        *,
        source: str = TEXT,
        device: str = "cpu",
        looks_up: bool = False,
    ) -> None:
        if source not in (TEXT, "titles"):
            raise TextError(
                f"the vectors of {source!r} cannot be made for new items, because such texts are neither in the "
                f"dataset nor in a file of new items. Train on {SOURCES[0]} or {SOURCES[1]}."
            )
        self.name, self._store = find_store(dataset, encoder, source)
        stored = self._store.read()
        if stored is None:  # another process is replacing it
            raise TextError(f"{self._store.folder} has no vectors: run 'darec encode' first.")
        if stored.meta["reads"] != "text" and not looks_up:
            raise TextError(
                f"encoder {self.name!r} looks vectors up and cannot encode new texts: add the new items' vectors to "
                "its file and import them, or encode with tfidf, minilm or another model of text."
            )
        known = item_inputs(dataset, stored.meta["reads"], source)
        # Items that were added later were encoded with the encoder fitted on the first items: see darec.text.extended.
        n = stored.meta.get(FITTED, len(known.ids))
        self._known = Entities("item", known.ids[:n], known.texts[:n], known.keys[:n])
        self._stored = stored
        if stored.meta.get("part"):
            recall(origin_from(stored.meta["part"]), f"the vectors in {self._store.folder}")
        self.meta = stored.meta
        self.encoder, _ = make_encoder(self.name, stored.meta["options"], device=device)

    @property
    def corpus(self) -> list[str]:
        """The dataset's own texts."""
        return [text for text in self._known.texts if text is not None]

    @property
    def reduced_from(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """[n, d] the stored vectors before a reduction, and [n] whether the reduction was fitted on each."""
        rows = self._stored.find("sha256", self._known.keys)
        fit_on = np.zeros(len(self._stored.full), np.bool_)
        fit_on[rows[rows >= 0]] = True
        return self._stored.full, fit_on

    def encode(self, texts: Sequence[str | None]) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The vectors of some texts.

        Args:
            texts: n texts; None or blank for a missing one.

        Returns:
            [n, d_L] float32 and [n] bool: False (and zeros) if there is no text or the encoder found nothing in it.

        Raises:
            TextError: the encoder no longer makes the stored vectors.
        """
        _, vectors = self.both(texts)
        found: NDArray[np.bool_] = np.any(vectors, axis=1)
        return vectors, found

    def both(self, texts: Sequence[str | None]) -> tuple[FloatArray, FloatArray]:
        """The encoder's vectors, [n, d], and the same after a reduction, [n, d_L]."""
        new = Entities.make("item", [""] * len(texts), texts).texts
        present = [row for row, text in enumerate(new) if text is not None]
        stored = self._stored
        rows = stored.find("sha256", self._known.keys)
        known = [
            (text, row)
            for text, row in zip(self._known.texts, rows, strict=True)
            if text is not None and row >= 0
        ]
        witnesses = known[:: max(1, len(known) // WITNESSES)][:WITNESSES]
        made = self.encoder.encode(
            [text for text, _ in witnesses] + [str(new[row]) for row in present],
            None if self.encoder.incremental else self.corpus,
        )
        self._check(made[: len(witnesses)], stored.full[[row for _, row in witnesses]])
        full = np.zeros((len(texts), stored.full.shape[1]), np.float32)
        full[present] = made[len(witnesses) :]
        vectors = np.zeros((len(texts), stored.vectors.shape[1]), np.float32)
        vectors[present] = self._reduced(full[present])
        return full, vectors

    def _reduced(self, made: FloatArray) -> FloatArray:
        """Reduce vectors to the stored dimensions."""
        about = self.meta.get("reduction")
        if not about:
            return made
        reduced, _ = Reduction(about["kind"], about["dim"]).fit(*self.reduced_from)
        return np.asarray(reduced(made), np.float32)

    def _check(self, now: FloatArray, then: NDArray[Any]) -> None:
        same = now.shape == then.shape
        if same:
            lengths = np.linalg.norm(now, axis=1) * np.linalg.norm(then, axis=1)
            same = bool(((now * then).sum(axis=1) >= AGREEMENT * lengths).all())
        if not same:
            raise TextError(
                f"encoder {self.name!r} no longer makes the vectors that are stored in {self._store.folder} (other "
                "weights, texts or version): encode the dataset again and train again."
            )
