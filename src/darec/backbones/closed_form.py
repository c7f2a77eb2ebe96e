"""The contract of a backbone that is solved in closed form. It has no epochs and no gradient; ``fit`` returns a scorer.

To add one, write ``backbones/NAME.py`` with a config and a class like those of ease.py, and add its line to
darec/registry. It uses the same trainer, command line and comparison as trained backbones.
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
from darec.errors import ConfigError, SingularError
from darec.graph import matrix_of as matrix_of
from darec.numerics.structure import Structure
from darec.processes import ALONE, Group
from darec.scoring import Scorer
from darec.settings import Configured
from darec.types import IntArray, Interactions, TextTable


class ClosedFormConfig(PartConfig):
    """Base class of the settings of closed-form backbones; it has no settings of its own."""


C = TypeVar("C", bound=ClosedFormConfig)


@dataclass(frozen=True)
class ClosedFormInputs:
    """Inputs of a closed-form backbone.

    Attributes:
        train: the training interactions.
        ties: [I] the order of items with equal scores.
        text: the language embeddings; None if ``needs_text`` is False.
        structure: the item-item structure from the alignment, or None.
        seed: seed of random draws.
        threads: number of threads that may be used.
        device: torch device of dense matrix products.
        folder: folder of the run, where a long computation may store finished blocks. With None, nothing is stored.
        group: the processes that solve the model together. All have the same inputs except ``folder``, which the
            leader alone has.
    """

    train: Interactions
    ties: IntArray
    text: TextTable | None = None
    structure: Structure | None = None
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    folder: Path | None = None
    group: Group = ALONE


class ClosedForm(Configured[C], ABC):
    """Base class of closed-form backbones. Write ``class Mine(ClosedForm[MineConfig])``.

    Attributes:
        needs_text: whether the model itself reads the language embeddings.
        has_ids: whether it learns an id table; always False.
        closed_form: always True; it is False for trained backbones.
        deterministic: whether every seed gives the same result.
        takes_structure: whether it works with alignments that give an item-item structure.
        by_items: whether several processes can solve it, each for some of the items. :meth:`fit` then gives the whole
            scorer on the leader, and on the others one that nobody uses.
        ablations: the ablations of ``darec ablate``, name -> settings. With None, they are derived from the config.
    """

    needs_text: ClassVar[bool] = False
    has_ids: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True
    takes_structure: ClassVar[bool] = False
    by_items: ClassVar[bool] = False
    ablations: ClassVar[Mapping[str, Mapping[str, Any]] | None] = None

    def __init__(self, config: C) -> None:
        self.config = config

    @classmethod
    def check_installed(cls) -> None:
        """Raise ``ConfigError`` if a library that the model needs is missing. It is called before any work begins."""
        return

    @abstractmethod
    def fit(self, inputs: ClosedFormInputs) -> Scorer:
        """Solve the model.

        Long loops must use :func:`darec.progress.counted`, so that they show progress and can be interrupted.
        """


def penalties(structure: Structure, ridge: float | None, n: int) -> tuple[Tensor, Tensor]:
    """Weight of the distance of each row of B to its target, and the row's total penalty, [n] float64 each.

    Raises:
        ConfigError: the total penalty is not positive, or the ridge is null, which only the trainer can choose.
    """
    if ridge is None:
        raise ConfigError("backbone.ridge is null: give a number, or let the trainer choose it.")
    lean = torch.zeros(n, dtype=torch.float64)
    if structure.target is not None and structure.lean is not None:
        lean = structure.lean.to(lean)
    penalty = lean + ridge
    if bool((penalty <= 0).any()):
        raise SingularError(
            f"ridge {ridge:g} leaves a penalty of {float(penalty.min()):g}, and the system may be singular: raise "
            "backbone.ridge above 0, or above minus the alignment's lean."
        )
    return lean, penalty
