"""The contract of a backbone that is solved in closed form: no epochs, no gradient, a scorer at once.

To add one, write ``backbones/NAME.py`` with a config and a class like those of ease.py, and add its line to
darec/registry.py. It goes through the same trainer, command line and comparison as the trained ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from darec.config import PartConfig
from darec.errors import ConfigError
from darec.graph import matrix_of as matrix_of
from darec.numerics.structure import Structure
from darec.scoring import Scorer
from darec.settings import Configured
from darec.types import IntArray, Interactions, TextTable


class ClosedFormConfig(PartConfig):
    """Settings that every closed-form backbone has: none."""


C = TypeVar("C", bound=ClosedFormConfig)


@dataclass(frozen=True)
class ClosedFormInputs:
    """What a closed-form backbone is fitted on.

    Attributes:
        train: the training interactions.
        ties: [I] places of the items where scores are equal.
        text: language embeddings, where ``needs_text``; else None.
        structure: what the alignment says of how items go together; None where it says nothing.
        seed: of what is drawn.
        threads: that may be used.
        device: where dense products are made, as torch names it.
        folder: of the run, where a long solution may keep what is finished; None: nothing is kept.
    """

    train: Interactions
    ties: IntArray
    text: TextTable | None = None
    structure: Structure | None = None
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    folder: Path | None = None


class ClosedForm(Configured[C], ABC):
    """Base of closed-form backbones. Write ``class Mine(ClosedForm[MineConfig])``.

    Attributes:
        needs_text: whether the model itself reads the language embeddings.
        has_ids: whether it learns an id table: none does.
        closed_form: what tells it from a trained backbone.
        deterministic: whether every seed gives the same.
        takes_structure: whether alignments that give an item-item structure go with it.
        ablations: what ``darec ablate`` switches off or changes, name -> settings; None: derived from the config.
    """

    needs_text: ClassVar[bool] = False
    has_ids: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True
    takes_structure: ClassVar[bool] = False
    ablations: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None

    def __init__(self, config: C) -> None:
        self.config = config

    @classmethod
    def check_installed(cls) -> None:
        """Raise ``ConfigError`` where a library is missing that the model needs; asked before anything is begun."""
        return

    @abstractmethod
    def fit(self, inputs: ClosedFormInputs) -> Scorer:
        """Solve the model.

        Long loops go through :func:`darec.progress.counted`, so that progress is shown and they can be interrupted.
        """


def penalties(structure: Structure, ridge: float | None, n: int) -> tuple[Tensor, Tensor]:
    """How much a row of B leans to the structure's target, and how much it is penalised in all, [n] float64 each.

    Raises:
        ConfigError: the two together are not positive, or the ridge is null, which only the trainer resolves.
    """
    if ridge is None:
        raise ConfigError("backbone.ridge is null: give it, or let the trainer choose it.")
    lean = torch.zeros(n, dtype=torch.float64)
    if structure.target is not None and structure.lean is not None:
        lean = structure.lean.to(lean)
    penalty = lean + ridge
    if bool((penalty <= 0).any()):
        raise ConfigError(
            f"ridge {ridge:g} leaves a penalty of {float(penalty.min()):g}, and the system may be singular: raise "
            "backbone.ridge above 0, or above minus the alignment's lean."
        )
    return lean, penalty
