"""DaRec's settings, and the paper's settings as a preset."""

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
"""The settings of the paper: lambda = 0.1, MLP projectors, all weights 1, users and items as one set of entities,
aligned in every step, adaptive matching."""


class DaRecConfig(AlignmentConfig):
    """Settings of :class:`DaRec`."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": PAPER}

    name: Literal["darec"] = "darec"
    """Name of the alignment."""
    start: Literal["text", "random"] = "text"
    """Initial values of the backbone's id table. text: the text of items and users, projected on the leading directions
    of ``text_part``; random: random values, as in the paper (docs/studies/structure.md)."""
    text_part: Literal["shared", "whole"] = "shared"
    """Part of the text that ``start`` and ``smoothing`` read. shared: the part that it shares with the interactions
    (:func:`darec.graph.shared_text`); whole: all of it, by cosines and principal components
    (docs/studies/shared-text.md)."""
    smoothing: Annotated[float, Range(0.5, 10.0, log=True)] = Field(2.5, ge=0)
    """Each item enters the backbone as its own row plus a share of the mean row of its neighbours in text. This aligns
    global structure at the backbone's input. The share is this setting times the neighbours' reliability. An item
    without text has no neighbours. 0 in the paper (docs/studies/structure.md)."""
    reliability: float | None = Field(None, ge=0, le=1)
    """Reliability of the neighbours in text. With null, it is measured on the training interactions: how well an item's
    neighbours predict its users (:func:`darec.graph.reliability`). Text that says nothing about taste then has no
    effect (docs/studies/reliability.md)."""
    neighbours: Annotated[int, Choice(5, 10, 20)] = Field(COUNT, ge=1)
    """Number of nearest neighbours of each item in text, by cosines of ``text_part``."""
    temperature: float = Field(TEMPERATURE, gt=0)
    """Temperature of the softmax of cosines that weights the neighbours."""
    text_width: int = Field(0, ge=0)
    """Number of columns of a closed-form table of the text whose scores are added to those of E_C
    (:func:`content_tables`). A wider table ranks the long tail better and adds no training time. With 0, only E_C is
    scored (docs/studies/parts.md)."""
    text_weight: float = Field(0.8, ge=0)
    """With text_width: spread of the text's scores relative to those of E_C. It is multiplied by ``reliability``."""
    lean: Annotated[float, Range(3.0, 1000.0, log=True)] = Field(200.0, gt=0)
    """With a closed-form backbone: weight of the squared distance between its item-item matrix and the text's. It is
    multiplied by ``reliability``."""
    text_ridge: Annotated[float, Range(0.1, 100.0, log=True)] = Field(1.0, gt=0)
    """With a closed-form backbone: ridge of the text's own matrix, for rows of unit length."""
    dim: int = Field(32, ge=1)
    """Width d of the shared and of the specific parts."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of the projectors' hidden layers, each followed by a ReLU. Without hidden layers the projectors are
    linear. MLPs as in the paper, such as (64,), lose the shared factors of a planted world that linear maps recover
    (tests/alignments/test_darec_alignment.py)."""
    centre: bool = True
    """Subtract from each shared part the mean of its rows. Without it, both structure terms are zero if all rows point
    in one direction, and training ends in that state (docs/studies/first-darec.md). False in the paper."""
    w_or: float = Field(1.0, ge=0)
    """Weight of orthogonality; all four weights are 1 in the paper."""
    w_uni: Annotated[float, Range(0.1, 10.0, log=True)] = Field(1.0, ge=0)
    """Weight of uniformity."""
    w_glo: Annotated[float, Range(1.0, 100.0, log=True)] = Field(10.0, ge=0)
    """Weight of global structure. This term is a mean over n^2 pairs and therefore a small number. The default was
    chosen on the validation split of toys; 1 in the paper."""
    w_loc: float = Field(1.0, ge=0)
    """Weight of local structure."""
    entities: Literal["apart", "together"] = "apart"
    """apart: compare users with users and items with items; together: compare all N entities as one set, as in the
    paper."""
    every: int = Field(4, ge=1)
    """Align only in every n-th training step. The other steps use only the recommendation loss. 1 in the paper."""
    n_sampled: int | None = Field(1024, ge=2)
    """N-hat, the number of rows drawn for each step, users and items together. With null, all rows are used, at the
    cost of projecting them all."""
    uniformity_pairs: int | None = Field(16384, ge=1)
    """Number of pairs of rows over which uniformity averages, on each side. With null, all pairs of the step's rows are
    used."""
    n_clusters: Annotated[int, Choice(2, 4, 8, 16)] = Field(4, ge=1)
    """K, the number of preference clusters on each side; with entities=apart, of users and of items separately."""
    matching: Literal["greedy", "optimal"] = "optimal"
    """How clusters are matched. optimal: the assignment of least cost; greedy: the paper's adaptive matching, which
    finds fewer planted partners and is not faster (benchmarks/results/matching.json)."""
