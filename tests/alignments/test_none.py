from __future__ import annotations

import torch

from darec.config import resolve_config
from darec.testing.suites import AlignmentSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestNone(AlignmentSuite):
    name = "none"


def test_scores_are_the_backbones_own() -> None:
    model, _ = train_steps(resolve_config(), tiny_dataset(), 2)
    encoded = model.encode()
    assert torch.equal(model.tables().users, encoded.users)
    assert torch.equal(model.tables().items, encoded.items)
