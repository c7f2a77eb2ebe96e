"""Read a dataset's stored language vectors as E_L."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.text.combine import Combine, combine_tables
from darec.text.inputs import TEXT, item_inputs, store_name
from darec.text.store import MemoryStore, TextStore
from darec.text.table import spread
from darec.text.users import TextVectors, UserPooling, make_table
from darec.types import TextTable
from darec.wording import agreeing, counted_noun


def stored_encoders(dataset: Dataset) -> list[str]:
    """The encoders whose vectors of the items' text are stored in a dataset, the most recent first."""
    return [name for name, source, _ in _stores(dataset, None) if source == TEXT]


def load_text(
    dataset: Dataset | str | Path,
    encoder: str | None = None,
    *,
    sources: Sequence[str] = (TEXT,),
    combine: Combine = "concat",
    pooling: UserPooling = "mean",
) -> TextTable:
    """Load E_L as ``darec encode`` stored it, with users' vectors from their own texts or from their training items.

    Args:
        dataset: a dataset, or its folder.
        encoder: as given to ``darec encode``. With None, the encoder with the most recent vectors of the first source.
        sources: as given to ``darec encode``; several are combined.
        combine: how several sources are combined (see :mod:`darec.text.combine`).
        pooling: how a user's vector is made from training items (see :mod:`darec.text.users`). It is not used if there
            are texts about users.

    Raises:
        TextError: there are no vectors for this encoder and source, files are damaged, the text of items has changed
            since, or the users' profiles were made for another split.
    """
    dataset = dataset if isinstance(dataset, Dataset) else Dataset.load(dataset)
    tables: list[TextTable] = []
    for source in sources:
        encoder, store = find_store(dataset, encoder, source)
        vectors = _read(dataset, encoder, source, store)
        tables.append(make_table(vectors, dataset.train, pooling, encoder))
    return combine_tables(tables, combine)


def find_store(dataset: Dataset, encoder: str | None, source: str) -> tuple[str, TextStore]:
    """The store of an encoder and source. Without an encoder, the most recent one."""
    folder = None if encoder is None else store_name(encoder, source)
    stores = _stores(dataset, folder)
    for name, of, store in stores:
        if of == source and (encoder is None or encoder == name or folder == store.folder.name):
            return name, store
    names = [name if of == TEXT else f"{name} of {of}" for name, of, _ in stores]
    stored = f"it has {', '.join(names)}" if names else "it has none"
    where = dataset.path or "this dataset"
    remedy = _how_to_encode(dataset, encoder or "tfidf", source)
    if source != TEXT:
        by = encoder or "any encoder"
        raise TextError(f"no vectors of {source} in {where} by {by} ({stored}): {remedy}.")
    raise TextError(
        f"no vectors of encoder {encoder!r} in {where} ({stored}): {remedy}."
        if encoder
        else f"no language vectors in {where}: {remedy}."
    )


def _how_to_encode(dataset: Dataset, encoder: str, source: str) -> str:
    if dataset.path is None:
        more = "" if source == TEXT else f", source={source!r}"
        return f"call darec.encode_dataset(data, {encoder!r}{more}), or fit with text={encoder!r}"
    more = "" if source == TEXT else f" --text {source}"
    return f"run 'darec encode {dataset.path} --encoder {encoder}{more}'"


def _stores(dataset: Dataset, wanted: str | None) -> list[tuple[str, str, TextStore]]:
    """Encoders, sources and their stores, the most recent first. A damaged store that is not needed is skipped."""
    found = []
    stores: list[TextStore] = [MemoryStore(dataset.vectors, name) for name in dataset.vectors]
    if dataset.path is not None:
        files = (dataset.path / "text").glob("*/meta.json")
        stores += [TextStore(meta_file.parent) for meta_file in files]
    for store in stores:
        try:
            meta = store.meta()
        except TextError:
            if wanted in (None, store.folder.name):
                raise
            continue
        if meta is not None:
            about = str(meta["encoder"]), str(meta.get("source", TEXT))
            found.append((str(meta["written"]), *about, store))
    return [row[1:] for row in sorted(found, key=lambda row: row[:3], reverse=True)]


def _read(dataset: Dataset, name: str, source: str, store: TextStore) -> TextVectors:
    stored = store.read()
    if stored is None or store_name(name, source) != store.folder.name:
        raise TextError(f"{store.folder} has no vectors of encoder {name!r}: encode again.")
    again = _how_to_encode(dataset, name, source)
    known = dataset.fingerprint(), dataset.manifest.get("merged_from")
    if stored.meta.get("fingerprint") not in (None, *known):
        raise TextError(
            f"the vectors in {store.folder} come from users' profiles that were made from other training items: "
            f"run 'darec profile' again, and {again} again."
        )
    if source in (TEXT, "titles"):
        items = item_inputs(dataset, stored.meta["reads"], source)
        item_rows = stored.find("sha256", items.keys)
        changed = [n for n in np.flatnonzero(item_rows < 0) if items.keys[n] is not None]
        if changed:
            raise TextError(
                f"{counted_noun(len(changed), 'item')} of {dataset.path or 'this dataset'} "
                f"{agreeing(len(changed), 'is new or has', 'are new or have')} other text since {name!r} "
                f"was encoded (first: {items.ids[changed[0]]!r}): {again} again."
            )
    else:  # texts that are not part of the dataset: the encoded ones are used
        item_rows = stored.find("id", dataset.items.texts, "item")
    tables = spread(stored.vectors, item_rows)
    if not stored.meta["user_texts"]:
        return TextVectors(*tables)
    user_rows = stored.find("id", dataset.users.texts, "user")
    return TextVectors(*tables, *spread(stored.vectors, user_rows))
