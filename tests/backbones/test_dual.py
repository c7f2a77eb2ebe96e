from __future__ import annotations

import pytest
import torch

from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestDual(BackboneSuite):
    name = "dual"


class TestDualTogether(BackboneSuite):
    name = "dual"
    settings = {"losses": "together"}  # noqa: RUF012


def test_scores_are_the_sum_of_the_towers() -> None:
    config = resolve_config({"backbone": {"name": "dual", "dim": 4}})
    model, _ = train_steps(config, tiny_dataset(), 2)
    backbone = model.backbone
    ids, text = backbone.embedding, backbone.mlp(backbone.text)
    scores = 0
    for tower in (ids, text):
        encoded = backbone.graph.layer_sum(tower, 2) / 3
        users, items = encoded.split(backbone.sizes)
        scores = scores + users @ items.T
    tables = model.tables()
    torch.testing.assert_close(tables.users @ tables.items.T, scores.detach())


def test_under_cosines_both_towers_weigh_alike() -> None:
    config = resolve_config({"backbone": {"name": "dual", "dim": 4}, "loss": "softmax"})
    model, _ = train_steps(config, tiny_dataset(), 2)
    encoded = model.encode()
    for half in (*encoded.users.chunk(2, 1), *encoded.items.chunk(2, 1)):
        torch.testing.assert_close(half.norm(dim=1), torch.ones(len(half)))


@pytest.mark.parametrize(("losses", "alike"), [("apart", True), ("together", False)])
def test_with_losses_apart_the_ids_learn_as_if_alone(losses: str, alike: bool) -> None:
    """The id tower's gradient does not depend on the text tower."""
    dataset, gradients = tiny_dataset(), []
    config = resolve_config({"backbone": {"name": "dual", "dim": 4, "losses": losses}})
    for scale in (1.0, 5.0):
        model, _ = train_steps(config, dataset, 0)
        with torch.no_grad():
            model.backbone.mlp[2].weight.mul_(scale)
        generator = torch.Generator().manual_seed(0)
        users, items = next(iter(model.sampler.epoch(64, generator)))
        batch = model.ranking.batch(
            users, items, 0, generator=generator, alignment_generator=generator
        )
        model.backward(batch, generator)
        gradients.append(model.backbone.embedding.grad)
    assert torch.equal(*gradients) is alike
