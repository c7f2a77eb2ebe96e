"""What a run's folder records of it: its settings, its dataset, its versions and how it was divided."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from darec.config import RunConfig
from darec.data.dataset import Dataset
from darec.errors import RunError
from darec.files import read_json
from darec.processes.choice import SHARDS, Shards
from darec.registry.origins import kept, origins_of
from darec.types import TextTable


def stored_config(folder: str | Path | None) -> Path | None:
    """The settings with which a run in ``folder`` began, which a resumed run uses by default."""
    file = Path(folder) / "config.yaml" if folder is not None else None
    return file if file is not None and file.is_file() else None


def edited(folder: Path, about: Mapping[str, Any]) -> bool:
    """Whether the settings of a run have changed since it began, according to ``about``."""
    return about.get("config") not in (None, digest((folder / "config.yaml").read_bytes()))


def digest(data: bytes) -> str:
    """The hash by which a changed ``config.yaml`` is known."""
    return hashlib.sha256(data).hexdigest()


def read_about(folder: Path) -> dict[str, Any]:
    """The content of a run's ``run.json``. Raises ``RunError`` if it is missing or damaged."""
    try:
        about = read_json(folder / "run.json")
        for name in ("dataset", "fingerprint", "text"):
            if not isinstance(about[name], str | None):
                raise TypeError(f"{name!r} is not text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"the run at {folder} is damaged (run.json: {error}): train it again."
        ) from error
    return about


def describe(
    config: RunConfig,
    text: TextTable | None = None,
    processes: int = 1,
    shards: Shards = "columns",
) -> dict[str, Any]:
    """The record of a run in addition to its settings and its dataset: versions, and a hash of the vectors it reads.

    ``processes``: the number of processes. If there are several, their number and the division of tables, ``shards``,
    are recorded too.
    """
    divided = {"processes": processes, "layout": shards} if processes > 1 else {}
    return {
        **divided,
        "text": text.fingerprint() if text else None,
        "parts": [
            kept(origin) for origin in origins_of(config.backbone.name, config.alignment.name)
        ],
        "darec": version("darec"),
        "torch": torch.__version__,
        "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def begun_shards(about: Mapping[str, Any]) -> Shards:
    """How the processes that began a run divided its tables; columns where one process began it."""
    layout = about.get("layout")
    return next((shards for shards in SHARDS if shards == layout), "columns")


def check_dataset(about: Mapping[str, Any], dataset: Dataset, path: Path) -> None:
    """Raise ``RunError`` unless the dataset is the one on which a run was trained."""
    if about["fingerprint"] != dataset.fingerprint():
        own = path / str(about.get("dataset", ""))
        where = (
            f"name its own, {own}" if "dataset" in about and own.is_dir() else "name the right one"
        )
        raise RunError(
            f"the run at {path} was trained on a dataset other than {dataset.path or 'this one'}: "
            f"ids or splits differ. Train again, or {where}."
        )
