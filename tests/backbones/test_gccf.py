from __future__ import annotations

import pytest
import torch

from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestGCCF(BackboneSuite):
    name = "gccf"


@pytest.mark.parametrize("self_loops", [False, True])
def test_scores_are_summed_over_layers(self_loops: bool) -> None:
    dataset = tiny_dataset()
    settings = {"backbone": {"name": "gccf", "dim": 4, "layers": 2, "self_loops": self_loops}}
    model, _ = train_steps(resolve_config(settings), dataset, 2)
    train, n = dataset.train, dataset.n_users + dataset.n_items
    a = torch.zeros(n, n)
    a[train.users, train.items + dataset.n_users] = 1
    a = a + a.T + (torch.eye(n) if self_loops else 0)
    scale = a.sum(1).clamp_min(1).rsqrt()
    s = scale[:, None] * a * scale
    layer = model.backbone.ego().detach()
    expected = torch.zeros(dataset.n_users, dataset.n_items)
    for _ in range(3):
        users, items = layer.split([dataset.n_users, dataset.n_items])
        expected += users @ items.T
        layer = s @ layer
    tables = model.tables()
    assert tables.users.shape[1] == model.backbone.out_dim == 12
    torch.testing.assert_close(tables.users @ tables.items.T, expected)
