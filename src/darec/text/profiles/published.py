"""Read the profiles that ``darec profile`` has written for encoders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.text.profiles.schema import Kind
from darec.text.profiles.store import FOLDER, read_meta
from darec.text.sources import read_texts


def read_profiles(dataset: Dataset, name: str | None) -> dict[Kind, Mapping[str, str | None]]:
    """Text by id, of items and, if they have profiles, of users.

    Args:
        dataset: a dataset on disk.
        name: name of the set; None if there is only one.

    Raises:
        TextError: the set does not exist, there are several sets, files are damaged, or the users' profiles were made
            from other training items than the dataset has now.
    """
    if dataset.path is None:
        raise TextError("this dataset is in memory and has no profiles: save it first.")
    base = dataset.path / FOLDER
    names = sorted(file.parent.name for file in base.glob("*/meta.json"))
    if name is None and len(names) > 1:
        options = ", ".join(f"profiles:{option}" for option in names)
        raise TextError(f"{dataset.path} has several sets of profiles: choose from {options}.")
    if not names or (name is not None and name not in names):
        found = f"it has {', '.join(names)}" if names else "it has none"
        raise TextError(
            f"no profiles {name or ''} in {dataset.path} ({found}): run 'darec profile {dataset.path} --model MODEL'."
        )
    folder = base / (name or names[0])
    meta = read_meta(folder)
    texts: dict[Kind, Mapping[str, str | None]] = {}
    for kind in ("item", "user"):
        about = meta.get(kind, {})
        if not about.get("profiles"):
            continue
        if kind == "user" and about.get("dataset") != dataset.fingerprint():
            raise TextError(
                f"the users' profiles in {folder} were made from other training items than {dataset.path} has now, "
                "and would reveal held-out items: run 'darec profile' again."
            )
        texts[kind] = _read(folder / f"{kind}s.jsonl", kind, str(about.get("sha256")))
    if "item" not in texts:
        raise TextError(f"{folder} has no profiles of items: run 'darec profile --items' first.")
    return texts


def _read(path: Path, kind: Kind, expected: str) -> Mapping[str, str | None]:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise TextError(
            f"{path} has been changed since 'darec profile' wrote it: run that again, or pass your own file as the "
            "source."
        )
    return read_texts(path, kind)
