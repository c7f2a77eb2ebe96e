"""Initial weights of an updated model: the old weights, and predicted rows for new users and items.

Old entities keep their rows. The row of a new item is predicted from its text by a ridge regression that is fitted on
old items (:class:`darec.cold.RidgeMap`). The row of a new user is predicted from the rows of the user's items by a
ridge regression that is fitted on old users. An item without text is predicted in the same way from the rows of its
users. These are rows of the learned tables, before a backbone propagates them. All other learned weights are kept.
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

LEAST = 3  # least number of known rows to fit a map
_MOST = 20_000  # largest number of rows to fit a map


@dataclass(frozen=True)
class Start:
    """Weights of a trained model for one with more users and items.

    Attributes:
        weights: weights by name.
        n_users: U of the trained model.
        n_items: I of the trained model.
        train: training pairs of the larger model; old entities come first.
        text: language embeddings of the larger model's items, or None.
    """

    weights: Mapping[str, Tensor]
    n_users: int
    n_items: int
    train: Interactions
    text: TextTable | None

    @torch.no_grad()
    def __call__(self, model: Model) -> None:
        """Copy the weights into a model.

        Raises:
            RunError: the parameters of the model have changed.
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
                    f"the model has no earlier weights for {name!r} of shape {list(parameter.shape)}: its parts "
                    "have changed since it was trained. Train again."
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
    """[m, d] rows of new entities, predicted from their features by a map fitted on known entities."""
    if not len(new):
        return np.zeros((0, rows.shape[1]), np.float32)
    if len(known) < LEAST:
        mean = rows.mean(axis=0, keepdims=True) if len(rows) else np.zeros((1, rows.shape[1]))
        return np.repeat(mean.astype(np.float32), len(new), axis=0)
    sample = np.sort(np.random.default_rng(0).permutation(known)[:_MOST])
    return RidgeMap().fit(features[sample], rows[sample]).predict(features[new])


def _pooled(histories: object, rows: FloatArray) -> FloatArray:
    """[n, d] the sum of the rows of each entity's neighbours, divided by the root of their number."""
    counts = np.maximum(np.asarray(histories.sum(axis=1)).ravel(), 1)  # type: ignore[attr-defined]
    return np.asarray((histories @ rows) / np.sqrt(counts)[:, None], np.float32)  # type: ignore[operator]
