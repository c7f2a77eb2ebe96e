"""DaRec over a closed-form backbone: its item-item matrix leans to that of the shared part of the text.

The paper's claim is that the framework goes with any collaborative model. A linear one has no representations to split
and no gradient to push with, but global structure alignment has a counterpart there: the structure that the language's
shared part gives is what the matrix is drawn to, as far as the training interactions say that it can be trusted. Not
from a paper; the form of the ridge is that of L3AE (arXiv 2508.13500).
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
"""The settings that :func:`item_structure` reads, and those of them that nothing else does."""


def item_structure(config: DaRecConfig, text: TextTable, train: Interactions) -> Structure | None:
    """The matrix that the text's shared part gives, and how much to lean to it.

    Args:
        config: of which :data:`READ` is read; all but ``lean`` and ``text_ridge`` as over trained backbones.
        text: E_L.
        train: the training interactions.

    Returns:
        None where the text's part has no direction, or is not to be trusted at all.
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
