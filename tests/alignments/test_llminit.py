"""LLM initialisation: principal components, their sign and scale, and where they go."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from building import inputs, table, text
from sklearn.decomposition import PCA

from darec.alignments.llminit import LLMInit, LLMInitConfig
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.model import Model
from darec.numerics.components import principal_components
from darec.testing.suites import AlignmentSuite, tiny_text
from darec.testing.worlds import tiny_dataset
from darec.types import Tables


class TestLLMInit(AlignmentSuite):
    name = "llminit"


def test_components_are_those_of_scikit_learn() -> None:
    x = table(40, 9) * torch.arange(1, 10)
    ours = principal_components(x, 4).numpy()
    theirs = PCA(4, svd_solver="full").fit(x.double().numpy())
    scores = theirs.transform(x.double().numpy())
    largest = np.abs(theirs.components_).argmax(1)
    signs = np.sign(theirs.components_[np.arange(4), largest])
    np.testing.assert_allclose(ours, scores * signs, atol=1e-8)


def test_sign_and_order_do_not_depend_on_the_order_of_rows() -> None:
    x = table(40, 9)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(principal_components(x[order], 5), principal_components(x, 5)[order])


def test_no_more_components_than_rank() -> None:
    flat = table(30, 2) @ table(2, 7, 1)
    assert principal_components(flat, 5).shape == (30, 2)
    assert principal_components(torch.ones(6, 3), 2).shape == (6, 0)
    assert principal_components(table(4, 9), 8).shape == (4, 3)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_ids_keep_their_length_times_scale(scale: float) -> None:
    model = LLMInit(LLMInitConfig(scale=scale), inputs(20, 15, 4, 9))
    ids, E_L = 0.01 * table(35, 4), text(20, 15, 9)
    made = model.initial_ids(ids)
    for rows, language in ((slice(0, 20), E_L.users), (slice(20, 35), E_L.items)):
        assert made[rows].norm().item() == pytest.approx(scale * ids[rows].norm().item(), rel=1e-5)
        components = principal_components(language, 4).float()
        ratio = made[rows] / components
        torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio), rtol=1e-4, atol=0)


def test_columns_that_text_cannot_fill_stay_random() -> None:
    model = LLMInit(LLMInitConfig(), inputs(20, 15, 6, 3))
    ids = table(35, 6)
    made = model.initial_ids(ids)
    assert torch.equal(made[:, 3:], ids[:, 3:])
    assert not (made[:, :3] == ids[:, :3]).any()
    same = Tables(torch.ones(20, 3), torch.ones(15, 3))
    model = LLMInit(LLMInitConfig(), inputs(20, 15, 6, 3, E_L=same))
    assert torch.equal(model.initial_ids(ids), ids)


@pytest.mark.parametrize("backbone", ["mf", "dual"])
def test_the_models_id_table_starts_there(backbone: str) -> None:
    dataset = tiny_dataset()
    tables = []
    for alignment in ("llminit", "none"):
        config = resolve_config({"backbone": {"name": backbone, "dim": 5}, "alignment": alignment})
        generator = torch.Generator().manual_seed(0)
        model = Model(config, dataset.train, tiny_text(dataset), generator)
        tables.append(model.backbone.embedding.detach())
    language = tiny_text(dataset)
    E_L = Tables(torch.as_tensor(language.users), torch.as_tensor(language.items))
    model = LLMInit(LLMInitConfig(), inputs(60, 40, 5, 6, E_L=E_L))
    torch.testing.assert_close(tables[0], model.initial_ids(tables[1]))


def test_a_backbone_without_ids_is_refused_before_anything_runs() -> None:
    message = "'llminit' needs an id table, but backbone 'alpharec' has none"
    with pytest.raises(ConfigError, match=message):
        resolve_config({"backbone": "alpharec", "alignment": "llminit"})
