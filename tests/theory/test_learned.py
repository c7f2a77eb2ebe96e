"""Encoders learned by gradient descent, over a range of strengths, against the exact trade-off curve."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from darec.theory.information import Joint
from darec.theory.near_gap import trade_off
from darec.theory.worlds import WORLDS


def learned(joint: Joint, weight: float, *, restarts: int = 96, labels: int = 4) -> Tensor:
    """[restarts] least cross-entropy + weight * disagreement that Adam finds, of encoders that draw their labels.

    f and g are softmax tables, so encoders with private randomness; the predictor is the best for each.
    """
    p = torch.tensor(joint.p)
    generator = torch.Generator().manual_seed(0)
    tables = [
        (3 * torch.randn(restarts, n, labels, generator=generator, dtype=p.dtype)).requires_grad_()
        for n in p.shape[:2]
    ]
    optimiser = torch.optim.Adam(tables, lr=0.1)
    for _ in range(250):
        f, g = (table.softmax(-1) for table in tables)
        seen = torch.einsum("rda,reb,dey->raby", f, g, p)
        pairs = seen.sum(-1)
        cross_entropy = torch.special.entr(seen).sum((1, 2, 3)) - torch.special.entr(pairs).sum(
            (1, 2)
        )
        disagreement = 1 - pairs.diagonal(dim1=1, dim2=2).sum(-1)
        objective = cross_entropy + weight * disagreement
        optimiser.zero_grad()
        objective.sum().backward()
        optimiser.step()
    return objective.detach()


@pytest.mark.parametrize("world", ["nested", "specific", "leaky", "mixed"])
@pytest.mark.parametrize("weight", [0.1, 0.5, 3.0])
def test_learned_encoders_reach_the_exact_curve_and_never_pass_it(
    world: str, weight: float
) -> None:
    joint = WORLDS[world]()
    exact = min(e.cross_entropy + weight * e.disagreement for e in trade_off(joint).hull)
    found = learned(joint, weight)
    assert float(found.min()) > exact - 1e-9
    assert float(found.min()) == pytest.approx(exact, abs=5e-3)
