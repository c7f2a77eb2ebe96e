"""SimGCL (Yu et al. 2022, "Are graph augmentations necessary? Simple graph contrastive learning for recommendation").

LightGCN with a contrast between two views that differ by noise on every layer's output: ``e' = e + Delta``, ``Delta =
eps * unit(X) * sign(e)``, X uniform in [0, 1]^d (eq. 7 and 8), contrasted by InfoNCE (eq. 4). The authors' code leaves
layer 0 out of the combination. The RLMRec code, on which DaRec's experiments build, keeps it, and so does this class.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from darec.backbones.views import Candidates, TwoViews, TwoViewsConfig, perturbed
from darec.dimensions import Range


class SimGCLConfig(TwoViewsConfig):
    """Settings of :class:`SimGCL`; defaults as in the RLMRec code for Amazon-book."""

    name: Literal["simgcl"] = "simgcl"
    """Name of the backbone."""
    eps: Annotated[float, Range(0.05, 1.0, log=True)] = Field(0.9, ge=0)
    """Length of the noise vector added to each row; 0.1 in the paper."""
    candidates: Candidates = "batch"
    """Contrast an entity with those of the batch, as in the paper, or with all others, as in the RLMRec code."""


class SimGCL(TwoViews[SimGCLConfig]):
    """LightGCN with a contrast between two noisy views."""

    by_columns: ClassVar[bool] = True
    by_rows: ClassVar[bool] = True

    def view(self, ego: Tensor, generator: torch.Generator) -> Tensor:
        """The layers, with noise on the output of each."""
        total = noisy = ego
        for _ in range(self.config.layers):
            noisy = perturbed(self.graph.propagate(noisy), self.config.eps, generator, self.layout)
            total = total + noisy
        return total
