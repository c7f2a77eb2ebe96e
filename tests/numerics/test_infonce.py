"""InfoNCE by blocks against the formula, its gradients, limits and laws."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from darec.numerics import infonce
from darec.numerics.infonce import info_nce, log_partition


def table(n: int, d: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def reference(
    anchors: Tensor, positives: Tensor, candidates: Tensor, temperature: float, counts: list[int]
) -> Tensor:
    """One anchor at a time, as often as it counts."""
    terms = []
    for anchor, positive, count in zip(anchors, positives, counts, strict=True):
        scores = torch.stack([F.cosine_similarity(anchor, c, dim=0) for c in candidates])
        agreement = F.cosine_similarity(anchor, positive, dim=0) / temperature
        terms += count * [torch.log(torch.exp(scores / temperature).sum()) - agreement]
    return torch.stack(terms).mean()


@pytest.fixture(params=["whole", "square", "single"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that span all candidates, 3 x 3 blocks that divide neither side, and one score at a time."""
    block, whole = {"whole": (20, 100), "square": (9, 2), "single": (1, 0)}[request.param]
    monkeypatch.setattr(infonce, "_BLOCK", block)
    monkeypatch.setattr(infonce, "_WHOLE", whole)


@pytest.mark.usefixtures("blocks")
def test_value_and_gradients_are_the_formulas() -> None:
    inputs = [table(7, 4).requires_grad_(), table(11, 4, 1).requires_grad_()]
    rows, counts = torch.tensor([3, 3, 0, 10, 1, 2, 5]), [1, 2, 1, 1, 3, 1, 1]
    anchors, candidates = inputs
    value = info_nce(
        anchors, candidates[rows], candidates, temperature=0.3, counts=torch.tensor(counts)
    )
    wanted = reference(anchors, candidates[rows], candidates, 0.3, counts)
    torch.testing.assert_close(value, wanted)
    got, expected = torch.autograd.grad(value, inputs), torch.autograd.grad(wanted, inputs)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.usefixtures("blocks")
def test_gradients_by_finite_difference() -> None:
    inputs = [table(n, 3, n).requires_grad_() for n in (5, 5, 7)]
    assert torch.autograd.gradcheck(lambda *x: info_nce(*x, temperature=0.5), inputs)
    assert torch.autograd.gradcheck(log_partition, inputs[1:])


@pytest.mark.parametrize("learned", [(True, False), (False, True), (False, False)])
def test_only_what_learns_gets_a_gradient(learned: tuple[bool, bool]) -> None:
    anchors, candidates = table(5, 3), table(6, 3, 1)
    both = log_partition(anchors, candidates)
    for x, learns in zip((anchors, candidates), learned, strict=True):
        x.requires_grad_(learns)
    value = log_partition(anchors, candidates)
    assert value == both
    assert value.requires_grad == any(learned)
    if any(learned):
        value.backward()
    assert [x.grad is not None for x in (anchors, candidates)] == list(learned)


def test_infinite_temperature_forgets_everything_but_the_number_of_candidates() -> None:
    value = info_nce(table(5, 3), table(5, 3, 1), table(9, 3, 2), temperature=1e9)
    assert value.item() == pytest.approx(math.log(9), abs=1e-8)


def test_cold_and_told_apart_is_zero_and_swapped_is_the_distance() -> None:
    eye = torch.eye(4)
    assert info_nce(eye, eye, temperature=0.01).item() == pytest.approx(0, abs=1e-6)
    assert info_nce(eye, eye.flip(0), eye, temperature=0.01).item() == pytest.approx(100)


def test_scores_beyond_what_exp_can_hold() -> None:
    anchors = torch.tensor([[1000.0], [-1000.0]])
    assert log_partition(anchors, torch.tensor([[1.0], [-1.0], [0.5]])).item() == 1000


def test_the_positives_are_the_candidates_where_none_are_given() -> None:
    anchors, positives = table(6, 3), table(6, 3, 1)
    value = info_nce(anchors, positives, temperature=0.2)
    torch.testing.assert_close(value, info_nce(anchors, positives, positives, temperature=0.2))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(1e-3, 1e3),
    temperature=st.floats(0.05, 5),
)
def test_laws(seed: int, scale: float, temperature: float) -> None:
    """Scaling, rotating and reordering change nothing; repeating an anchor is counting it; more candidates raise it."""
    anchors, candidates = table(5, 3, seed), table(8, 3, seed + 1)
    generator = torch.Generator().manual_seed(seed)
    lengths = scale * (0.1 + torch.rand(8, 1, generator=generator, dtype=torch.float64))
    rotation = torch.linalg.qr(table(3, 3, seed + 2)).Q
    order = torch.randperm(8, generator=generator)

    def loss(a: Tensor, p: Tensor, c: Tensor, counts: Tensor | None = None) -> Tensor:
        return info_nce(a, p, c, temperature=temperature, counts=counts)

    value = loss(anchors, candidates[:5], candidates)
    scaled = lengths * candidates
    torch.testing.assert_close(loss(scale * anchors, scaled[:5], scaled), value)
    turned = candidates @ rotation
    torch.testing.assert_close(loss(anchors @ rotation, turned[:5], turned), value)
    torch.testing.assert_close(loss(anchors, candidates[:5], candidates[order]), value)
    repeats = torch.randint(1, 4, (5,), generator=generator)
    rows = torch.arange(5).repeat_interleave(repeats)
    torch.testing.assert_close(
        loss(anchors, candidates[:5], candidates, repeats),
        loss(anchors[rows], candidates[rows], candidates),
    )
    assert loss(anchors, candidates[:5], candidates[:5]) < value


def test_a_row_of_zeros_is_finite() -> None:
    anchors = table(4, 3).float()
    anchors[1] = 0
    anchors.requires_grad_()
    value = info_nce(anchors, table(4, 3, 1).float(), temperature=0.2)
    value.backward()
    assert value.isfinite() and anchors.grad is not None and anchors.grad.isfinite().all()


def test_autocast_does_not_reach_it() -> None:
    anchors, positives = (table(64, 8, seed).float().requires_grad_() for seed in (0, 1))
    plain = info_nce(anchors, positives, temperature=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        value = info_nce(anchors, positives, temperature=0.1)
        halved = info_nce(anchors.bfloat16(), positives, temperature=0.1)
    assert value == plain
    assert value.dtype == halved.dtype == torch.float32
    halved.backward()


def test_memory_stays_within_blocks() -> None:
    """What is kept for the backward pass is the inputs and the gradients, never the scores."""
    saved: list[int] = []
    anchors, candidates = table(300, 4).requires_grad_(), table(500, 4, 1).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t.numel()) or t, lambda t: t
    ):
        info_nce(anchors, candidates[:300], candidates, temperature=0.2)
    assert max(saved) <= 500 * 4
