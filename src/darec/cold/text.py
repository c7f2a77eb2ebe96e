"""The text vectors of a run: the stored vectors of its warm items, and vectors of new texts by the same encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darec.run import Run
from darec.text import load_text
from darec.text.new import NewTexts
from darec.types import FloatArray


class RunText:
    """Vectors of warm and new items in one space, with the run's sources concatenated.

    A run without text uses the most recent embeddings.

    Args:
        run: a run on an encoded dataset on disk.
        device: device of a neural encoder.

    Attributes:
        items: [I, d_L] float32; the mean for an item without text.
        known: [I] bool, False if an item has no text in one of the sources.
        encoders: encoders of new texts, one for each source.

    Raises:
        TextError: there are no stored vectors, or the encoder or source cannot be used for new texts.
    """

    def __init__(self, run: Run, *, device: str = "cpu") -> None:
        settings = run.config.text
        self.sources = settings.sources
        tables = [
            load_text(run.dataset, settings.encoder, sources=(source,)) for source in self.sources
        ]
        self.encoders = [
            NewTexts(run.dataset, table.name, source=source, device=device)
            for source, table in zip(self.sources, tables, strict=True)
        ]
        self._means = [table.items[table.item_mask].mean(axis=0) for table in tables]
        self.items: FloatArray = np.concatenate([table.items for table in tables], axis=1)
        self.known: NDArray[np.bool_] = np.all([table.item_mask for table in tables], axis=0)

    def encode(
        self, texts: Sequence[str | None], titles: Sequence[str | None]
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """[n, d_L] float32 and [n] bool: False if no source has text, and the row is then the mean.

        Args:
            texts: texts of n items, None for a missing one.
            titles: titles of n items, None for a missing one.
        """
        made, found = [], np.zeros(len(texts), bool)
        for encoder, mean, source in zip(self.encoders, self._means, self.sources, strict=True):
            vectors, there = encoder.encode(titles if source == "titles" else texts)
            made.append(np.where(there[:, None], vectors, mean))
            found |= there
        return np.concatenate(made, axis=1), found
