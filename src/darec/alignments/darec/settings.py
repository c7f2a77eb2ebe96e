"""DaRec's settings, and the paper's own as a preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PositiveInt

from darec.alignments.base import AlignmentConfig
from darec.dimensions import Choice, Range
from darec.graph.text_neighbours import COUNT, TEMPERATURE

PAPER: Final[Mapping[str, Any]] = {
    "balance": "fixed",
    "strength": 0.1,
    "start": "random",
    "smoothing": 0.0,
    "hidden": (64,),
    "centre": False,
    "w_glo": 1.0,
    "entities": "together",
    "every": 1,
    "matching": "greedy",
}
"""What the paper writes: lambda = 0.1, MLP projectors, all weights 1, users and items as one set of entities, aligned
in every step, adaptive matching."""


class DaRecConfig(AlignmentConfig):
    """Settings of :class:`DaRec`."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": PAPER}

    name: Literal["darec"] = "darec"
    """Name of the alignment."""
    start: Literal["text", "random"] = "text"
    """What the backbone's id table starts as: the items' text along the leading directions of ``text_part``, on which
    users' text is projected as well, or the random values of the paper (docs/studies/structure.md)."""
    text_part: Literal["shared", "whole"] = "shared"
    """What ``start`` and ``smoothing`` read of the text: the part that it shares with the interactions
    (:func:`darec.graph.shared_text`), or all of it, by cosines and principal components
    (docs/studies/shared-text.md)."""
    smoothing: Annotated[float, Range(0.5, 10.0, log=True)] = Field(2.5, ge=0)
    """Each item enters the backbone as its own row plus a share of the mean row of its neighbours in text: global
    structure aligned where encoding starts. The share is this times the neighbours' reliability. An item without text
    has no neighbours. 0 in the paper (docs/studies/structure.md)."""
    reliability: float | None = Field(None, ge=0, le=1)
    """How far the neighbours are trusted; null: measured in the training interactions, as how well an item's
    neighbours stand in for its own users (:func:`darec.graph.reliability`), so that text which says nothing of taste
    changes nothing (docs/studies/reliability.md)."""
    neighbours: Annotated[int, Choice(5, 10, 20)] = Field(COUNT, ge=1)
    """Nearest neighbours of each item in text, by cosines of ``text_part``."""
    temperature: float = Field(TEMPERATURE, gt=0)
    """Of the softmax of cosines that weighs the neighbours."""
    text_width: int = Field(0, ge=0)
    """Columns of a table of the text alone, in closed form, that are scored beside E_C (:func:`content_tables`): more
    of the long tail for a wider table, at no cost in training. 0 scores E_C alone (docs/studies/parts.md)."""
    text_weight: float = Field(0.8, ge=0)
    """With text_width: how far the text's scores spread, relative to E_C's, for neighbours of reliability 1; it is
    multiplied by ``reliability``."""
    lean: Annotated[float, Range(3.0, 1000.0, log=True)] = Field(200.0, gt=0)
    """Over a closed-form backbone: weight of the squared distance of its item-item matrix to the text's, for neighbours
    of reliability 1; it is multiplied by ``reliability``."""
    text_ridge: Annotated[float, Range(0.1, 100.0, log=True)] = Field(1.0, gt=0)
    """Over a closed-form backbone: ridge of the text's own matrix, for rows of unit length."""
    dim: int = Field(32, ge=1)
    """Width d of the shared and of the specific parts."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of the projectors' hidden layers, a ReLU after each; none is a linear map. The paper's MLPs, (64,) say,
    lose the shared factors of a planted world that linear maps recover (tests/alignments/test_darec_alignment.py)."""
    centre: bool = True
    """Subtract from each shared part the mean of its rows. Without it, rows that all point one way make both structure
    terms vanish, and training ends there (docs/studies/first-darec.md); False in the paper."""
    w_or: float = Field(1.0, ge=0)
    """Weight of orthogonality; 1 in the paper, as are the other three."""
    w_uni: Annotated[float, Range(0.1, 10.0, log=True)] = Field(1.0, ge=0)
    """Weight of uniformity."""
    w_glo: Annotated[float, Range(1.0, 100.0, log=True)] = Field(10.0, ge=0)
    """Weight of global structure, a mean over n^2 pairs and so a small number. 1 in the paper; chosen on the validation
    split of toys."""
    w_loc: float = Field(1.0, ge=0)
    """Weight of local structure."""
    entities: Literal["apart", "together"] = "apart"
    """Compare users with users and items with items, or all N entities as one set, as the paper writes it."""
    every: int = Field(4, ge=1)
    """Align in one of so many steps; the steps between are the recommendation's alone. 1 in the paper."""
    n_sampled: int | None = Field(1024, ge=2)
    """N-hat, rows drawn for each step, users and items together; null takes all, whose cost is the projectors'."""
    uniformity_pairs: int | None = Field(16384, ge=1)
    """Pairs of rows that uniformity averages over, on each side; null takes all pairs of the step's rows."""
    n_clusters: Annotated[int, Choice(2, 4, 8, 16)] = Field(4, ge=1)
    """K, preference clusters on each side (of users and of items, where apart)."""
    matching: Literal["greedy", "optimal"] = "optimal"
    """How clusters find partners: the assignment of least cost, or the paper's adaptive matching, which finds fewer
    planted partners at no gain in time (benchmarks/results/matching.json)."""
