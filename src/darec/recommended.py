"""The recommended settings, which are used if no backbone and no alignment is named. They are the best in the studies.

They train LightGCN at a width of 256 by sampled softmax, with DaRec if there are language vectors. The scores of
popularity and of a linear item-item model are added. Their weights are chosen on validation, and with text the
temperature too (docs/which-model.md, docs/studies/target.md). For comparisons under the papers' protocol, name the
parts: their own defaults follow the papers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darec.config import LARGEST_DENSE, MATRIX, SHAPES, SPARSE_MATRIX
from darec.data.dataset import Dataset

WIDTH = 256
"""Width of the trained tables."""


def recommended(dataset: Dataset, *, text: bool) -> dict[str, Any]:
    """The settings for a dataset, nested as in a file.

    Args:
        dataset: its size decides which linear model is used.
        text: whether there are language vectors.
    """
    # Without text, training takes many more epochs, and neither the choice by the first one nor an early epoch was
    # measured.
    temperature = None if text else 0.2
    matrix = MATRIX if dataset.n_items <= LARGEST_DENSE else SPARSE_MATRIX
    return {
        "backbone": {"name": "lightgcn", "dim": WIDTH, "layers": 3},
        "alignment": {"name": "darec" if text else "none"},
        "loss": {"name": "softmax", "n_negatives": 1024, "temperature": temperature},
        "beside": {
            "backbone": {"name": matrix},
            "alignment": SHAPES[matrix] if text else {"name": "none"},
        },
        "train": {"eval_every": 1, "patience": 4, "min_gain": 0.01 if text else 0.0},
    }


def names_parts(settings: Mapping[str, Any]) -> bool:
    """Whether settings with dotted keys name a backbone or an alignment."""
    parts = ("backbone", "alignment")
    inner = [value for part in parts if isinstance(value := settings.get(part), Mapping)]
    return (
        any(isinstance(settings.get(part), str) for part in parts)
        or any(f"{part}.{key}" in settings for part in parts for key in ("name", "preset"))
        or any("name" in value or "preset" in value for value in inner)
    )
