"""A bundle: a recommender that needs only its own folder.

A bundle is a folder::

    manifest.json          format, version, origin, hashes of all files; see darec.export.manifest scorer.safetensors
    the scorer (darec.scoring) users.parquet          user_id, in row order items.parquet          item_id, title, text
    and shown (the name on screen), in row order fields.parquet         item_id and the chosen fields of the items
    seen.safetensors       the items of each user, which are not listed again learned.safetensors    the items of each
    user in training, if these are fewer vectors.safetensors    language vectors of the items, used to diversify lists;
    optional index.faiss            index of the item table; optional, made by 'darec index' similar.faiss index of the
    same rows at unit length; optional reader.safetensors     the reader of new texts; optional, see darec.export.reader
    terms.parquet          terms of its encoder tfidf; optional

Nothing in it is executed. Arrays are memory-mapped: unused parts are not read, and processes share the rest. This
module imports neither training nor data sets; ``tests/test_architecture.py`` checks that.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from safetensors import safe_open

from darec.errors import ConfigError, DarecError, RunError
from darec.export.index import ItemIndex
from darec.export.manifest import check_files, read_manifest
from darec.export.search import Indexable, IndexSearch
from darec.files import DAMAGE
from darec.ids.idmap import IdMap
from darec.ids.names import ItemNames
from darec.listing.fields import OWN, ItemFields
from darec.listing.recommending import Recommending
from darec.scoring import Scorer
from darec.swap import MARKER, read_whole, settle
from darec.types import FloatArray, Interactions

SCORER: Final = "scorer.safetensors"
USERS: Final = "users.parquet"
ITEMS: Final = "items.parquet"
FIELDS: Final = "fields.parquet"
SEEN: Final = "seen.safetensors"
LEARNED: Final = "learned.safetensors"
VECTORS: Final = "vectors.safetensors"
INDEX: Final = "index.faiss"
SIMILAR: Final = "similar.faiss"
RUN_FILE: Final = "run.json"
"""Files that a run has and a bundle does not have."""
INDEX_VERSION: Final = 2
"""Version of the manifest's entry on indexes."""


class Bundle(Recommending):
    """An opened bundle (:func:`open_bundle`).

    Attributes:
        path: its folder.
        manifest: its description.
        scorer: computes the scores.
        users: ids of the users, in row order.
        items: ids of the items, in row order.
        titles: [I] the name of each item on screen.

    Args:
        path: its folder.
        manifest: that was read from it.
        index: search its indexes if it has any.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], *, index: bool = True) -> None:
        self.path, self.manifest = path, manifest
        self.scorer = Scorer.load(path / SCORER)
        self.scorer.trusted = (
            True  # it was checked at the export, and the hash shows that it is unchanged
        )
        types = manifest["ids"]
        self.users = IdMap("user", pl.read_parquet(path / USERS)["user_id"], types["user"])
        items = pl.read_parquet(path / ITEMS)
        self.items = IdMap("item", items["item_id"], types["item"])
        self.titles = items["shown"].alias("title")
        self.fields = ItemFields(items.select(OWN), pl.scan_parquet(path / FIELDS), str(path))
        self._seen = _pairs(path / SEEN)
        self._learned = _pairs(path / LEARNED) if LEARNED in manifest["files"] else self._seen
        self._vectors = _array(path / VECTORS) if VECTORS in manifest["files"] else None
        if index and INDEX in manifest["files"]:
            self.search = _search(path, manifest, self.scorer)

    def __repr__(self) -> str:
        made = self.manifest["run"]
        names = f"{made['backbone']} + {made['alignment']}"
        return f"<Bundle {names}, {len(self.users):,} users x {len(self.items):,} items at {self.path}>"

    @property
    def named(self) -> Bundle:
        """Ids, titles and fields of the bundle."""
        return self

    @cached_property
    def names(self) -> ItemNames:
        """Finds items by id or title."""
        return ItemNames(self.items.texts, self.titles.to_list())

    @property
    def seen(self) -> Interactions:
        """The items of each user."""
        return self._seen

    @property
    def learned(self) -> Interactions:
        """The items that each user had when the run was trained."""
        return self._learned

    def item_vectors(self) -> FloatArray:
        """[I, d] vectors whose cosine is the similarity of items: language vectors if it has them, else the item table.

        Raises:
            ConfigError: the bundle has neither.
        """
        vectors = self._vectors if self._vectors is not None else self.scorer.item_vectors()
        if vectors is None:
            raise ConfigError(
                f"the similarity of items is unknown: {self.path} has no item vectors. Encode the dataset, and "
                "export again."
            )
        return vectors


def open_bundle(path: str | Path, *, verify: bool = True, index: bool = True) -> Bundle:
    """Open a bundle.

    Args:
        path: its folder.
        verify: compare every file with its hash; this reads all of them once. Indexes are always compared.
        index: search the bundle's index if it has one; False: rank exactly.

    Raises:
        ConfigError: the bundle has an index, and faiss is not installed.
        RunError: there is no bundle, or it is incomplete, changed, damaged or of a later version.
        FolderError: its replacement was interrupted, and the folder cannot be written to finish it.
    """
    path = Path(path)
    if not path.is_dir():
        raise RunError(f"no bundle at {path}: make one with 'darec export RUN --out {path}'.")
    settle(path)
    if (path / RUN_FILE).is_file():
        raise RunError(
            f"{path} is a run and not a bundle: make one with 'darec export {path} --out FOLDER'."
        )
    if not (path / MARKER).is_file():
        raise RunError(
            f"{path} is not a complete bundle: its export was interrupted, or it is something else. Export again."
        )

    def read(content: bytes) -> Bundle:
        manifest = read_manifest(path, content)
        files = set(manifest["files"])
        # A damaged index would end the process that reads it.
        check_files(path, manifest, sorted(files if verify else files & {INDEX, SIMILAR}))
        return Bundle(path, manifest, index=index)

    try:
        return read_whole(path, read)
    except DarecError:
        raise
    except DAMAGE as error:
        raise RunError(f"{path} is damaged ({error}): export again.") from error


def _search(path: Path, manifest: dict[str, Any], scorer: Scorer) -> IndexSearch:
    """Return the search over the bundle's indexes.

    Raises ``RunError`` if they belong to another scorer or a later version.
    """
    about = manifest["index"]
    if about["version"] != INDEX_VERSION:
        raise RunError(
            f"the index in {path} has version {about['version']}, and this darec reads {INDEX_VERSION}: run 'darec "
            f"index {path}' again, or upgrade darec."
        )
    if about["scorer"] != manifest["files"][SCORER]["sha256"]:
        raise RunError(
            f"the index in {path} was made for another scorer than the bundle's: run 'darec index {path}' again."
        )
    parts = Indexable.of(scorer, about["scale"])
    size = scorer.n_items
    widths = {INDEX: sum(one.width for one, _ in parts.inner), SIMILAR: scorer.width}
    found = {
        name: ItemIndex.load(
            path / name, about["kind"], about["effort"][name], (size, widths[name])
        )
        for name in (INDEX, SIMILAR)
        if name in manifest["files"]
    }
    return IndexSearch(parts, found[INDEX], found.get(SIMILAR))


def _array(file: Path) -> FloatArray:
    with safe_open(file, "pt") as arrays:
        values: FloatArray = arrays.get_tensor("items").numpy()
    return values


def _pairs(file: Path) -> Interactions:
    """Map stored pairs; they are sorted already, so nothing is read before it is needed."""
    with safe_open(file, "pt") as arrays:
        users, items, indptr = (
            arrays.get_tensor(name).numpy() for name in ("users", "items", "indptr")
        )
        n_items = int(arrays.metadata()["n_items"])
    pairs = Interactions(users, items, len(indptr) - 1, n_items)
    pairs.__dict__["indptr"] = np.asarray(indptr)
    return pairs
