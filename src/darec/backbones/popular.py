"""Popularity: every user gets the items that most training users have.

It is the simplest baseline of every comparison.
"""

from __future__ import annotations

from typing import Literal

import torch

from darec.backbones.closed_form import ClosedForm, ClosedFormConfig, ClosedFormInputs
from darec.scoring import PopularityScorer


class PopularConfig(ClosedFormConfig):
    """Settings of :class:`Popular`, which has none."""

    name: Literal["popular"] = "popular"
    """Name of the backbone."""


class Popular(ClosedForm[PopularConfig]):
    """The number of training users of each item, as the score for every user."""

    def fit(self, inputs: ClosedFormInputs) -> PopularityScorer:
        """Count."""
        counts = torch.from_numpy(inputs.train.item_degree).float()
        return PopularityScorer(inputs.train.n_users, counts, inputs.ties)
