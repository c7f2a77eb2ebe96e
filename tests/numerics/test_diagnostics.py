"""Diagnostics on matrices whose rank, spread and gap are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from darec.alignments.darec import global_structure_loss, structure_gap
from darec.numerics import rows
from darec.numerics.diagnostics import (
    effective_rank,
    is_collapsed,
    mean_similarity,
    representation_gap,
    similarity_spread,
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK", 16)


def table(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


class TestEffectiveRank:
    def test_of_equal_singular_values_is_their_number(self) -> None:
        assert effective_rank(7 * torch.eye(5).repeat(9, 1)) == pytest.approx(5)

    def test_of_known_singular_values(self) -> None:
        p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
        left = torch.linalg.qr(table(40, 3).double()).Q
        right = torch.linalg.qr(table(3, 3, 1).double()).Q
        expected = math.exp(-float((p * p.log()).sum()))
        assert effective_rank(left @ torch.diag(9 * p) @ right) == pytest.approx(expected)

    def test_of_rank_one_and_of_constant_rows_is_one(self) -> None:
        assert effective_rank(table(50, 1) @ table(1, 8, 1)) == pytest.approx(1, abs=1e-3)
        assert effective_rank(table(1, 64).expand(5000, 64)) == pytest.approx(1, abs=1e-3)

    def test_does_not_depend_on_scale_and_is_zero_of_nothing(self) -> None:
        x = table(30, 6)
        assert effective_rank(1e-3 * x) == pytest.approx(effective_rank(x))
        assert 5 < effective_rank(x) <= 6
        assert effective_rank(torch.zeros(4, 3)) == 0


class TestSimilarity:
    @pytest.mark.parametrize("zero_rows", [0, 3])
    def test_moments_against_all_pairs(self, zero_rows: int) -> None:
        x = table(41, 5) + 0.5
        x[:zero_rows] = 0
        unit = F.normalize(x.double(), dim=1)
        pairs = (unit @ unit.T)[~torch.eye(41, dtype=torch.bool)]
        assert mean_similarity(x) == pytest.approx(float(pairs.mean()), abs=1e-12)
        assert similarity_spread(x) == pytest.approx(float(pairs.std(correction=0)), abs=1e-12)

    def test_of_constant_rows(self) -> None:
        x = table(1, 8).repeat(100, 1)
        assert mean_similarity(x) == pytest.approx(1)
        assert similarity_spread(x) < 1e-6

    def test_of_orthogonal_rows(self) -> None:
        assert mean_similarity(torch.eye(6)) == 0
        assert similarity_spread(torch.eye(6)) == 0

    def test_needs_two_rows(self) -> None:
        with pytest.raises(ValueError, match="two rows"):
            similarity_spread(torch.ones(1, 3))


class TestGaps:
    def test_at_coincidence_and_opposition(self) -> None:
        x = table(40, 4)
        assert representation_gap(x, 3 * x) == pytest.approx(0, abs=1e-12)
        assert representation_gap(x, -x) == pytest.approx(4)
        assert representation_gap(torch.eye(4)[[0, 1]], torch.eye(4)[[2, 3]]) == pytest.approx(2)

    def test_structures_may_agree_where_points_do_not(self) -> None:
        x = table(40, 4).double()
        rotated = x @ torch.linalg.qr(table(4, 4, 1).double()).Q
        assert representation_gap(x, rotated) > 0.5
        assert structure_gap(x, rotated) == pytest.approx(0, abs=1e-14)

    def test_structure_gap_is_the_global_loss(self) -> None:
        x, y = table(40, 4), table(40, 4, 1)
        assert structure_gap(x, y) == global_structure_loss(x, y).item()


class TestCollapse:
    def test_of_healthy_rows(self) -> None:
        assert not is_collapsed(table(100, 16))
        assert not is_collapsed(torch.eye(8))  # no spread, and no collapse
        assert not is_collapsed(table(100, 16) + 1)  # a common direction is not yet a collapse

    def test_onto_a_point_a_noisy_point_and_two_opposite_points(self) -> None:
        point = table(1, 16)
        assert is_collapsed(point.repeat(100, 1))
        assert is_collapsed(point + 0.02 * table(100, 16, 1))
        assert is_collapsed(point * table(100, 1, 1).sign())
        assert is_collapsed(torch.zeros(10, 4))

    def test_thresholds_are_settings(self) -> None:
        cone = table(100, 16) + 1
        assert is_collapsed(cone, max_similarity=0.3)
        assert is_collapsed(cone, min_rank=15.5)
