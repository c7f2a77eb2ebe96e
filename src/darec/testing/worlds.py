"""Small planted worlds for tests, whose correct answer is known by construction.

For a world of realistic size with readable texts see :mod:`darec.data.synthetic`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from darec.data.dataset import SPLITS, Dataset
from darec.data.split import split_interactions
from darec.ids.idmap import IdMap
from darec.types import Interactions


@dataclass(frozen=True)
class PlantedEmbeddings:
    """Two tables of the same n entities that have one factor in common, and the factors behind them.

    Attributes:
        collaborative: X_C, [n, dim] float32.
        language: X_L, [n, language_dim] float32.
        shared: Z_sh, [n, d_shared], behind both tables.
        collaborative_specific: Z_C, [n, d_specific], behind X_C alone.
        language_specific: Z_L, [n, d_specific], behind X_L alone.
    """

    collaborative: Tensor
    language: Tensor
    shared: Tensor
    collaborative_specific: Tensor
    language_specific: Tensor


def planted_embeddings(
    n: int = 400,
    d_shared: int = 4,
    d_specific: int = 4,
    dim: int = 16,
    seed: int = 0,
    noise: float = 0.1,
    language_dim: int | None = None,
) -> PlantedEmbeddings:
    """Draw X_C = [Z_sh, Z_C] R_C + noise and X_L = [Z_sh, Z_L] R_L + noise.

    All factors are independent standard normal, and R_C and R_L have orthonormal rows, drawn at random: distances
    between factors survive in the tables, and no single column shows any factor.

    Args:
        n: number of entities.
        d_shared: width of the common factor.
        d_specific: width of each side's own factor; 0 for none.
        dim: columns of X_C, at least ``d_shared + d_specific``.
        seed: of all draws.
        noise: standard deviation of the noise in each entry.
        language_dim: columns of X_L; default ``2 * dim``, as language embeddings are the wider ones.

    Raises:
        ValueError: a table narrower than its factors.
    """
    language_dim = 2 * dim if language_dim is None else language_dim
    width = d_shared + d_specific
    if min(dim, language_dim) < width:
        raise ValueError(f"tables of {dim} and {language_dim} columns cannot hold {width} factors")
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shared, own_c, own_l = normal(n, d_shared), normal(n, d_specific), normal(n, d_specific)

    def table(own: Tensor, columns: int) -> Tensor:
        rotation: Tensor = torch.linalg.qr(normal(columns, width)).Q.T
        return torch.cat([shared, own], 1) @ rotation + noise * normal(n, columns)

    tables = (table(own_c, dim), table(own_l, language_dim))
    return PlantedEmbeddings(*(x.float() for x in (*tables, shared, own_c, own_l)))


def tiny_dataset(
    n_users: int = 60,
    n_items: int = 40,
    seed: int = 0,
    *,
    n_groups: int = 4,
    items_per_user: int = 10,
    missing_text: int = 0,
) -> Dataset:
    """A dataset of planted groups, made in milliseconds: users prefer the items of their own group.

    User u and item i belong to groups u % n_groups and i % n_groups. An item of the user's own group is e^2 times as
    likely to be taken as another, so that most choices stay within the group and the graph is still connected. Every
    user has ``items_per_user`` items, split 3:1:1 at random (10: six, two, two). No item is popular by design.
    Texts name the item's group ("theme2"), two of the group's six words and the item itself.

    Args:
        n_users: U; ids are ``u0``, ``u1``, ...
        n_items: I; ids are ``i0``, ``i1``, ...
        seed: of all draws.
        n_groups: number of groups.
        items_per_user: interactions of each user, at most ``n_items``.
        missing_text: number of items without text; they are the last ones.
    """
    rng = np.random.default_rng(seed)
    same = np.equal.outer(np.arange(n_users) % n_groups, np.arange(n_items) % n_groups)
    utility = 2.0 * same + rng.gumbel(size=(n_users, n_items))
    items = np.argsort(-utility, axis=1)[:, :items_per_user].ravel()
    users = np.repeat(np.arange(n_users), items_per_user)
    split = split_interactions(
        pl.DataFrame({"user": users, "item": items}), "random", seed=seed
    ).to_numpy()
    train, valid, test = (
        Interactions.from_pairs(users[split == name], items[split == name], n_users, n_items)
        for name in SPLITS
    )
    words = [rng.choice(6, 2, replace=False) for _ in range(n_items)]
    texts = [
        f"theme{i % n_groups} word{i % n_groups}{'abcdef'[a]} word{i % n_groups}{'abcdef'[b]} item{i}"
        for i, (a, b) in enumerate(words)
    ]
    has_text = np.arange(n_items) < n_items - missing_text
    catalogue = pl.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(n_items)],
            "title": [f"Item {i} of group {i % n_groups}" for i in range(n_items)],
            "text": [text if has else None for text, has in zip(texts, has_text, strict=True)],
        },
        schema={"item_id": pl.String, "title": pl.String, "text": pl.String},
    )
    return Dataset(
        IdMap("user", (f"u{u}" for u in range(n_users))),
        IdMap("item", catalogue["item_id"].to_list()),
        train,
        valid,
        test,
        catalogue,
    )


def linear_probe_r2(
    features: ArrayLike | Tensor, targets: ArrayLike | Tensor, seed: int = 0, folds: int = 5
) -> float:
    """How much of the targets a linear map of the features recovers on rows it has not seen.

    R^2 of cross-validated ridge regression on standardised features (penalty chosen within each fold), averaged over
    the target's columns: 1 for full recovery, about 0 (or just below) for none.

    Args:
        features: [n, d].
        targets: [n] or [n, t], no column constant.
        seed: shuffles the rows into folds.
        folds: number of folds.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = (
        np.asarray(a.detach().cpu() if isinstance(a, Tensor) else a, np.float64)
        for a in (features, targets)
    )
    probe = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 4, 8)))
    parts = KFold(folds, shuffle=True, random_state=seed)
    return float(r2_score(y, cross_val_predict(probe, x, y, cv=parts)))
