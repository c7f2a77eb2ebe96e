"""DaRec over a closed-form backbone: its item-item matrix is pulled towards that of the shared part of the text.

The paper claims that the framework works with any collaborative model. A linear model has no representations to split
and no gradient to change, but global structure alignment has a counterpart: the matrix is pulled towards the structure
of the text's shared part, in proportion to the reliability that the training interactions measure. This is not from a
paper; the penalty has the form of L3AE (arXiv 2508.13500).
"""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional as F

from darec.alignments.base import unit_text
from darec.alignments.darec.settings import DaRecConfig
from darec.graph import Graph, shared_text, text_neighbours
from darec.numerics.structure import Structure, item_matrix
from darec.types import Interactions, TextTable

CLOSED_FORM_ALONE: Final = frozenset({"lean", "text_ridge"})
READ: Final = CLOSED_FORM_ALONE | {"text_part", "reliability", "neighbours", "temperature"}
"""The settings that :func:`item_structure` reads, and those that only it reads."""


def item_structure(config: DaRecConfig, text: TextTable, train: Interactions) -> Structure | None:
    """The matrix solved from the text's shared part, and the weight of the squared distance to it.

    Args:
        config: the settings; those in :data:`READ` are read. All but ``lean`` and ``text_ridge`` mean the same as with
            trained backbones.
        text: E_L.
        train: the training interactions.

    Returns:
        None if the text's part has no direction or a reliability of zero.
    """
    items, mask = torch.from_numpy(text.items), torch.from_numpy(text.item_mask)
    graph = Graph(train)
    shared = shared_text(items, mask, graph) if config.text_part == "shared" else None
    near = text_neighbours(
        items,
        mask,
        graph,
        shared=shared,
        count=config.neighbours,
        temperature=config.temperature,
        trust=config.reliability,
    )
    if near is None or not near.reliability:
        return None
    features = unit_text(text)
    if shared is not None:
        features = F.normalize(shared.part(items).float(), dim=1) * mask[:, None]
    lean = torch.full((train.n_items,), config.lean * near.reliability, dtype=torch.float64)
    target = item_matrix(features, config.text_ridge)
    return Structure(target=target, lean=lean, told=near.told)
