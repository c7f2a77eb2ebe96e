"""darec: bring what language models know into collaborative filtering.

The public names are loaded at their first use, so that ``import darec`` and ``darec --help`` are fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darec.api import fit, load_dataset, load_run
    from darec.automatic import Automatic, fit_auto
    from darec.cold import ColdStart
    from darec.config import RunConfig, resolve_config
    from darec.data.dataset import Dataset
    from darec.errors import DarecError
    from darec.export.bundle import Bundle, open_bundle
    from darec.export.indexing import index_bundle
    from darec.export.postgres.push import push_bundle
    from darec.export.postgres.store import PgVectorStore
    from darec.export.write import export_bundle
    from darec.recommender import Recommender
    from darec.refitting import refit
    from darec.registry.plugins import load_plugin
    from darec.run import Run
    from darec.text import encode_dataset
    from darec.updating import update

__all__ = [
    "Automatic",
    "Bundle",
    "ColdStart",
    "DarecError",
    "Dataset",
    "PgVectorStore",
    "Recommender",
    "Run",
    "RunConfig",
    "encode_dataset",
    "export_bundle",
    "fit",
    "fit_auto",
    "index_bundle",
    "load_dataset",
    "load_plugin",
    "load_run",
    "open_bundle",
    "push_bundle",
    "refit",
    "resolve_config",
    "update",
]

_HOMES = {
    "Automatic": "darec.automatic",
    "Bundle": "darec.export.bundle",
    "ColdStart": "darec.cold",
    "DarecError": "darec.errors",
    "Dataset": "darec.data.dataset",
    "PgVectorStore": "darec.export.postgres.store",
    "Recommender": "darec.recommender",
    "Run": "darec.run",
    "RunConfig": "darec.config",
    "encode_dataset": "darec.text",
    "export_bundle": "darec.export.write",
    "fit": "darec.api",
    "fit_auto": "darec.automatic",
    "index_bundle": "darec.export.indexing",
    "load_dataset": "darec.api",
    "load_plugin": "darec.registry.plugins",
    "load_run": "darec.api",
    "open_bundle": "darec.export.bundle",
    "push_bundle": "darec.export.postgres.push",
    "refit": "darec.refitting",
    "resolve_config": "darec.config",
    "update": "darec.updating",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'darec' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
