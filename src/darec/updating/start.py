"""Where the weights of an updated model start: at the old ones, and at what is known of new users and items.

Rows of entities that were there stay as they are. A new item starts where a ridge regression puts its text that has
learned from old items how rows follow from text (:class:`darec.cold.RidgeMap`). A new user starts where a ridge
regression puts the history that has learned from old users how rows follow from the rows of what they have; so does
an item without text, from the rows of those who have it. These are rows of the tables that are learned, before a
backbone propagates them; what a model learns beside is taken over as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from darec.cold.maps import RidgeMap
from darec.errors import RunError
from darec.graph.filters import matrix_of
from darec.model import Model
from darec.types import FloatArray, IntArray, Interactions, TextTable

LEAST = 3  # known rows that a map can be fitted on
_MOST = 20_000  # by so many a map is fitted at most


@dataclass(frozen=True)
class Start:
    """Weights of a trained model for one with more users and items.

    Attributes:
        weights: by name.
        n_users: U of the trained model.
        n_items: I of the trained model.
        train: training pairs of the larger model; old entities come first.
        text: language embeddings of the larger model's items; None where there are none.
    """

    weights: Mapping[str, Tensor]
    n_users: int
    n_items: int
    train: Interactions
    text: TextTable | None

    @torch.no_grad()
    def __call__(self, model: Model) -> None:
        """Put them into a model.

        Raises:
            RunError: the model has other parameters than it had.
        """
        before = self.n_users + self.n_items
        after = self.train.n_users + self.train.n_items
        for name, parameter in model.named_parameters():
            old = self.weights.get(name)
            if old is not None and old.shape == parameter.shape:
                parameter.copy_(old)
            elif old is not None and (len(old), len(parameter)) == (before, after):
                parameter.copy_(self.table(old.cpu().float()))
            else:
                raise RunError(
                    f"the model has no earlier weights for {name!r} of shape {list(parameter.shape)}: its parts have "
                    "changed since it was trained. Train anew."
                )

    def table(self, old: Tensor) -> Tensor:
        """[U + I, d] rows of all users and items, from [U_old + I_old, d]."""
        users, items = (part.numpy() for part in old.split([self.n_users, self.n_items]))
        histories = matrix_of(self.train)
        told = np.zeros(self.train.n_items, np.bool_) if self.text is None else self.text.item_mask
        new = np.arange(self.n_items, self.train.n_items)
        grown = np.zeros((self.train.n_items, items.shape[1]), np.float32)
        grown[: self.n_items] = items
        met = np.flatnonzero(self.train.item_degree[: self.n_items])
        if self.text is not None:
            texts = new[told[new]]
            grown[texts] = _mapped(self.text.items, items, met[told[met]], texts)
        rest = new[~told[new]]
        of_users = _pooled(histories, grown)
        active = np.flatnonzero(self.train.user_degree[: self.n_users])
        joined = np.arange(self.n_users, self.train.n_users)
        people = np.concatenate([users, _mapped(of_users, users, active, joined)])
        grown[rest] = _mapped(_pooled(histories.T.tocsr(), people), items, met, rest)
        return torch.from_numpy(np.concatenate([people, grown]))


def _mapped(features: FloatArray, rows: FloatArray, known: IntArray, new: IntArray) -> FloatArray:
    """[m, d] rows of new entities by their features, as those of known ones follow from theirs."""
    if not len(new):
        return np.zeros((0, rows.shape[1]), np.float32)
    if len(known) < LEAST:
        mean = rows.mean(axis=0, keepdims=True) if len(rows) else np.zeros((1, rows.shape[1]))
        return np.repeat(mean.astype(np.float32), len(new), axis=0)
    sample = np.sort(np.random.default_rng(0).permutation(known)[:_MOST])
    return RidgeMap().fit(features[sample], rows[sample]).predict(features[new])


def _pooled(histories: object, rows: FloatArray) -> FloatArray:
    """[n, d] sums of the rows that each has, over the root of their number."""
    counts = np.maximum(np.asarray(histories.sum(axis=1)).ravel(), 1)  # type: ignore[attr-defined]
    return np.asarray((histories @ rows) / np.sqrt(counts)[:, None], np.float32)  # type: ignore[operator]
