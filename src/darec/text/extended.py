"""The language vectors of a dataset with added items: the stored vectors, followed by those of the new items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from darec.data.dataset import Dataset
from darec.text.inputs import TEXT, Entities, item_inputs
from darec.text.load import find_store
from darec.text.new import FITTED, NewTexts
from darec.text.store import INDEX_SCHEMA, Stored


def extended_vectors(
    dataset: Dataset, grown: Dataset, encoder: str, source: str = TEXT, *, device: str = "cpu"
) -> tuple[str, Stored]:
    """Encode the new items in the same way as the others.

    An encoder that is fitted on the whole corpus (``tfidf``) remains fitted on its first corpus, and so does a
    reduction of dimensions. The new vectors are therefore in the same space as those from which the model learned.

    New items have no profiles and no texts from files, so they get no vectors for these sources.

    Args:
        dataset: the encoded dataset.
        grown: the same dataset with new users and items at the end (:mod:`darec.data.growth`).
        encoder: as given to ``darec encode``.
        source: as given to ``darec encode``.
        device: device of a neural encoder.

    Returns:
        The name of the store's folder, and its new content.

    Raises:
        TextError: there are no stored vectors, or the encoder no longer makes the stored vectors.
    """
    _, store = find_store(dataset, encoder, source)
    stored = store.read()
    assert stored is not None  # find_store has read the metadata
    meta = {FITTED: dataset.n_items, **stored.meta}
    if (
        meta.get("fingerprint") is not None
    ):  # users' texts were made from fewer interactions, so they cannot reveal held-out ones
        meta["fingerprint"] = grown.fingerprint()
    new = Entities.make(
        "item", grown.items.texts[dataset.n_items :], _texts(dataset, grown, source, meta["reads"])
    )
    missing = [key for key in dict.fromkeys(new.keys) if key is not None]
    missing = [
        key for key, row in zip(missing, stored.find("sha256", missing), strict=True) if row < 0
    ]
    full, vectors = stored.full, stored.vectors
    rows = dict(zip(new.keys, stored.find("sha256", new.keys).tolist(), strict=True))
    if missing:
        text_of = dict(zip(new.keys, new.texts, strict=True))
        made, reduced = NewTexts(
            dataset, encoder, source=source, device=device, looks_up=True
        ).both([text_of[key] for key in missing])
        rows |= {key: len(full) + place for place, key in enumerate(missing)}
        own = vectors is full
        full = np.concatenate([full, made.astype(full.dtype)])
        vectors = full if own else np.concatenate([vectors, reduced.astype(vectors.dtype)])
    index = pl.DataFrame(
        {
            "kind": "item",
            "id": new.ids,
            "sha256": new.keys,
            "row": [None if key is None else rows[key] for key in new.keys],
            "tokens": None,
        },
        INDEX_SCHEMA,
    )
    return store.folder.name, replace(
        stored, meta=meta, index=pl.concat([stored.index, index]), full=full, vectors=vectors
    )


def _texts(dataset: Dataset, grown: Dataset, source: str, reads: str) -> list[str | None]:
    """The text of each new item that the encoder reads; empty if the source is not part of a dataset."""
    if source not in (TEXT, "titles"):
        return [None] * (grown.n_items - dataset.n_items)
    return item_inputs(grown, reads, source).texts[dataset.n_items :]
