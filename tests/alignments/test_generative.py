"""RLMRec-Gen: what is masked, what is reconstructed, and from what."""

from __future__ import annotations

import math

import pytest
import torch
from building import batch, encoded, inputs, table, text
from torch import Tensor
from torch.nn import functional as F

from darec.alignments.generative import Generative, GenerativeConfig
from darec.config import resolve_config
from darec.model import Model
from darec.testing.suites import AlignmentSuite, tiny_text, train_steps
from darec.testing.worlds import tiny_dataset
from darec.types import Tables


class TestGenerative(AlignmentSuite):
    name = "generative"


class TestGenerativeFewReconstructed(AlignmentSuite):
    name = "generative"
    settings = {"mask": 0.5, "n_reconstructed": 7, "hidden": 5}  # noqa: RUF012


def build(n_users: int = 30, n_items: int = 20, **settings: float) -> Generative:
    return Generative(GenerativeConfig(**settings), inputs(n_users, n_items, 4, 6))


def masked(model: Generative, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The fused table and its masked rows."""
    ego = table(50, 4)
    fused = model.fuse(ego, torch.Generator().manual_seed(seed))
    return fused, (fused != ego).any(1).nonzero().flatten()


def test_a_share_of_rows_becomes_the_token_and_the_rest_stays() -> None:
    model = build(mask=0.3)
    ego = table(50, 4).requires_grad_()
    fused = model.fuse(ego, torch.Generator().manual_seed(1))
    rows = (fused != ego).any(1)
    assert rows.sum() == 15
    assert torch.equal(fused[rows], model.token.expand(15, -1))
    fused.sum().backward()
    assert torch.equal(ego.grad.any(1), ~rows)
    assert torch.equal(model.token.grad, torch.full((1, 4), 15.0))


def test_masks_are_drawn_anew_from_the_generator_alone() -> None:
    model = build(mask=0.3)
    before = torch.random.get_rng_state()
    first, again, other = (masked(model, seed)[1] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_nothing_is_masked_in_evaluation() -> None:
    model = build()
    ego = table(50, 4)
    assert model.fuse(ego, None) is ego


def test_loss_is_the_formula_over_the_masked_rows() -> None:
    model = build(mask=0.2, temperature=0.3)
    E_C, E_L = encoded(30, 20, 4), text(30, 20, 6)
    _, rows = masked(model)
    assert (rows < 30).any() and (rows >= 30).any()
    loss = model.losses(E_C, batch([], [], []))["text_reconstruction"]
    guess = F.normalize(model.mlp(E_C.entities[rows]), dim=1)
    truth = F.normalize(torch.cat([E_L.users, E_L.items])[rows], dim=1)
    terms = [
        torch.log(sum(torch.exp(own @ other / 0.3) for other in truth)) - own @ of_own / 0.3
        for own, of_own in zip(guess, truth, strict=True)
    ]
    torch.testing.assert_close(loss, torch.stack(terms).mean())


def test_limits() -> None:
    hot = build(mask=0.2, temperature=1e8)
    masked(hot)
    loss = hot.losses(encoded(30, 20, 4), batch([], [], []))
    assert loss["text_reconstruction"].item() == pytest.approx(math.log(10), abs=1e-5)
    few = build(mask=0.5, temperature=1e8, n_reconstructed=3)
    masked(few)
    loss = few.losses(encoded(30, 20, 4), batch([], [], []))
    assert loss["text_reconstruction"].item() == pytest.approx(math.log(3), abs=1e-5)


def test_a_mask_serves_one_step() -> None:
    model = build()
    masked(model)
    model.losses(encoded(30, 20, 4), batch([], [], []))
    with pytest.raises(RuntimeError, match="same step"):
        model.losses(encoded(30, 20, 4), batch([], [], []))


def test_a_masked_entitys_own_embedding_cannot_reach_its_reconstruction() -> None:
    """Through the real backbone: rows that were masked get no gradient from the loss through their own ego."""
    dataset = tiny_dataset()
    config = resolve_config({"backbone": "mf", "backbone.dim": 4, "alignment": "generative"})
    model = Model(config, dataset.train, tiny_text(dataset), torch.Generator().manual_seed(0))
    step = batch([0], [0], [1])
    made = model.encode(step, torch.Generator().manual_seed(0))
    rows = model.alignment._masked
    loss = model.alignment.losses(made, step)["text_reconstruction"]
    reached = torch.autograd.grad(loss, [model.backbone.embedding, model.alignment.token])
    assert not reached[0][rows].any()
    assert reached[1].any()


def test_text_of_neighbours_is_learned() -> None:
    """In the planted world an item's group is its text and shows in its neighbours: the loss falls below chance."""
    dataset = tiny_dataset()
    config = resolve_config(
        {"alignment": "generative", "alignment.mask": 0.3, "alignment.rho": 1.0, "backbone.dim": 8}
    )
    groups = F.one_hot(torch.arange(60) % 4, 6).float()
    E_L = Tables(groups, groups[:40])
    model, _ = train_steps(config, dataset, 0)
    generator = torch.Generator().manual_seed(3)
    model.alignment.E_L_users, model.alignment.E_L_items = E_L.users, E_L.items
    optimizer = torch.optim.Adam(model.parameter_groups(0.0, decoupled=False), lr=0.02)
    losses = []
    for step in range(150):
        users, items = next(model.sampler.epoch(128, generator))
        drawn = model.ranking.batch(
            users, items, step, generator=generator, alignment_generator=generator
        )
        optimizer.zero_grad()
        losses.append(float(model.backward(drawn, generator)["text_reconstruction"]))
        optimizer.step()
    # Four texts among 30 masked entities: knowing the group leaves log(30 / 4), chance is log(30).
    assert sum(losses[-20:]) / 20 < math.log(30) - 0.4
