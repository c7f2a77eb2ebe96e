"""Alignments of closed-form backbones, and DaRec's structure over them."""

from __future__ import annotations

import numpy as np
import torch

from darec.alignments.base import unit_text
from darec.alignments.darec import DaRec
from darec.alignments.darec.item_structure import READ, item_structure
from darec.alignments.darec.settings import DaRecConfig
from darec.alignments.l3ae import L3AE, L3AEConfig
from darec.testing.closed_form import StructureSuite
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset
from darec.types import TextTable


class TestL3AE(StructureSuite):
    name = "l3ae"


class TestAdditive(StructureSuite):
    name = "additive"


class TestCollective(StructureSuite):
    name = "collective"


def test_an_item_without_text_has_a_row_of_zeros():
    rows = np.array([[3, 4], [1, 1], [0, 2]], np.float32)
    text = TextTable(rows, rows, np.ones(3, bool), np.array([True, False, True]), "x")
    np.testing.assert_allclose(unit_text(text).numpy(), [[0.6, 0.8], [0, 0], [0, 1]], atol=1e-7)


def test_l3ae_leans_to_every_item_alike():
    data = tiny_dataset()
    made = L3AE.structure(L3AEConfig(lean=7), tiny_text(data), data.train)
    assert made.lean is not None and made.lean.tolist() == [7.0] * data.n_items


def test_darec_leans_as_far_as_the_text_is_to_be_trusted():
    data = tiny_dataset()
    text = tiny_text(data)
    made = item_structure(DaRecConfig(lean=10, reliability=0.3), text, data.train)
    assert made is not None and made.lean is not None
    torch.testing.assert_close(made.lean, torch.full((data.n_items,), 3.0, dtype=torch.float64))
    assert item_structure(DaRecConfig(reliability=0.0), text, data.train) is None


def test_darec_reads_what_it_says_in_closed_form():
    """Every other setting is idle there: neither searched nor ablated."""

    class Watched:
        def __init__(self, config):
            self.config, self.read = config, set()

        def __getattr__(self, name):
            self.read.add(name)
            return getattr(self.config, name)

    data, watched = tiny_dataset(), Watched(DaRecConfig(reliability=0.3))
    assert item_structure(watched, tiny_text(data), data.train) is not None
    assert watched.read == READ
    assert DaRec.idle(closed_form=True, has_ids=False) == {*DaRecConfig.model_fields} - READ - {
        "name"
    }
