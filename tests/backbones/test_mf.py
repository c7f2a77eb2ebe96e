from __future__ import annotations

import torch

from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestMF(BackboneSuite):
    name = "mf"


def test_encoding_is_the_table() -> None:
    dataset = tiny_dataset()
    model, _ = train_steps(resolve_config({"backbone": "mf"}), dataset, 0)
    encoded = model.encode()
    assert torch.equal(torch.cat([encoded.users, encoded.items]), model.backbone.ego())
