from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from darec.backbones.views import contrast_views
from darec.types import Batch, Tables


@pytest.mark.parametrize("candidates", ["all", "batch"])
def test_contrast_equals_its_definition_over_the_batchs_pairs(candidates: str) -> None:
    generator = torch.Generator().manual_seed(0)
    tables = [torch.randn(6, 3, generator=generator) for _ in range(4)]
    first, second = Tables(*tables[:2]), Tables(*tables[2:])
    users, items = torch.tensor([0, 0, 3, 5]), torch.tensor([1, 2, 2, 2])
    batch = Batch(users, items, items, generator, 0)
    expected = torch.zeros(())
    for rows, one, other in ((users, tables[0], tables[2]), (items, tables[1], tables[3])):
        against = torch.arange(6) if candidates == "all" else rows.unique()
        scores = F.normalize(one[rows], dim=1) @ F.normalize(other[against], dim=1).T / 0.3
        target = torch.searchsorted(against, rows)
        expected = expected + F.cross_entropy(scores, target)
    config = SimpleNamespace(contrast=0.7, temperature=0.3, candidates=candidates)
    torch.testing.assert_close(contrast_views(first, second, batch, config), 0.7 * expected)
