"""RLMRec-Con: its three terms against brute force, and its memory."""

from __future__ import annotations

import math

import pytest
import torch
from building import batch, encoded, inputs, text
from torch import Tensor, nn
from torch.nn import functional as F

from darec.alignments import contrastive
from darec.alignments.contrastive import Contrastive, ContrastiveConfig, project_all
from darec.config import resolve_config
from darec.testing.suites import AlignmentSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestContrastive(AlignmentSuite):
    name = "contrastive"


class TestContrastiveWithinTheBatch(AlignmentSuite):
    name = "contrastive"
    settings = {"user_candidates": "batch", "hidden": 5}  # noqa: RUF012


def brute_force(C: Tensor, L: Tensor, rows: list[int], candidates: list[int], tau: float) -> Tensor:
    C, L = F.normalize(C, dim=1), F.normalize(L, dim=1)
    terms = [
        torch.log(sum(torch.exp(C[row] @ L[other] / tau) for other in candidates))
        - C[row] @ L[row] / tau
        for row in rows
    ]
    return torch.stack(terms).mean()


@pytest.mark.parametrize(("candidates", "users"), [("all", [0, 1, 2, 3]), ("batch", [0, 2])])
def test_terms_are_the_formulas(candidates: str, users: list[int]) -> None:
    config = ContrastiveConfig(user_candidates=candidates, temperature=0.3)
    model = Contrastive(config, inputs(4, 5, 3, 6))
    E_C, E_L = encoded(4, 5, 3), text(4, 5, 6)
    for table in (E_C.users, E_C.items):
        table.requires_grad_()
    terms = model.losses(E_C, batch([0, 2, 2], [1, 1, 4], [3, 0, 0]))
    of_users, of_items = model.mlp(E_L.users), model.mlp(E_L.items)
    wanted = {
        "text_users": brute_force(E_C.users, of_users, [0, 2, 2], users, 0.3),
        "text_positives": brute_force(E_C.items, of_items, [1, 1, 4], [1, 4], 0.3),
        "text_negatives": brute_force(E_C.items, of_items, [3, 0, 0], [0, 3], 0.3),
    }
    assert list(terms) == list(wanted)
    leaves = [E_C.users, E_C.items, *model.parameters()]
    for name, term in wanted.items():
        torch.testing.assert_close(terms[name], term)
    got = torch.autograd.grad(sum(terms.values()), leaves)
    for one, other in zip(got, torch.autograd.grad(sum(wanted.values()), leaves), strict=True):
        torch.testing.assert_close(one, other)


def test_infinite_temperature_is_the_log_of_the_number_of_candidates() -> None:
    model = Contrastive(ContrastiveConfig(temperature=1e8), inputs(9, 5, 3, 6))
    terms = model.losses(encoded(9, 5, 3), batch([0, 2], [1, 4], [3, 0]))
    assert terms["text_users"].item() == pytest.approx(math.log(9), abs=1e-5)
    assert terms["text_positives"].item() == pytest.approx(math.log(2), abs=1e-5)


def test_only_every_so_manyth_step_aligns() -> None:
    config = resolve_config({"alignment": "contrastive", "alignment.every": 3, "backbone.dim": 8})
    _, reports = train_steps(config, tiny_dataset(), 7)
    assert ["text_users" in report for report in reports] == [i % 3 == 0 for i in range(7)]


def test_hidden_width_is_the_mean_of_both_unless_given() -> None:
    assert Contrastive(ContrastiveConfig(), inputs(4, 5, 3, 7)).mlp[0].out_features == 5
    assert Contrastive(ContrastiveConfig(hidden=9), inputs(4, 5, 3, 7)).mlp[0].out_features == 9


@pytest.mark.parametrize("negatives", ["uniform", "in-batch"])
def test_negatives_shared_by_the_batch(negatives: str) -> None:
    loss = {"name": "softmax", "negatives": negatives, "n_negatives": 16}
    config = resolve_config({"alignment": "contrastive", "loss": loss, "backbone.dim": 8})
    _, reports = train_steps(config, tiny_dataset(), 2)
    assert all(torch.isfinite(report["text_negatives"]) for report in reports)


class Watched(nn.Linear):
    """Remembers how many rows it was given at once."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return super().forward(x)


def test_all_texts_are_projected_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same value and gradient as in one piece."""
    monkeypatch.setattr(contrastive, "_ROWS", 4)
    network, x = Watched(), torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    projected = project_all(network, x)
    projected.square().sum().backward()
    assert network.sizes == [4, 4, 2, 2, 4, 4]  # forward, then again in the backward pass
    got = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    whole = nn.Linear.forward(network, x)
    whole.square().sum().backward()
    torch.testing.assert_close(projected, whole)
    for one, parameter in zip(got, network.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad)
