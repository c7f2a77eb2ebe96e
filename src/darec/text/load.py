"""Read a dataset's stored language vectors as E_L."""

from __future__ import annotations

from pathlib import Path

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.text.inputs import item_inputs, slug
from darec.text.job import spread
from darec.text.store import TextStore
from darec.text.users import TextVectors, UserPooling, make_table
from darec.types import TextTable


def stored_encoders(dataset: Dataset) -> list[str]:
    """The encoders whose vectors a dataset has, the most recently written first."""
    return [name for name, _ in _stores(dataset, None)]


def load_text(
    dataset: Dataset | str | Path, encoder: str | None = None, *, user_pooling: UserPooling = "mean"
) -> TextTable:
    """E_L as ``darec encode`` left it, with users' vectors from their own texts or from their training items.

    Args:
        dataset: a dataset on disk, or its folder.
        encoder: as given to ``darec encode``; None: the one written last.
        user_pooling: how training items make a user's vector (see :mod:`darec.text.users`); not used where the
            vectors were made with texts about users.

    Raises:
        TextError: nothing stored for this encoder, damaged files, or items whose text has changed since.
    """
    dataset = dataset if isinstance(dataset, Dataset) else Dataset.load(dataset)
    if dataset.path is None:
        raise TextError(
            "this dataset is in memory and has no stored vectors: save it first, or use darec.text.embed."
        )
    stores = _stores(dataset, encoder)
    wanted = [
        (name, store)
        for name, store in stores
        if encoder is None or encoder in (name, store.folder.name)
    ]
    if not wanted:
        stored = f"it has {', '.join(name for name, _ in stores)}" if stores else "it has none"
        raise TextError(
            f"no vectors of encoder {encoder!r} in {dataset.path} ({stored}): "
            f"run 'darec encode {dataset.path} --encoder {encoder}'."
            if encoder
            else f"no language vectors in {dataset.path}: run 'darec encode {dataset.path} --encoder tfidf'."
        )
    name, store = wanted[0]
    return make_table(_read(dataset, name, store), dataset.train, user_pooling, name)


def _stores(dataset: Dataset, wanted: str | None) -> list[tuple[str, TextStore]]:
    """Encoders and their stores, latest first. A damaged store that is not wanted is passed over."""
    found = []
    if dataset.path is not None:
        for meta_file in (dataset.path / "text").glob("*/meta.json"):
            store = TextStore(meta_file.parent)
            try:
                meta = store.meta()
            except TextError:
                if wanted is None or store.folder.name in (wanted, slug(wanted)):
                    raise
                continue
            if meta is not None:
                found.append((str(meta["written"]), str(meta["encoder"]), store))
    return [(name, store) for _, name, store in sorted(found, key=lambda f: f[:2], reverse=True)]


def _read(dataset: Dataset, name: str, store: TextStore) -> TextVectors:
    stored = store.read()
    if stored is None or slug(name) != store.folder.name:
        raise TextError(f"{store.folder} does not hold encoder {name!r}: encode again.")
    rows = stored.rows()
    items = item_inputs(dataset, stored.meta["reads"])
    changed = [n for n, key in enumerate(items.keys) if key is not None and key not in rows]
    if changed:
        raise TextError(
            f"{len(changed)} items of {dataset.path} are new or have other text since {name!r} was encoded (first: "
            f"{items.ids[changed[0]]!r}): run 'darec encode {dataset.path} --encoder {name}' again."
        )
    item_table, item_mask = spread(stored.vectors, [rows.get(key or "") for key in items.keys])
    if not stored.meta["user_texts"]:
        return TextVectors(item_table, item_mask)
    users = stored.index.filter(kind="user")
    by_id = dict(zip(users["id"].to_list(), users["row"].to_list(), strict=True))
    return TextVectors(
        item_table,
        item_mask,
        *spread(stored.vectors, [by_id.get(user) for user in dataset.users.ids]),
    )
