"""KAR: its mixture against brute force, and its limit: zero weights are the backbone alone."""

from __future__ import annotations

import pytest
import torch
from building import batch, inputs, table, text
from torch.nn import functional as F

from darec.alignments.kar import KAR, KARConfig, Standardised
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.model import Model
from darec.registry import BACKBONES
from darec.testing.suites import AlignmentSuite, tiny_text, train_steps
from darec.testing.worlds import tiny_dataset


class TestKAR(AlignmentSuite):
    name = "kar"


class TestKAROneExpert(AlignmentSuite):
    name = "kar"
    settings = {"shared": 0, "dedicated": 1, "hidden": 3}  # noqa: RUF012


class TestKARSharedOnly(AlignmentSuite):
    name = "kar"
    settings = {"shared": 2, "dedicated": 0}  # noqa: RUF012


def standardised(x: torch.Tensor) -> torch.Tensor:
    return Standardised(x).linear(x, torch.eye(x.shape[1]), torch.zeros(x.shape[1]))


@pytest.mark.parametrize(
    "backbone", [name for name in BACKBONES if not BACKBONES.get(name).closed_form]
)
def test_zero_weights_are_none(backbone: str) -> None:
    """Exactly: the same tables, and in the first step the same gradient on every weight of the backbone."""
    dataset = tiny_dataset()
    models = []
    for alignment in ("kar", "none"):
        config = resolve_config({"backbone": {"name": backbone, "dim": 8}, "alignment": alignment})
        generator = torch.Generator().manual_seed(0)
        models.append(Model(config, dataset.train, tiny_text(dataset), generator))
    ours, theirs = (model.tables() for model in models)
    assert torch.equal(ours.users, theirs.users)
    assert torch.equal(ours.items, theirs.items)
    for model in models:
        generator = torch.Generator().manual_seed(1)
        model.backbone.on_step(0, generator)
        model.backward(batch([0, 1, 2], [3, 4, 5], [6, 7, 8]), generator)
    ours, theirs = models
    for name, weight in theirs.backbone.named_parameters():
        assert torch.equal(ours.backbone.get_parameter(name).grad, weight.grad), name
    assert any(weight.grad.any() for weight in ours.alignment.parameters())


def test_scale_zero_is_none_however_long_it_trains() -> None:
    dataset = tiny_dataset()
    silent = resolve_config({"alignment": "kar", "alignment.scale": 0.0, "backbone.dim": 8})
    ours, _ = train_steps(silent, dataset, 6)
    theirs, _ = train_steps(resolve_config({"backbone.dim": 8}), dataset, 6)
    assert torch.equal(ours.tables().users, theirs.tables().users)


def test_the_mixture_is_the_formula() -> None:
    model = KAR(KARConfig(shared=1, dedicated=2, hidden=3, scale=0.5), inputs(7, 5, 4, 6))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    ego, E_L = table(12, 4), text(7, 5, 6)
    fused = model.fuse(ego, None)
    for side, (language, first_row) in enumerate(((E_L.users, 0), (E_L.items, 7))):
        for row, x in enumerate(standardised(language)):
            gate = torch.softmax(model.gates[side] @ x, 0)
            added = torch.zeros(4)
            experts = [(model.shared, 0), (model.dedicated[side], 0), (model.dedicated[side], 1)]
            for g, (stack, index) in zip(gate, experts, strict=True):
                own = slice(3 * index, 3 * index + 3)
                hidden = F.leaky_relu(stack.first[own] @ x + stack.bias[own])
                added += g * (hidden @ stack.second[own])
            torch.testing.assert_close(fused[first_row + row], ego[first_row + row] + 0.5 * added)


def test_text_reaches_the_scores_once_trained_and_the_figures_show_it() -> None:
    config = resolve_config({"alignment": "kar", "backbone.dim": 8})
    start, _ = train_steps(config, tiny_dataset(), 0)
    assert set(start.diagnostics().values()) == {0.0}
    trained, _ = train_steps(config, tiny_dataset(), 5)
    figures = trained.diagnostics()
    assert figures["added/users"] > 0 and figures["added/items"] > 0
    before = trained.tables().users
    of_users = trained.alignment.text.users
    of_users.copy_(of_users.flip(0))
    assert not torch.allclose(trained.tables().users, before)


def test_text_has_no_mean_and_unit_length_whatever_its_scale() -> None:
    x = table(50, 6) + 3
    once = standardised(x)
    torch.testing.assert_close(once.mean(0), torch.zeros(6), atol=1e-6, rtol=0)
    assert once.square().sum(1).mean().item() == pytest.approx(1, rel=1e-5)
    torch.testing.assert_close(standardised(100 * x - 7), once, atol=1e-5, rtol=1e-4)
    assert not standardised(torch.full((7, 3), 0.1)).any()


def test_no_expert_at_all() -> None:
    with pytest.raises(ConfigError, match="both 0"):
        resolve_config({"alignment": {"name": "kar", "shared": 0, "dedicated": 0}})
