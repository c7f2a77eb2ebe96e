"""The DaRec alignment as a whole: its terms, its sampling, and what it does to a planted world."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from building import encoded, inputs, table, text
from torch import Tensor

from darec.alignments.darec import DaRec, DaRecConfig
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.graph import Graph, NeighbourGraph, reliability, shared_text
from darec.testing.suites import AlignmentSuite, train_steps
from darec.testing.worlds import linear_probe_r2, planted_embeddings, tiny_dataset
from darec.types import Batch, Encoded, Interactions, Tables

PARTS = ("C_sh", "C_sp", "L_sh", "L_sp")


class TestDaRec(AlignmentSuite):
    name = "darec"


class TestDaRecAsThePaperWritesIt(AlignmentSuite):
    name = "darec"
    settings = {"preset": "paper", "n_sampled": None}  # noqa: RUF012


def build(
    n_users: int,
    n_items: int,
    out_dim: int,
    text_dim: int,
    E_L: Tables | None = None,
    **settings: Any,
) -> DaRec:
    given = inputs(n_users, n_items, out_dim, text_dim, E_L=E_L)
    return DaRec(DaRecConfig(**settings), given)


def batch(step: int) -> Batch:
    empty = torch.zeros(0, dtype=torch.long)
    return Batch(empty, empty, empty, torch.Generator().manual_seed(step), step)


def test_a_term_of_weight_zero_is_not_there() -> None:
    names = {"orthogonality": "w_or", "uniformity": "w_uni", "global": "w_glo", "local": "w_loc"}
    for kept in names:
        weights = {weight: float(name == kept) for name, weight in names.items()}
        config = resolve_config({"alignment": {"name": "darec", **weights}})
        _, reports = train_steps(config, tiny_dataset(), 1)
        assert set(reports[0]) & set(names) == {kept}


def test_terms_are_linear_in_their_weights() -> None:
    once, thrice = (
        train_steps(resolve_config({"alignment": {"name": "darec", "w_glo": w}}), tiny_dataset(), 1)
        for w in (1.0, 3.0)
    )
    assert float(thrice[1][0]["global"]) == pytest.approx(3 * float(once[1][0]["global"]), rel=1e-5)


def test_only_every_so_manyth_step_aligns() -> None:
    config = resolve_config({"alignment": {"name": "darec", "every": 3}})
    _, reports = train_steps(config, tiny_dataset(), 7)
    assert ["global" in report for report in reports] == [i % 3 == 0 for i in range(7)]


def test_apart_never_compares_a_user_with_an_item() -> None:
    """Turning all items' vectors by one rotation, on one side, leaves the structure terms as they are."""
    world = planted_embeddings(60, 4, 4, 16, seed=0, noise=0.1)
    E_C, E_L = world.collaborative, world.language

    def losses(C: Encoded, L: Tables) -> dict[str, Tensor]:
        model = build(30, 30, 16, E_L.shape[1], L, hidden=(), n_sampled=None, every=1)
        return model.losses(C, batch(0))

    plain = losses(Encoded(E_C[:30], E_C[30:]), Tables(E_L[:30], E_L[30:]))
    mean = torch.stack(
        [
            losses(Encoded(a, a), Tables(b, b))["global"]
            for a, b in ((E_C[:30], E_L[:30]), (E_C[30:], E_L[30:]))
        ]
    ).mean()
    torch.testing.assert_close(plain["global"], mean)


def test_more_clusters_than_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match="50 clusters of 30 users"):
        build(30, 60, 8, 8, n_clusters=50)
    with pytest.raises(ConfigError, match=r"50 clusters of 20 users \(of 300"):
        build(300, 300, 8, 8, n_clusters=50, n_sampled=40)


def disentangle(seed: int, **settings: Any) -> tuple[dict[str, float], dict[str, float], bool]:
    """Probes of the projected parts before and after training on a planted world, and whether it collapsed.

    The tables are frozen and hold 4 shared and 4 specific factors each; the parts are 8 wide, so that there is room for
    all: what is left out of a part is left out by the losses.
    """
    n = 600
    world = planted_embeddings(n, 4, 4, 32, seed=seed, noise=0.05)
    E_C, E_L = world.collaborative, world.language
    half = n // 2
    together = {"dim": 8, "every": 1, "n_sampled": None, "entities": "together"}
    model = build(half, half, 32, 64, Tables(E_L[:half], E_L[half:]), **together, **settings)
    encoded = Encoded(E_C[:half], E_C[half:])

    def probes() -> dict[str, float]:
        with torch.no_grad():
            parts = model.parts(encoded)
        C_sh, C_sp, L_sh, L_sp = (
            torch.cat([parts["users"][name], parts["items"][name]]) for name in PARTS
        )
        return {
            "shared in C_sh": linear_probe_r2(C_sh, world.shared),
            "shared in L_sh": linear_probe_r2(L_sh, world.shared),
            "specific in C_sh": linear_probe_r2(C_sh, world.collaborative_specific),
            "specific in L_sh": linear_probe_r2(L_sh, world.language_specific),
            "specific in C_sp": linear_probe_r2(C_sp, world.collaborative_specific),
            "specific in L_sp": linear_probe_r2(L_sp, world.language_specific),
        }

    before = probes()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(400):
        optimizer.zero_grad()
        torch.stack(list(model.losses(encoded, batch(step)).values())).sum().backward()
        optimizer.step()
    return before, probes(), model.diagnostics(encoded)["collapsed"] == 1.0


@pytest.mark.parametrize("seed", [1, 2])
def test_darec_recovers_what_is_shared_and_keeps_what_is_specific(seed: int) -> None:
    before, after, collapsed = disentangle(seed)
    for side in "CL":
        assert after[f"shared in {side}_sh"] > before[f"shared in {side}_sh"]
        assert after[f"shared in {side}_sh"] > 0.97
        assert after[f"specific in {side}_sh"] < before[f"specific in {side}_sh"] - 0.1
        assert after[f"specific in {side}_sp"] > 0.95
    assert not collapsed


def test_projectors_and_weights_as_in_the_paper_lose_what_is_shared() -> None:
    """Why the defaults depart from them: the same world, MLP projectors, weights of one, parts not centred."""
    before, after, _ = disentangle(1, hidden=(64,), w_glo=1.0, centre=False)
    assert after["shared in C_sh"] < before["shared in C_sh"] - 0.2
    assert after["shared in C_sh"] < 0.5


@pytest.mark.parametrize("centre", [False, True])
def test_collapse_is_detected_when_provoked(centre: bool) -> None:
    """A shared projector that maps all to one point, or about its mean to one line, is reported; a fresh one is not."""
    world = planted_embeddings(60, 4, 4, 16, seed=0, noise=0.1)
    E_C, E_L = world.collaborative, world.language
    encoded, E_L = Encoded(E_C[:30], E_C[30:]), Tables(E_L[:30], E_L[30:])
    model = build(30, 30, 16, E_L.users.shape[1], E_L, centre=centre)
    healthy = model.diagnostics(encoded)
    assert healthy["collapsed"] == 0.0 and healthy["rank/C_sh"] > 3
    with torch.no_grad():
        parameters = list(model.shared["C"].parameters())
        weight = next(p for p in parameters if p.ndim == 2)
        if centre:
            weight[1:] = weight[:1]
        else:
            weight.mul_(1e-3)
            next(p for p in parameters if p.ndim == 1).add_(1.0)
    sick = model.diagnostics(encoded)
    assert sick["collapsed"] == 1.0
    assert sick["rank/C_sh"] == pytest.approx(1.0, abs=0.1)
    assert np.isfinite(list(sick.values())).all()


def test_centred_parts_do_not_see_a_common_offset() -> None:
    """The trivial optimum of rows that all point one way is gone: an offset changes no structure term."""
    world = planted_embeddings(60, 4, 4, 16, seed=0, noise=0.1)
    E_C, E_L = world.collaborative, world.language
    encoded, E_L = Encoded(E_C[:30], E_C[30:]), Tables(E_L[:30], E_L[30:])
    model = build(30, 30, 16, E_L.users.shape[1], E_L, every=1, n_sampled=None)
    before = model.losses(encoded, batch(0))
    with torch.no_grad():
        for parameter in model.shared["C"].parameters():
            if parameter.ndim == 1:
                parameter.add_(5.0)
    after = model.losses(encoded, batch(0))
    torch.testing.assert_close(after["global"], before["global"], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(after["local"], before["local"], rtol=1e-4, atol=1e-6)


def test_the_papers_form_leaves_the_backbones_input_alone() -> None:
    config = resolve_config({"alignment": {"name": "darec", "preset": "paper", "w_uni": 2.0}})
    dumped = config.alignment.model_dump()
    assert dumped["start"] == "random" and dumped["balance"] == "fixed" and dumped["w_uni"] == 2.0
    assert "preset" not in dumped
    model = build(30, 20, 8, 6, **DaRecConfig.presets["paper"])
    ids = table(50, 8)
    assert model.initial_ids(ids) is ids
    assert model.fuse(ids, None) is ids


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'papr'.*paper"):
        resolve_config({"alignment": {"name": "darec", "preset": "papr"}})
    with pytest.raises(ConfigError, match="'direct': unknown preset 'paper': it has none"):
        resolve_config({"alignment": {"name": "direct", "preset": "paper"}})


def test_ids_start_in_one_basis_for_users_and_items() -> None:
    """A user whose text is an item's starts where the item does, up to the lengths of the two tables."""
    E_L = text(30, 20, 6)
    E_L = Tables(torch.cat([E_L.items, E_L.users[:10]]), E_L.items)
    ids = 0.1 * table(50, 4)
    made = build(30, 20, 4, 6, E_L, text_part="whole").initial_ids(ids)
    users, items = made.split([30, 20])
    assert users.norm().item() == pytest.approx(ids[:30].norm().item(), rel=1e-5)
    assert items.norm().item() == pytest.approx(ids[30:].norm().item(), rel=1e-5)
    cosines = torch.cosine_similarity(users[:20], items)
    torch.testing.assert_close(cosines, torch.ones(20))


def test_items_are_averaged_with_their_neighbours_in_text_and_users_are_not() -> None:
    """Two kinds of items, told apart by text: with all of a kind as neighbours, a kind's own mean is added."""
    kinds = torch.tensor([0, 1] * 5)
    items = torch.eye(2)[kinds] + 1e-4 * table(10, 2)
    given = inputs(7, 10, 3, 2)
    given = dataclasses.replace(given, text=Tables(table(7, 2), items))
    config = DaRecConfig(
        smoothing=0.5, reliability=1.0, neighbours=4, n_clusters=2, text_part="whole"
    )
    model = DaRec(config, given)
    ego = table(17, 3)
    fused = model.fuse(ego, None)
    assert torch.equal(fused[:7], ego[:7])
    own = ego[7:]
    for item in range(10):
        others = [j for j in range(10) if j != item and kinds[j] == kinds[item]]
        expected = own[item] + 0.5 * own[others].mean(0)
        torch.testing.assert_close(fused[7 + item], expected, rtol=1e-3, atol=1e-4)


def test_smoothing_is_in_proportion_to_the_neighbours_reliability() -> None:
    """Two kinds of users, who take two kinds of items."""
    kinds = torch.arange(20) % 2
    pairs = [(u, i) for u in range(30) for i in range(20) if u % 2 == i % 2 and (u + i // 2) % 3]
    train = Interactions.from_pairs(*np.array(pairs).T, 30, 20)
    items = torch.eye(2)[kinds] + 0.5 * table(20, 2)
    given = dataclasses.replace(
        inputs(30, 20, 3, 2), text=Tables(table(30, 2), items), graph=Graph(train)
    )
    shared = shared_text(items, given.item_mask, given.graph).part(items).float()
    trust = reliability(NeighbourGraph(shared, 10, 0.1), given.graph)
    assert 0.1 < trust < 0.9
    model = DaRec(DaRecConfig(smoothing=2.0, n_clusters=2), given)
    assert model.text_input.smoothing == 2.0 * trust
    assert model.diagnostics(encoded(30, 20, 3))["smoothing"] == model.text_input.smoothing
    told = DaRec(DaRecConfig(smoothing=2.0, reliability=0.3, n_clusters=2), given)
    assert told.text_input.smoothing == pytest.approx(0.6)


@pytest.mark.parametrize("entities", ["apart", "together"])
def test_parts_are_those_that_the_losses_see(entities: str) -> None:
    model = build(30, 20, 8, 6, entities=entities)
    both, E_L = encoded(30, 20, 8), model.text
    parts = model.parts(both)
    assert {kind: set(found) for kind, found in parts.items()} == {
        kind: set(PARTS) for kind in ("users", "items")
    }
    if entities == "apart":
        expected = model._project(both.items, E_L.items)
    else:
        every = model._project(both.entities, torch.cat([E_L.users, E_L.items]))
        expected = tuple(part[30:] for part in every)
    for part, wanted in zip(parts["items"].values(), expected, strict=True):
        assert torch.equal(part, wanted)
