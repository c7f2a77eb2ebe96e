"""The contract of an alignment: it owns one way to bring language into a collaborative model.

To add one, write ``alignments/NAME.py`` with a config and a class, and add its line to darec/registry. An alignment
never imports a backbone; of the model it may use two services, propagation over the training graph and the run's
ranking loss on tables of its own.
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
from darec.processes import WHOLE, Columns
from darec.settings import Configured
from darec.types import Batch, Encoded, Interactions, Tables, TextTable


class AlignmentConfig(PartConfig):
    """How hard an alignment pushes: settings that every alignment with losses has."""

    balance: Literal["gradient", "fixed"] = "gradient"
    """gradient: scale the alignment's gradient on E_C to ``rho`` times the recommendation gradient there;
    fixed: multiply its losses by ``strength``, the paper's lambda. See docs/studies/first-darec.md."""
    rho: Annotated[float, Range(0.03, 1.0, log=True, when=("balance", "gradient"))] = Field(
        0.3, ge=0
    )
    """With balance=gradient: norm of the alignment's gradient on E_C, relative to the recommendation loss's. The
    value that validation chose on toys, games and steam (docs/studies/first-darec.md)."""
    strength: Annotated[float, Range(1e-3, 10.0, log=True, when=("balance", "fixed"))] = Field(
        0.1, ge=0
    )
    """With balance=fixed: the paper's lambda."""
    surgery: bool = False
    """Take from the alignment's gradient on E_C what goes against the recommendation gradient there, where the two
    conflict as a whole (PCGrad, Yu et al. 2020), before it is scaled. See docs/studies/push.md."""
    warmup: int = Field(0, ge=0)
    """Steps over which rho or strength grows linearly from zero."""

    def ramp(self, step: int) -> float:
        """Share of the full push at a step, in (0, 1]."""
        return min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0

    def loss_weight(self, step: int) -> float:
        """What the alignment's losses are multiplied by at a step; 1 where their gradient is balanced instead."""
        return self.strength * self.ramp(step) if self.balance == "fixed" else 1.0


C = TypeVar("C", bound=PartConfig)


@dataclass(frozen=True)
class AlignmentInputs:
    """What an alignment is built from.

    Attributes:
        n_users: U.
        n_items: I.
        ego_dim: width of the backbone's ego table.
        out_dim: width of E_C.
        text: E_L, [U, d_L] and [I, d_L]; empty where the alignment does not ask for it by ``needs_text``.
        item_mask: [I] bool, False where an item has no text and its row of E_L is the mean of the others.
        graph: the training graph without self-loops, for :meth:`~darec.graph.Graph.propagate`.
        ranking: the run's ranking loss, for tables of the alignment's own.
        generator: source of the initial values.
        columns: how the tables are divided among processes.
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
    columns: Columns = WHOLE

    @property
    def text_dim(self) -> int:
        """d_L; 0 where there is no text."""
        return self.text.items.shape[1]


class Alignment(nn.Module, Configured[C]):
    """Base of all alignments, which changes nothing. Write ``class Mine(Alignment[MineConfig])``.

    Attributes:
        needs_text: whether the run must have language embeddings.
        needs_ids: whether the backbone must have an id table; see :func:`darec.registry.inapplicable`.
        trained: whether it goes with trained backbones, by :meth:`fuse`, :meth:`losses` or :meth:`represent`.
        closed_form: whether it goes with closed-form backbones, by :meth:`structure`.
        by_columns: whether several processes can train with it, each with its own columns of what :meth:`fuse` and
            :meth:`losses` are given, and its parameters the same on all (:mod:`darec.processes.columns`). What
            :meth:`initial_ids`, :meth:`represent`, :meth:`parts` and :meth:`diagnostics` are given is whole.
        columns: how the tables are divided among processes.
        recommendation_terms: names of own losses that are recommendation signals (a tower's ranking loss, say):
            they count with the backbone's losses and are not scaled as alignment.
        ablations: what ``darec ablate`` switches off or changes, name -> settings; None: derived from the config.
    """

    E_L_users: Tensor
    E_L_items: Tensor
    needs_text: ClassVar[bool] = True
    needs_ids: ClassVar[bool] = False
    trained: ClassVar[bool] = True
    closed_form: ClassVar[bool] = False
    by_columns: ClassVar[bool] = False
    recommendation_terms: ClassVar[frozenset[str]] = frozenset()
    ablations: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None

    def __init__(self, config: C, inputs: AlignmentInputs) -> None:
        super().__init__()
        self.config = config
        self.ranking = inputs.ranking
        self.columns = inputs.columns
        self.register_buffer("E_L_users", inputs.text.users, persistent=False)
        self.register_buffer("E_L_items", inputs.text.items, persistent=False)

    @property
    def text(self) -> Tables:
        """E_L, [U, d_L] and [I, d_L], on the model's device; empty where the alignment reads no text."""
        return Tables(self.E_L_users, self.E_L_items)

    @classmethod
    def structure(cls, config: C, text: TextTable, train: Interactions) -> Structure | None:
        """What the language says of how items go together, for a closed-form backbone; no instance is made.

        Args:
            config: the alignment's settings.
            text: E_L.
            train: the training interactions.
        """
        return None

    @classmethod
    def idle(cls, *, closed_form: bool, has_ids: bool) -> frozenset[str]:
        """Names of the settings that change nothing over a backbone of a kind; they are not searched, swept or ablated.

        Args:
            closed_form: whether the backbone is solved in closed form.
            has_ids: whether it learns an id table.
        """
        return frozenset()

    def initial_ids(self, ids: Tensor) -> Tensor:
        """The backbone's id table before training; asked for once, where the backbone has one.

        Args:
            ids: [N, dim] random initial values, users first.
        """
        return ids

    def fuse(self, ego: Tensor, generator: torch.Generator | None) -> Tensor:
        """Change the backbone's input, a pure function in evaluation.

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
        """The tables that are scored by inner product: E_C as the run's ranking loss scores it."""
        return self.ranking.scored(encoded)

    def parts(self, encoded: Encoded) -> dict[str, dict[str, Tensor]]:
        """The shared and specific parts of both sides, for methods that split them; nothing for all others.

        Args:
            encoded: E_C, [U, out_dim] and [I, out_dim].

        Returns:
            ``{"users": {"C_sh": ..., "C_sp": ..., "L_sh": ..., "L_sp": ...}, "items": {...}}``, each [n, d].
        """
        return {}

    def diagnostics(self, encoded: Encoded) -> dict[str, float]:
        """What to watch at each evaluation: ranks, gaps, spreads."""
        return {}

    def on_step(self, step: int, generator: torch.Generator) -> None:
        """Called before each training step, with the alignment's generator."""


def unit_text(text: TextTable) -> Tensor:
    """[I, d_L] the items' text at unit length, float32; zeros for an item without text."""
    rows = torch.nn.functional.normalize(torch.from_numpy(text.items).float(), dim=1)
    return rows * torch.from_numpy(text.item_mask)[:, None]
