from __future__ import annotations

import pytest
import torch

import darec
from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestLightGCN(BackboneSuite):
    name = "lightgcn"


class TestLightGCNWithSoftmax(BackboneSuite):
    name = "lightgcn"
    settings = {"layers": 1, "combine": "mean", "edge_keep": 0.5, "rescale": True}  # noqa: RUF012


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_layers_are_combined_as_the_paper_says(combine: str) -> None:
    dataset = tiny_dataset()
    config = resolve_config({"backbone.layers": 2, "backbone.dim": 4, "backbone.combine": combine})
    model, _ = train_steps(config, dataset, 0)
    ego, graph = model.backbone.ego(), model.backbone.graph
    once = graph.propagate(ego)
    total = ego + once + graph.propagate(once)
    expected = total / 3 if combine == "mean" else total
    encoded = model.encode()
    torch.testing.assert_close(encoded.entities, expected)


def test_dropout_is_for_training_only() -> None:
    dataset = tiny_dataset()
    model, _ = train_steps(resolve_config({"backbone.edge_keep": 0.5}), dataset, 0)
    quiet = model.encode().entities
    noisy = model.encode(None, torch.Generator().manual_seed(0)).entities
    assert torch.equal(quiet, model.encode().entities)
    assert not torch.equal(quiet, noisy)


def test_zero_layers_is_matrix_factorisation() -> None:
    dataset = tiny_dataset()
    lightgcn, _ = train_steps(resolve_config({"backbone.layers": 0}), dataset, 5)
    mf, _ = train_steps(resolve_config({"backbone": "mf"}), dataset, 5)
    edges = resolve_config({"backbone.layers": 0, "backbone.edge_keep": 1.0})
    no_draws, _ = train_steps(edges, dataset, 5)
    assert torch.equal(no_draws.tables().users, mf.tables().users)
    assert lightgcn.tables().users.shape == mf.tables().users.shape


def test_tables_held_in_bf16_between_the_layers_train_to_nearly_the_same_and_repeat() -> None:
    dataset = tiny_dataset()

    def tables(stored: str) -> torch.Tensor:
        settings = {
            "backbone": {"name": "lightgcn", "dim": 8, "stored": stored},
            "train": {"epochs": 3, "batch_size": 64, "eval_every": 3},
            "evaluation.ks": [5],
            "train.monitor": "recall@5",
        }
        return darec.fit(dataset, settings=settings, progress=False).tables.users

    exact, held = tables("float32"), tables("bf16")
    assert held.dtype == torch.float32 and torch.equal(held, tables("bf16"))
    assert 0 < float((held - exact).norm()) < 0.02 * float(exact.norm())
