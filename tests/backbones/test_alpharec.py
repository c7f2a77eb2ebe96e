from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestAlphaRec(BackboneSuite):
    name = "alpharec"


def test_its_parameters_do_not_grow_with_the_catalogue() -> None:
    config = resolve_config({"backbone": {"name": "alpharec", "dim": 4, "hidden": 5}})
    model, _ = train_steps(config, tiny_dataset(), 0)
    d_L = model.backbone.text.shape[1]
    assert sum(p.numel() for p in model.parameters()) == (d_L * 5 + 5) + (5 * 4 + 4)


@pytest.mark.parametrize("loss", ["bpr", "softmax"])
def test_scores_are_cosines_under_either_loss(loss: str) -> None:
    config = resolve_config({"backbone": {"name": "alpharec", "dim": 4}, "loss": loss})
    model, _ = train_steps(config, tiny_dataset(), 2)
    tables = model.tables()
    for table in (tables.users, tables.items):
        torch.testing.assert_close(table.norm(dim=1), torch.ones(len(table)))


def test_the_loss_is_info_nce_over_the_batchs_negatives() -> None:
    config = resolve_config({"backbone": {"name": "alpharec", "dim": 4, "temperature": 0.3}})
    model, _ = train_steps(config, tiny_dataset(), 1)
    generator = torch.Generator().manual_seed(0)
    users, items = next(iter(model.sampler.epoch(16, generator)))
    batch = model.ranking.batch(users, items, 0, generator=generator, alignment_generator=generator)
    encoded = model.encode(batch, generator)
    anchors = encoded.users[users]
    logits = torch.cat(
        [
            (anchors * encoded.items[items]).sum(1, keepdim=True),
            anchors @ encoded.items[batch.negatives].T,
        ],
        1,
    )
    expected = F.cross_entropy(logits / 0.3, torch.zeros(len(users), dtype=torch.long))
    torch.testing.assert_close(model.backbone.losses(encoded, batch)["ranking"], expected)
