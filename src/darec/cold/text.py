"""The text that a run reads: vectors of its warm items as they are stored, and of new texts by the same encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from darec.run import Run
from darec.text import load_text
from darec.text.new import NewTexts
from darec.types import FloatArray


class RunText:
    """Vectors of items old and new in one space, the run's sources side by side as the encoders made them.

    A run without text is taken to read what was encoded last.

    Args:
        run: on a dataset that is on disk and encoded.
        device: where a neural encoder runs.

    Attributes:
        items: [I, d_L] float32; the mean where an item has no text.
        known: [I] bool, False where an item lacks one of the sources.
        encoders: of new texts, one a source.

    Raises:
        TextError: nothing stored, or an encoder or source that new texts cannot go through.
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
        """[n, d_L] float32, and [n] bool: False where no source says anything, and the row is the mean.

        Args:
            texts: of n items, None where missing.
            titles: likewise.
        """
        made, found = [], np.zeros(len(texts), bool)
        for encoder, mean, source in zip(self.encoders, self._means, self.sources, strict=True):
            vectors, there = encoder.encode(titles if source == "titles" else texts)
            made.append(np.where(there[:, None], vectors, mean))
            found |= there
        return np.concatenate(made, axis=1), found
