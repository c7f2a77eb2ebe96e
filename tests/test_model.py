"""The model's sums, its cut at E_C and the gradient balance."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from darec.alignments.base import Alignment, AlignmentConfig, AlignmentInputs
from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.graph import Graph
from darec.model import Model
from darec.registry import ALIGNMENTS
from darec.testing.suites import tiny_text, train_steps
from darec.testing.worlds import tiny_dataset
from darec.types import Batch, Encoded, Tables


class ProbeConfig(AlignmentConfig):
    name: str = "probe"


class Probe(Alignment[ProbeConfig]):
    """Two terms: a push on E_C through a map of its own, and a ranking loss on a tower of its own."""

    recommendation_terms: ClassVar[frozenset[str]] = frozenset({"tower"})

    def __init__(self, config: ProbeConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        self.graph = inputs.graph
        self.map = torch.nn.Linear(inputs.text_dim, inputs.out_dim)

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        language = self.map(torch.cat([self.text.users, self.text.items]))
        sizes = [len(encoded.users), len(encoded.items)]
        users, items = self.graph.propagate(language).split(sizes)
        return {
            "pull": (encoded.entities - language).square().mean(),
            "tower": self.ranking(Tables(users + encoded.users, items + encoded.items), batch),
        }

    def represent(self, encoded: Encoded) -> Tables:
        return Tables(
            torch.cat([encoded.users, self.map(self.text.users)], 1),
            torch.cat([encoded.items, self.map(self.text.items)], 1),
        )


@pytest.fixture(autouse=True)
def probe() -> None:
    if "probe" not in ALIGNMENTS:
        ALIGNMENTS.add("probe", Probe)
    yield
    ALIGNMENTS._parts.pop("probe", None)


def one_step(config: RunConfig, dataset: Dataset) -> tuple[Model, Batch, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    model = Model(config, dataset.train, tiny_text(dataset), generator)
    users, items = next(model.sampler.epoch(64, generator))
    batch = model.ranking.batch(
        users, items, 0, generator=generator, alignment_generator=torch.Generator()
    )
    report = model.backward(batch, generator)
    return model, batch, report


def test_a_training_step_is_its_parts_in_order() -> None:
    """Draws, gradients and the optimiser's move, with the alignment's draws apart."""
    dataset = tiny_dataset()
    config = resolve_config({"backbone.dim": 4, "alignment": "generative"})

    def made() -> tuple[Model, torch.optim.Optimizer, list[torch.Generator]]:
        model = Model(config, dataset.train, tiny_text(dataset), torch.Generator().manual_seed(0))
        optimizer = torch.optim.SGD(model.parameter_groups(0.0, decoupled=False), lr=0.1)
        return model, optimizer, [torch.Generator().manual_seed(seed) for seed in (1, 2)]

    model, optimizer, (draws, alignment_draws) = made()
    users, items = torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5])
    report = model.train_step(
        users, items, optimizer, step=0, generator=draws, alignment_generator=alignment_draws
    )
    by_hand, optimizer, (draws, alignment_draws) = made()
    batch = by_hand.ranking.batch(
        users, items, 0, generator=draws, alignment_generator=alignment_draws
    )
    assert by_hand.backward(batch, draws) == report
    optimizer.step()
    pairs = zip(model.parameters(), by_hand.parameters(), strict=True)
    for one, other in pairs:
        assert torch.equal(one, other) and torch.equal(one.grad, other.grad)


SETTINGS = {"backbone.dim": 5, "backbone.edge_keep": 1.0, "alignment": "probe"}


def test_a_fixed_push_is_the_gradient_of_the_weighted_sum() -> None:
    dataset = tiny_dataset()
    config = resolve_config({**SETTINGS, "alignment.balance": "fixed", "alignment.strength": 0.3})
    model, batch, report = one_step(config, dataset)
    cut = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    encoded = model.encode(batch, torch.Generator())
    terms = model.alignment.losses(encoded, batch)
    total = model.backbone.losses(encoded, batch)["ranking"] + terms["tower"] + 0.3 * terms["pull"]
    total.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(cut[name], parameter.grad, atol=1e-6, rtol=1e-4)
    assert set(report) >= {"ranking", "tower", "pull"}


@pytest.mark.parametrize("rho", [0.0, 0.1, 3.0])
def test_the_balanced_push_is_rho_times_the_recommendation_gradient(rho: float) -> None:
    dataset = tiny_dataset()
    config = resolve_config({"backbone": "mf", "alignment": "probe", "alignment.rho": rho})
    model, batch, _ = one_step(config, dataset)
    got = model.backbone.ego().grad.clone()
    ego = model.backbone.ego()
    terms = model.alignment.losses(model.encode(), batch)
    recommend = model.backbone.losses(model.encode(), batch)["ranking"] + terms["tower"]
    (of_recommendation,) = torch.autograd.grad(recommend, ego, retain_graph=True)
    (of_alignment,) = torch.autograd.grad(terms["pull"], ego)
    scale = rho * of_recommendation.norm() / of_alignment.norm()
    torch.testing.assert_close(got, of_recommendation + scale * of_alignment)
    torch.testing.assert_close(
        (got - of_recommendation).norm(), rho * of_recommendation.norm(), rtol=1e-3, atol=1e-7
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_surgery_takes_out_what_goes_against_the_recommendation_and_nothing_else(
    sign: float,
) -> None:
    dataset = tiny_dataset()
    fixed = {"backbone": "mf", "alignment": "probe", "alignment.balance": "fixed"}
    steps = {}
    for strength, surgery in ((0.0, False), (sign, False), (sign, True)):
        torch.manual_seed(0)  # the probe's map
        # A strength below zero, which no setting allows, makes one of the two signs a conflict.
        config = resolve_config({**fixed, "alignment.surgery": surgery})
        push = config.alignment.model_copy(update={"strength": strength})
        model, _, _ = one_step(config.model_copy(update={"alignment": push}), dataset)
        steps[strength, surgery] = model.backbone.ego().grad.flatten()
    own = steps[0.0, False]
    before, after = (steps[sign, surgery] - own for surgery in (False, True))
    if before @ own >= 0:
        torch.testing.assert_close(after, before)
    else:
        torch.testing.assert_close(after, before - (before @ own) / (own @ own) * own)
        assert abs(float(after @ own)) < 1e-5 * float(own @ own)
        assert not torch.allclose(after, before)


def test_rho_zero_leaves_the_backbone_as_none_leaves_it() -> None:
    """The alignment draws from a generator of its own, so batches and dropout are the same too."""
    dataset = tiny_dataset()
    silent = resolve_config(
        {"backbone.dim": 8, "alignment": "darec", "alignment.rho": 0.0}
        | {
            "alignment.start": "random",
            "alignment.smoothing": 0.0,
        }  # both change the backbone itself
    )
    alone = resolve_config({"backbone.dim": 8, "alignment": "none"})
    first, _ = train_steps(silent, dataset, 8)
    second, _ = train_steps(alone, dataset, 8)
    torch.testing.assert_close(first.backbone.ego(), second.backbone.ego(), rtol=1e-4, atol=1e-6)


def test_warmup_grows_linearly() -> None:
    config = ProbeConfig(warmup=4)
    assert [config.ramp(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert ProbeConfig().ramp(0) == 1.0


def test_weight_decay_is_the_l2_term() -> None:
    """SGD with the groups' decay takes the step that the loss plus l2 times the squared norm asks for."""
    dataset = tiny_dataset()
    model, _, _ = one_step(resolve_config(SETTINGS), dataset)
    weight = model.backbone.ego()
    before, grad = weight.detach().clone(), weight.grad.clone()
    torch.optim.SGD(model.parameter_groups(0.25, decoupled=False), lr=0.1).step()
    torch.testing.assert_close(weight.detach(), before - 0.1 * (grad + 2 * 0.25 * before))
    groups = model.parameter_groups(0.25, decoupled=False)
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    assert {id(p) for g in groups for p in g["params"]} == {id(p) for p in model.parameters()}


def test_text_is_asked_for_where_it_is_needed() -> None:
    dataset = tiny_dataset()
    with pytest.raises(ConfigError, match="needs language embeddings"):
        Model(resolve_config(SETTINGS), dataset.train, None, torch.Generator())


def test_towers_may_be_wider_than_the_backbone() -> None:
    dataset = tiny_dataset()
    model, _, _ = one_step(resolve_config(SETTINGS), dataset)
    assert model.tables().items.shape == (dataset.n_items, 10)


@pytest.mark.parametrize("alignment", ["probe", "darec", "kar", "none"])
def test_the_text_moves_with_the_model_and_is_not_saved(alignment: str) -> None:
    config = resolve_config({"alignment": alignment, "backbone.dim": 8})
    dataset = tiny_dataset()
    model = Model(config, dataset.train, tiny_text(dataset), torch.Generator())
    assert not [name for name in model.state_dict() if "E_L" in name]
    text = model.to("meta").alignment.text
    assert text.users.is_meta and text.items.is_meta
    assert len(text.items) == (0 if alignment == "none" else dataset.n_items)


@pytest.mark.parametrize(
    ("backbone", "alignment", "expected"),
    [
        ("mf", "none", [0]),
        ("mf", "darec", [360]),
        ("lightgcn", "none", [360]),  # the backbone's own, which the alignment shares
        ("gccf", "kar", [0, 460]),
        ("gccf", "darec", [360, 460]),
    ],
)
def test_a_graph_that_nobody_reads_is_not_made(
    backbone: str, alignment: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, made = tiny_dataset(), []

    class Counted(Graph):
        def __init__(self, *inputs: Any, **options: Any) -> None:
            super().__init__(*inputs, **options)
            made.append(self.n_edges)

    monkeypatch.setattr("darec.model.Graph", Counted)
    parts = {"backbone": {"name": backbone, "dim": 4}, "alignment": alignment}
    generator = torch.Generator().manual_seed(0)
    Model(resolve_config(parts), dataset.train, tiny_text(dataset), generator)
    assert made == expected
