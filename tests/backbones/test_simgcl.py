from __future__ import annotations

import torch

from darec.backbones.views import perturbed
from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestSimGCL(BackboneSuite):
    name = "simgcl"


class TestSimGCLAgainstAll(BackboneSuite):
    name = "simgcl"
    settings = {"candidates": "all", "combine": "mean"}  # noqa: RUF012


def test_noise_has_the_stated_length_and_keeps_signs() -> None:
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    noisy = perturbed(x, 0.7, torch.Generator().manual_seed(1))
    torch.testing.assert_close((noisy - x).norm(dim=1), torch.full((50,), 0.7))
    assert torch.equal(noisy.sign(), x.sign())


def test_without_noise_the_views_are_the_encoding() -> None:
    settings = {"backbone": {"name": "simgcl", "dim": 4, "eps": 0.0}}
    model, _ = train_steps(resolve_config(settings), tiny_dataset(), 1)
    encoded = model.encode(None, torch.Generator().manual_seed(0))
    for view in encoded.views:
        torch.testing.assert_close(view.users, encoded.users)


def test_two_views_differ_and_evaluation_is_quiet() -> None:
    model, _ = train_steps(resolve_config({"backbone.name": "simgcl"}), tiny_dataset(), 1)
    first, second = model.encode(None, torch.Generator().manual_seed(0)).views
    assert not torch.equal(first.users, second.users)
    assert model.encode().views == ()


def test_without_contrast_it_is_lightgcn() -> None:
    simgcl = {"backbone": {"name": "simgcl", "dim": 4, "contrast": 0.0}}
    lightgcn = {"backbone": {"name": "lightgcn", "dim": 4, "edge_keep": 1.0}}
    ours, _ = train_steps(resolve_config(simgcl), tiny_dataset(), 4)
    plain, _ = train_steps(resolve_config(lightgcn), tiny_dataset(), 4)
    assert torch.equal(ours.tables().users, plain.tables().users)
