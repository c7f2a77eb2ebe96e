"""Language embeddings: encoders, the store of their vectors, and E_L for every user and item.

The public names are loaded at their first use, because an encoder needs no dataset, for example when a bundle is
served.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darec.text.encode import embed, encode_dataset
    from darec.text.load import load_text, stored_encoders
    from darec.text.report import EncodeReport

__all__ = ["EncodeReport", "embed", "encode_dataset", "load_text", "stored_encoders"]

_HOMES = {
    "EncodeReport": "report",
    "embed": "encode",
    "encode_dataset": "encode",
    "load_text": "load",
    "stored_encoders": "load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
