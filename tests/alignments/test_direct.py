"""Direct alignment: its distance, its limits, and what it says about collapse."""

from __future__ import annotations

import pytest
import torch
from building import batch, encoded, inputs, text
from torch.nn import functional as F

from darec.alignments.direct import Direct, DirectConfig
from darec.testing.suites import AlignmentSuite
from darec.types import Encoded


class TestDirect(AlignmentSuite):
    name = "direct"


class TestDirectOnACommonWidth(AlignmentSuite):
    name = "direct"
    settings = {"project": "both", "dim": 3, "hidden": 5}  # noqa: RUF012


ROWS = batch([0, 2, 2], [1, 1, 4], [3, 0, 0])


def test_distance_is_the_mean_over_the_batchs_rows() -> None:
    model = Direct(DirectConfig(), inputs(4, 5, 3, 6))
    E_C, E_L = encoded(4, 5, 3), text(4, 5, 6)
    terms = model.losses(E_C, ROWS)
    weight, bias = model.of_L.parameters()
    for name, C, L, rows in (
        ("gap_users", E_C.users, E_L.users, [0, 2, 2]),
        ("gap_items", E_C.items, E_L.items, [1, 1, 4]),
    ):
        apart = [
            (F.normalize(C[row], dim=0) - F.normalize(weight @ L[row] + bias, dim=0)).square().sum()
            for row in rows
        ]
        torch.testing.assert_close(terms[name], torch.stack(apart).mean())


def test_zero_where_the_sides_coincide_and_four_where_they_oppose() -> None:
    model = Direct(DirectConfig(), inputs(4, 5, 3, 6))
    E_L = text(4, 5, 6)
    with torch.no_grad():
        onto = [model.of_L(E_L.users), model.of_L(E_L.items)]
    for sign, gap in ((2.0, 0.0), (-3.0, 4.0)):
        terms = model.losses(Encoded(*(sign * rows for rows in onto)), ROWS)
        assert terms["gap_users"].item() == pytest.approx(gap, abs=1e-5)
        assert terms["gap_items"].item() == pytest.approx(gap, abs=1e-5)
    assert model.diagnostics(Encoded(*onto))["gap/points"] == pytest.approx(0, abs=1e-9)


def test_training_both_projections_alone_closes_the_gap_by_collapsing_and_says_so() -> None:
    """Random sides share nothing, so all that can bring them to one point is one point for all."""
    model = Direct(DirectConfig(project="both", dim=4), inputs(40, 40, 6, 6))
    E_C = encoded(40, 40, 6)
    rows = batch(list(range(40)), list(range(40)), [])
    before = model.diagnostics(E_C)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        torch.stack(list(model.losses(E_C, rows).values())).sum().backward()
        optimizer.step()
    after = model.diagnostics(E_C)
    assert before["collapsed"] == 0 and before["gap/points"] > 1
    assert after["collapsed"] == 1 and after["gap/points"] < 0.01
    assert after["rank/L"] < before["rank/L"]


def test_text_is_projected_to_the_backbones_width_or_both_to_a_common_one() -> None:
    C, L = encoded(4, 5, 3), text(4, 5, 6)
    one = Direct(DirectConfig(), inputs(4, 5, 3, 6))
    assert one.of_C(C.users) is C.users and one.of_L(L.users).shape == (4, 3)
    both = Direct(DirectConfig(project="both", dim=2), inputs(4, 5, 3, 6))
    assert both.of_C(C.users).shape == both.of_L(L.users).shape == (4, 2)
