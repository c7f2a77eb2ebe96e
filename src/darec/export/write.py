"""Exports a run as a bundle."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from darec.errors import FolderError
from darec.export.bundle import (
    FIELDS,
    ITEMS,
    LEARNED,
    SCORER,
    SEEN,
    USERS,
    VECTORS,
    Bundle,
    open_bundle,
)
from darec.export.manifest import is_bundle, marker_text, sealed
from darec.export.reading import save_reader
from darec.files import is_free, writing
from darec.listing.fields import OWN
from darec.run import Run
from darec.swap import MARKER, replacing
from darec.types import Interactions


def export_bundle(
    run: Run | str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    fields: Iterable[str] | None = None,
    text: bool = True,
    vectors: bool = True,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle: one folder with all that serving needs from a run. It appears complete or not at all.

    Args:
        run: a finished run, or its folder.
        out: the folder to write.
        data: the run's dataset, if it has moved.
        fields: of the items, which are kept for conditions; None: all.
        text: keep the items' texts; explanations take words from them.
        vectors: keep the items' language vectors, if there are any, and the reader of new texts. Without them lists are
            diversified by the item table, and the bundle reads no new texts.
        overwrite: replace an existing bundle.

    Returns:
        The bundle, opened from the folder.

    Raises:
        RunError: the run does not exist, or its scores are not finite.
        ConfigError: the items do not have a field.
        FolderError: ``out`` exists, another process writes it, or it cannot be written.
    """
    run = run if isinstance(run, Run) else Run.load(run, dataset=data)
    path = Path(out)
    run.scorer.check()
    kept = run.dataset.fields.columns(_chosen(run, fields))
    ids = pl.DataFrame({"item_id": run.dataset.items.texts}, {"item_id": pl.String})
    check = partial(_check_target, path, overwrite=overwrite)
    with writing(path), replacing(path, check) as new:
        run.scorer.save(new / SCORER)
        users = {"user_id": run.dataset.users.texts}
        pl.DataFrame(users, {"user_id": pl.String}).write_parquet(new / USERS)
        catalogue = run.dataset.catalogue.select(OWN).with_columns(shown=run.dataset.titles)
        if not text:
            catalogue = catalogue.with_columns(text=pl.lit(None, pl.String))
        catalogue.write_parquet(new / ITEMS)
        pl.concat([ids, kept], how="horizontal").write_parquet(new / FIELDS)
        _save_pairs(run.seen, new / SEEN)
        if len(run.learned) < len(run.seen):
            _save_pairs(run.learned, new / LEARNED)
        if vectors and run.has_language_vectors:
            save_file({"items": torch.from_numpy(run.item_vectors())}, new / VECTORS)
            new_text = save_reader(run, new)
        else:
            new_text = {"why": "the bundle holds no language vectors of its items."}
        manifest = sealed(new, {**_about(run, kept.columns), "new_text": new_text})
        (new / MARKER).write_text(marker_text(manifest))
    return open_bundle(path)


def _chosen(run: Run, fields: Iterable[str] | None) -> list[str]:
    names = run.dataset.fields.types if fields is None else dict.fromkeys(fields)
    return [name for name in names if name not in OWN]


def _check_target(path: Path, *, overwrite: bool) -> None:
    if is_free(path):
        return
    if not is_bundle(path):
        raise FolderError(f"{path} exists already and is not a bundle: choose another --out.")
    if not overwrite:
        raise FolderError(f"{path} exists already: choose another --out, or pass --overwrite.")


def _save_pairs(pairs: Interactions, file: Path) -> None:
    arrays = {"users": pairs.users, "items": pairs.items, "indptr": pairs.indptr}
    tensors = {name: torch.from_numpy(array.astype(np.int64)) for name, array in arrays.items()}
    save_file(tensors, file, {"n_items": str(pairs.n_items)})


def _about(run: Run, fields: list[str]) -> dict[str, Any]:
    data, config = run.dataset, run.config
    return {
        "darec": version("darec"),
        "exported": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "run": {
            "path": str(run.path.resolve()) if run.path else None,
            "backbone": config.backbone.name,
            "alignment": config.alignment.name,
            "refit": run.refit,
            "dataset": data.fingerprint(),
        },
        "ids": {"user": data.users.type, "item": data.items.type},
        "counts": {
            "users": data.n_users,
            "items": data.n_items,
            "seen": len(run.seen),
            "learned": len(run.learned),
        },
        "fields": fields,
    }
