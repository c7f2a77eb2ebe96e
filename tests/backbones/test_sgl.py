from __future__ import annotations

import pytest
import torch

from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestSGL(BackboneSuite):
    name = "sgl"


class TestSGLWithNodeDropout(BackboneSuite):
    name = "sgl"
    settings = {"augmentation": "node_dropout", "renormalise": True}  # noqa: RUF012


class TestSGLWithRandomWalk(BackboneSuite):
    name = "sgl"
    settings = {"augmentation": "random_walk", "candidates": "batch"}  # noqa: RUF012


def config(**settings: object):  # type: ignore[no-untyped-def]
    return resolve_config({"backbone": {"name": "sgl", "dim": 4, **settings}})


@pytest.mark.parametrize("augmentation", ["node_dropout", "edge_dropout", "random_walk"])
@pytest.mark.parametrize("renormalise", [False, True])
def test_views_that_keep_everything_are_the_encoding(augmentation: str, renormalise: bool) -> None:
    settings = {"keep": 1.0, "augmentation": augmentation, "renormalise": renormalise}
    model, _ = train_steps(config(**settings), tiny_dataset(), 1)
    encoded = model.encode(None, torch.Generator().manual_seed(0))
    assert len(encoded.views) == 2
    for view in encoded.views:
        torch.testing.assert_close(view.users, encoded.users)
        torch.testing.assert_close(view.items, encoded.items)


def test_a_dropped_node_loses_its_edges() -> None:
    settings = config(augmentation="node_dropout", keep=0.5, layers=1)
    model, _ = train_steps(settings, tiny_dataset(), 1)
    ego, graph = model.backbone.ego(), model.backbone.graph
    draw = torch.rand(len(ego), generator=torch.Generator().manual_seed(3))
    stays = (draw < 0.5).float()[:, None]
    view = model.encode(None, torch.Generator().manual_seed(3)).views[0]
    expected = ego + stays * graph.propagate(stays * ego)
    torch.testing.assert_close(torch.cat([view.users, view.items]), expected)


def test_a_random_walk_thins_each_layer_anew() -> None:
    model, _ = train_steps(
        config(augmentation="random_walk", keep=0.5, layers=2), tiny_dataset(), 1
    )
    ego, graph = model.backbone.ego(), model.backbone.graph
    generator = torch.Generator().manual_seed(5)
    first, second = (graph.drop_edges(0.5, generator, rescale=False) for _ in range(2))
    assert not torch.equal(first, second)
    once = graph.propagate(ego, first)
    view = model.encode(None, torch.Generator().manual_seed(5)).views[0]
    expected = ego + once + graph.propagate(once, second)
    torch.testing.assert_close(torch.cat([view.users, view.items]), expected)


def test_without_contrast_it_is_lightgcn() -> None:
    sgl, reports = train_steps(config(contrast=0.0), tiny_dataset(), 4)
    lightgcn = {"backbone": {"name": "lightgcn", "dim": 4, "edge_keep": 1.0}}
    plain, _ = train_steps(resolve_config(lightgcn), tiny_dataset(), 4)
    assert set(reports[0]) == {"ranking"}
    assert torch.equal(sgl.tables().users, plain.tables().users)
