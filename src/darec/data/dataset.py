"""A dataset: id maps, the three splits, the items' texts and a manifest, in memory and on disk.

On disk a dataset is a folder::

    manifest.json          schema version, counts, types of the ids, hashes of the sources, options of the import
    users.parquet          user_id, in row order
    items.parquet          item_id, title, text, in row order
    items_fields.parquet   item_id and the other fields of the items' file, for filters
    train.npy              [2, E] rows of users and of items, sorted; likewise valid.npy and test.npy
    interactions.parquet   user, item (rows) and split of all pairs, for other programs; darec does not read it
    cold-*.parquet         items held out altogether and their interactions (see darec.data.cold)
    text/ENCODER/          vectors made by ``darec encode`` (see darec.text.store)
    profiles/NAME/         answers of a language model, by ``darec profile`` (see darec.text.profiles.store)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import polars as pl

from darec.data.cold import HeldOut, read_cold, write_cold
from darec.data.stored_pairs import read_pairs, stamps, unchanged, write_copy, write_pairs
from darec.errors import DataError
from darec.files import DAMAGE, is_free, parse_json, write_json, write_parquet
from darec.ids.idmap import IdMap
from darec.ids.names import ItemNames
from darec.listing.fields import ItemFields
from darec.swap import MARKER, read_whole, replacing, settle
from darec.tabular import html_summary
from darec.types import Interactions

SCHEMA_VERSION: Final = 2
READ_VERSIONS: Final = (1, SCHEMA_VERSION)
FIELDS: Final = "items_fields.parquet"
COPY: Final = "interactions.parquet"  # in the first schema version the only file of the pairs
SPLITS: Final = ("train", "valid", "test")
_STAMPS: Final = "stamps"
_POSED: Final = ("users.parquet", "items.parquet", *(f"{name}.npy" for name in SPLITS))
"""The files from which the fingerprint is computed."""


class Vectors(Protocol):
    """Language vectors in memory (:class:`darec.text.store.Stored`)."""

    def save(self, folder: Path) -> None:
        """Write them as the store of a folder."""


@dataclass(frozen=True, repr=False)
class Dataset:
    """Interactions in three splits over one id space, with the text of every item.

    Attributes:
        users: the users' ids; U = ``len(users)``.
        items: the items' ids; I = ``len(items)``.
        train: training pairs. Evaluation masks them; graphs and user texts are made from them alone.
        valid: validation pairs, by which everything is chosen.
        test: test pairs.
        catalogue: one row for each item, in row order: ``item_id`` as text, ``title`` and ``text`` (null if missing).
        manifest: how the dataset was made; see :mod:`darec.data.dataset`.
        path: the folder it was loaded from or saved to.
        cold: items that are not among these: the split ``cold-items`` holds them out of training altogether, for
            ``valid`` and for ``test``. It is empty for every other split.
        vectors: language vectors that :func:`darec.encode_dataset` made of a dataset in memory, by the name of their
            folder; those of a dataset on disk are in that folder.
        extra: ``item_id`` and further fields of every item, in row order (see :attr:`fields`); None if there are none.
    """

    users: IdMap
    items: IdMap
    train: Interactions
    valid: Interactions
    test: Interactions
    catalogue: pl.DataFrame
    manifest: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    cold: Mapping[str, HeldOut] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict, compare=False)
    extra: pl.LazyFrame | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        pairs = ", ".join(f"{len(self.split(name)):,} {name}" for name in SPLITS)
        return f"<Dataset {self.n_users:,} users x {self.n_items:,} items, {pairs}{where}>"

    def _repr_html_(self) -> str:
        counts = {name: f"{len(self.split(name)):,} interactions" for name in SPLITS}
        sizes = {"users": f"{self.n_users:,}", "items": f"{self.n_items:,}"}
        return html_summary(f"Dataset {self.path or 'in memory'}", {**sizes, **counts})

    def split(self, name: str) -> Interactions:
        """The pairs of ``train``, ``valid`` or ``test``. Raises ``DataError`` on another name."""
        if name not in SPLITS:
            raise DataError(f"no split {name!r}: choose from {', '.join(SPLITS)}.")
        pairs: Interactions = getattr(self, name)
        return pairs

    @property
    def n_users(self) -> int:
        """U."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """I."""
        return len(self.items)

    def merged(self) -> Dataset:
        """The same dataset with every interaction in ``train``: nothing is held out.

        Its folder is that of this dataset, which does not change.

        Raises:
            DataError: the dataset holds items out of training altogether.
        """
        if self.cold:
            raise DataError(
                f"{self.path or 'the dataset'} holds cold items out of training: to train on all items, import the "
                "sources again with another split."
            )
        if not len(self.valid) and not len(self.test):
            return self
        none = np.zeros(0, np.int64)
        empty = Interactions.from_pairs(none, none, self.n_users, self.n_items)
        train = self.train.union(self.valid).union(self.test)
        manifest = {**self.manifest, "merged_from": self.fingerprint()}
        return replace(self, train=train, valid=empty, test=empty, manifest=manifest)

    def title(self, item: int) -> str:
        """The name of an item on screen: its title, or else its text, or else its id."""
        return str(self.titles[item])

    @cached_property
    def titles(self) -> pl.Series:
        """[I] the name of each item on screen; see :meth:`title`."""
        named = [pl.col(name).replace("", None) for name in ("title", "text")]
        return self.catalogue.select(title=pl.coalesce(*named, "item_id"))["title"]

    @cached_property
    def names(self) -> ItemNames:
        """Finds items by id, or by their name on screen."""
        return ItemNames(self.items.texts, self.titles.to_list())

    @property
    def text_remedy(self) -> str:
        """Advice if no item has text: name the items' file, or other fields of the items."""
        fields = self.manifest.get("options", {}).get("text_fields")
        if fields is None:
            return "import it with --items."
        held = (
            f"the fields {', '.join(map(repr, fields))} hold none"
            if fields
            else "no field holds words"
        )
        return f"items were imported and {held}. Import again and name fields with --text-fields."

    @cached_property
    def fields(self) -> ItemFields:
        """The fields of the items: those of the catalogue, and the other fields of the items' file."""
        return ItemFields(self.catalogue, self.extra, str(self.path or "the dataset"))

    def fingerprint(self) -> str:
        """Hash of ids and splits, which is equal for two datasets exactly if these are equal.

        It is computed once. A loaded dataset takes it from its manifest, as long as its files have the size and the
        time that the manifest names.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for ids in (self.users.texts, self.items.texts):
            digest.update("\n".join(ids).encode() + b"\0")
        for name in SPLITS:
            for keys, _, _ in self.split(name).blocks():
                digest.update(keys.data)
            digest.update(b"\0")
        return digest.hexdigest()

    def save(self, path: str | Path, *, overwrite: bool = False) -> Dataset:
        """Write the dataset as a folder; it appears whole or not at all.

        Vectors and profiles of an overwritten dataset are kept. They are found by the hash of their text, so those that
        still fit are used.

        Raises:
            DataError: ``path`` exists already and ``overwrite`` is off, or is no dataset.
            FolderError: another process writes to ``path``, or it cannot be written.
        """
        path = Path(path)
        manifest = {
            **self.manifest,
            "schema_version": SCHEMA_VERSION,
            "fingerprint": self.fingerprint(),
            "ids": {"user": self.users.type, "item": self.items.type},
            "counts": {
                "users": self.n_users,
                "items": self.n_items,
                **{name: len(self.split(name)) for name in SPLITS},
            },
        }
        with replacing(path, lambda: _check_target(path, overwrite=overwrite)) as new:
            ids = pl.DataFrame({"user_id": self.users.texts}, schema={"user_id": pl.String})
            write_parquet(new / "users.parquet", ids)
            write_parquet(new / "items.parquet", self.catalogue)
            if self.extra is not None:
                write_parquet(new / FIELDS, self.extra.collect())
            for name in SPLITS:
                write_pairs(new / f"{name}.npy", self.split(name))
            write_cold(self.cold, new)
            write_copy(new / COPY, {name: self.split(name) for name in SPLITS})
            manifest["files"] = sorted(file.name for file in new.iterdir())
            write_json(new / MARKER, {**manifest, _STAMPS: stamps(new, _POSED)})
        for name, vectors in self.vectors.items():
            vectors.save(path / "text" / name)
        saved = replace(self, manifest=manifest, path=path, vectors={}, extra=_extra(path))
        saved.__dict__["_fingerprint"] = manifest["fingerprint"]
        return saved

    @classmethod
    def load(cls, path: str | Path) -> Dataset:
        """Read a folder written by :meth:`save`.

        Raises:
            DataError: the folder does not exist, is not a dataset, has another schema version, or has a damaged file.
        """
        path = Path(path)
        if not path.is_dir():
            raise DataError(f"no dataset at {path}: make one with 'darec import ... --out {path}'.")
        if not is_dataset(path):
            raise DataError(
                f"{path} has no manifest.json, so it is not a dataset: make one with 'darec import'."
            )
        try:
            return read_whole(path, lambda marker: cls._read(path, parse_json(marker)))
        except DataError:
            raise
        except DAMAGE as error:
            raise DataError(f"{path} is damaged ({error}): import the sources again.") from error

    @classmethod
    def _read(cls, path: Path, manifest: dict[str, Any]) -> Dataset:
        """The dataset whose manifest this is."""
        version = manifest["schema_version"]
        if version not in READ_VERSIONS:
            raise DataError(
                f"{path} has schema version {version} and this darec reads {SCHEMA_VERSION}: "
                "import the sources again."
            )
        stamped = manifest.pop(_STAMPS, {})
        for name in manifest.get("files", ()):
            if name != COPY and not (path / name).is_file():
                raise DataError(f"{path} is damaged (no file {name}): import the sources again.")
        types = manifest.get("ids", {})  # text in datasets of earlier versions
        user_ids = pl.read_parquet(path / "users.parquet")["user_id"]
        users = IdMap("user", user_ids, types.get("user", "string"))
        catalogue = pl.read_parquet(path / "items.parquet")
        items = IdMap("item", catalogue["item_id"], types.get("item", "string"))
        as_written = unchanged(path, stamped)
        splits: dict[str, Any] = (
            _splits_of_first_version(path, len(users), len(items))
            if version == 1
            else {
                name: read_pairs(path / f"{name}.npy", len(users), len(items), trusted=as_written)
                for name in SPLITS
            }
        )
        cold = read_cold(path, len(users))
        dataset = cls(
            users,
            items,
            **splits,
            catalogue=catalogue,
            manifest=manifest,
            path=path,
            cold=cold,
            extra=_extra(path),
        )
        if as_written:
            dataset.__dict__["_fingerprint"] = manifest["fingerprint"]
        return dataset


def _splits_of_first_version(path: Path, n_users: int, n_items: int) -> dict[str, Interactions]:
    pairs = pl.read_parquet(path / COPY)
    splits = {}
    for name in SPLITS:
        rows = pairs.filter(pl.col("split") == name)
        splits[name] = Interactions.from_pairs(
            rows["user"].to_numpy(), rows["item"].to_numpy(), n_users, n_items
        )
    return splits


def _extra(path: Path) -> pl.LazyFrame | None:
    """Further fields of the items. They are read when they are needed."""
    return pl.scan_parquet(path / FIELDS) if (path / FIELDS).is_file() else None


def is_dataset(path: Path) -> bool:
    """Whether there is a dataset at the path. If an overwriting was interrupted, the dataset is restored first."""
    settle(path)
    return (path / MARKER).is_file()


def check_target(path: Path, *, overwrite: bool) -> None:
    """Check that a dataset may be written to ``path``: it is free, an empty folder, or a dataset to be overwritten.

    Raises:
        DataError: it may not be written.
    """
    settle(path)
    _check_target(path, overwrite=overwrite)


def _check_target(path: Path, *, overwrite: bool) -> None:
    if is_free(path):
        return
    if not (path / MARKER).is_file():
        raise DataError(f"{path} exists already and is not a dataset: choose another --out.")
    if not overwrite:
        raise DataError(f"{path} exists already: choose another --out, or pass --overwrite.")
