"""The contract of an alignment. An alignment is one way to bring language into a collaborative model.

To add one, write ``alignments/NAME.py`` with a config and a class, and add its line to darec/registry. An alignment
never imports a backbone. It may use two services of the model: propagation over the training graph, and the run's
ranking loss on its own tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from darec.config import PartConfig
from darec.dimensions import Range
from darec.graph import Graph
from darec.losses import RankingLoss
from darec.numerics.structure import Structure
from darec.processes import WHOLE, Layout
from darec.settings import Configured
from darec.types import Batch, Encoded, Interactions, Tables, TextTable


class AlignmentConfig(PartConfig):
    """Strength of an alignment: settings that every alignment with losses has."""

    balance: Literal["gradient", "fixed"] = "gradient"
    """How strong the alignment is. gradient: scale its gradient on E_C to ``rho`` times the norm of the recommendation
    gradient on E_C; fixed: multiply its losses by ``strength``, the paper's lambda. See docs/studies/first-darec.md."""
    rho: Annotated[float, Range(0.03, 1.0, log=True, when=("balance", "gradient"))] = Field(
        0.3, ge=0
    )
    """With balance=gradient: norm of the alignment's gradient on E_C, relative to that of the recommendation loss. The
    default was chosen by validation on toys, games and steam (docs/studies/first-darec.md)."""
    strength: Annotated[float, Range(1e-3, 10.0, log=True, when=("balance", "fixed"))] = Field(
        0.1, ge=0
    )
    """With balance=fixed: factor of the alignment's losses, lambda in the paper."""
    surgery: bool = False
    """If the two gradients on E_C conflict, remove from the alignment's gradient the part that opposes the
    recommendation gradient, before it is scaled (PCGrad, Yu et al. 2020). See docs/studies/push.md."""
    warmup: int = Field(0, ge=0)
    """Number of steps in which rho or strength grows linearly from zero."""

    def ramp(self, step: int) -> float:
        """Share of the full strength at a step, in (0, 1]."""
        return min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0

    def loss_weight(self, step: int) -> float:
        """Factor of the alignment's losses at a step; 1 with balance=gradient."""
        return self.strength * self.ramp(step) if self.balance == "fixed" else 1.0


C = TypeVar("C", bound=PartConfig)


@dataclass(frozen=True)
class AlignmentInputs:
    """Inputs from which an alignment is built.

    Attributes:
        n_users: U.
        n_items: I.
        ego_dim: width of the backbone's ego table.
        out_dim: width of E_C.
        text: E_L, [U, d_L] and [I, d_L]; empty if ``needs_text`` is False.
        item_mask: [I] bool, False if an item has no text; its row of E_L is then the mean of the others.
        graph: the training graph without self-loops, for :meth:`~darec.graph.Graph.propagate`; without any edge if
            ``needs_graph`` is False.
        ranking: the run's ranking loss, for the alignment's own tables.
        generator: source of the initial values.
        layout: how the tables are divided among processes.
    """

    n_users: int
    n_items: int
    ego_dim: int
    out_dim: int
    text: Tables
    item_mask: Tensor
    graph: Graph
    ranking: RankingLoss
    generator: torch.Generator
    layout: Layout = WHOLE

    @property
    def text_dim(self) -> int:
        """d_L; 0 without text."""
        return self.text.items.shape[1]


class Alignment(nn.Module, Configured[C]):
    """Base class of all alignments. It changes nothing. Write ``class Mine(Alignment[MineConfig])``.

    Attributes:
        needs_text: whether the run must have language embeddings.
        needs_ids: whether the backbone must have an id table; see :func:`darec.registry.inapplicable`.
        needs_graph: whether it reads the training graph. Without need, none is made for it.
        trained: whether it works with trained backbones, through :meth:`fuse`, :meth:`losses` or :meth:`represent`.
        closed_form: whether it works with closed-form backbones, through :meth:`structure`.
        by_columns: whether several processes can train with it, each with its own columns of what :meth:`fuse` and
            :meth:`losses` are given, and its parameters the same on all (:mod:`darec.processes.layout`). What
            :meth:`initial_ids`, :meth:`represent`, :meth:`parts` and :meth:`diagnostics` are given is whole.
        by_rows: the same with its own rows of them.
        layout: how the tables are divided among processes.
        recommendation_terms: names of its losses that are recommendation losses, such as a tower's ranking loss. They
            are added to the backbone's losses and are not scaled like alignment losses.
        ablations: the ablations of ``darec ablate``, name -> settings. With None, they are derived from the config.
    """

    E_L_users: Tensor
    E_L_items: Tensor
    needs_text: ClassVar[bool] = True
    needs_ids: ClassVar[bool] = False
    needs_graph: ClassVar[bool] = True
    trained: ClassVar[bool] = True
    closed_form: ClassVar[bool] = False
    by_columns: ClassVar[bool] = False
    by_rows: ClassVar[bool] = False
    recommendation_terms: ClassVar[frozenset[str]] = frozenset()
    ablations: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None

    def __init__(self, config: C, inputs: AlignmentInputs) -> None:
        super().__init__()
        self.config = config
        self.ranking = inputs.ranking
        self.layout = inputs.layout
        self.register_buffer("E_L_users", inputs.text.users, persistent=False)
        self.register_buffer("E_L_items", inputs.text.items, persistent=False)

    @property
    def text(self) -> Tables:
        """E_L, [U, d_L] and [I, d_L], on the model's device; empty if the alignment reads no text."""
        return Tables(self.E_L_users, self.E_L_items)

    @classmethod
    def structure(cls, config: C, text: TextTable, train: Interactions) -> Structure | None:
        """The item-item structure in the text, for a closed-form backbone. No instance is made.

        Args:
            config: the alignment's settings.
            text: E_L.
            train: the training interactions.
        """
        return None

    @classmethod
    def idle(cls, *, closed_form: bool, has_ids: bool) -> frozenset[str]:
        """Names of the settings that have no effect with a kind of backbone. They are not searched, swept or ablated.

        Args:
            closed_form: whether the backbone is solved in closed form.
            has_ids: whether it learns an id table.
        """
        return frozenset()

    def initial_ids(self, ids: Tensor) -> Tensor:
        """The backbone's id table before training. It is called once, and only if the backbone has an id table.

        Args:
            ids: [N, dim] random initial values, users first.
        """
        return ids

    def fuse(self, ego: Tensor, generator: torch.Generator | None) -> Tensor:
        """Change the backbone's input. In evaluation this is a pure function.

        Args:
            ego: [N, ego_dim], users first.
            generator: source of random draws in training; None in evaluation.

        Returns:
            [N, ego_dim].
        """
        return ego

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """Named scalars, to be summed.

        Args:
            encoded: E_C, [U, out_dim] and [I, out_dim].
            batch: the step's positives and negatives, and the generator for further draws.
        """
        return {}

    def represent(self, encoded: Encoded) -> Tables:
        """The tables whose inner products are the scores: E_C, with unit rows if the ranking loss uses cosines."""
        return self.ranking.scored(encoded)

    def parts(self, encoded: Encoded) -> dict[str, dict[str, Tensor]]:
        """The shared and specific parts of both sides, for alignments that split them; empty for all others.

        Args:
            encoded: E_C, [U, out_dim] and [I, out_dim].

        Returns:
            ``{"users": {"C_sh": ..., "C_sp": ..., "L_sh": ..., "L_sp": ...}, "items": {...}}``, each [n, d].
        """
        return {}

    def diagnostics(self, encoded: Encoded) -> dict[str, float]:
        """Diagnostics computed at each evaluation: ranks, gaps and spreads."""
        return {}

    def on_step(self, step: int, generator: torch.Generator) -> None:
        """Called before each training step, with the alignment's generator."""


def unit_text(text: TextTable) -> Tensor:
    """[I, d_L] the items' text vectors at unit length, float32; zeros for an item without text."""
    rows = torch.nn.functional.normalize(torch.from_numpy(text.items).float(), dim=1)
    return rows * torch.from_numpy(text.item_mask)[:, None]
