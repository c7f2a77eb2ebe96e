"""All six metrics against ranx, run as plain Python: compiling it takes most of a minute."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from darec.evaluation import evaluate_scorer
from darec.scoring import TableScorer
from darec.types import Interactions, Tables

KS = (1, 3, 10, 25)


def test_agrees_with_ranx(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    ranx = pytest.importorskip("ranx")
    rng = np.random.default_rng(0)
    n_users, n_items = 40, 60
    split = rng.choice(3, p=[0.75, 0.15, 0.1], size=(n_users, n_items))
    target, train = (
        Interactions.from_pairs(*np.nonzero(split == part), n_users, n_items) for part in (1, 2)
    )
    # Whole numbers below 2**24 in random order: scores without ties, exact in float32.
    scores = rng.permuted(np.tile(np.arange(n_items), (n_users, 1)), axis=1)
    tables = Tables(torch.eye(n_users), torch.from_numpy(scores.T.astype(np.float32)))
    ours = evaluate_scorer(TableScorer(tables), target=target, exclude=train, train=train, ks=KS)

    qrels = ranx.Qrels(
        {f"u{u:02d}": {f"i{i}": 1 for i in target.of_user(u)} for u in ours.users.tolist()}
    )
    run = ranx.Run(
        {
            f"u{u:02d}": {
                f"i{i}": float(scores[u, i]) for i in np.flatnonzero(split[u] != 2).tolist()
            }
            for u in ours.users.tolist()
        }
    )
    names = [
        f"{metric}@{k}"
        for metric in ("recall", "ndcg", "precision", "hit_rate", "mrr", "map")
        for k in KS
    ]
    theirs = ranx.evaluate(qrels, run, names, return_mean=False)
    for name in names:
        np.testing.assert_allclose(ours.per_user[name], theirs[name], atol=1e-6, err_msg=name)
