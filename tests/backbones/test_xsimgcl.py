from __future__ import annotations

import pytest
import torch

from darec.config import resolve_config
from darec.errors import ConfigError
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestXSimGCL(BackboneSuite):
    name = "xsimgcl"


def test_the_encoding_is_the_mean_of_the_propagated_layers() -> None:
    settings = {"backbone": {"name": "xsimgcl", "dim": 4, "layers": 2, "eps": 0.0}}
    model, _ = train_steps(resolve_config(settings), tiny_dataset(), 1)
    graph, ego = model.backbone.graph, model.backbone.ego()
    first = graph.propagate(ego)
    second = graph.propagate(first)
    torch.testing.assert_close(model.encode().entities, (first + second) / 2)
    (view,) = model.encode(None, torch.Generator().manual_seed(0)).views
    torch.testing.assert_close(torch.cat([view.users, view.items]), first)


def test_the_recommendation_is_learned_on_the_noisy_encoding() -> None:
    model, _ = train_steps(resolve_config({"backbone.name": "xsimgcl"}), tiny_dataset(), 1)
    noisy = model.encode(None, torch.Generator().manual_seed(0))
    assert not torch.allclose(noisy.users, model.encode().users)


def test_a_layer_that_does_not_exist_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"backbone\.contrast_layer 3 is above backbone\.layers 2"
    ):
        resolve_config({"backbone": {"name": "xsimgcl", "contrast_layer": 3}})
