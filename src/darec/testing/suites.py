"""Test classes to inherit for every backbone and every alignment, one for each part.

In a test file::

    class TestMine(BackboneSuite):
        name = "mine"

pytest then runs every method below against the part of that name. tests/test_conformance.py fails when a registered
part has no such class.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch

from darec.config import RunConfig, resolve_config
from darec.errors import ConfigError
from darec.processes.choice import SHARDS
from darec.registry import ALIGNMENTS, BACKBONES, inapplicable, indivisible
from darec.testing.divided import assert_divided_is_whole
from darec.testing.steps import tiny_text as tiny_text
from darec.testing.steps import train_steps as train_steps
from darec.testing.threads import together
from darec.testing.worlds import tiny_dataset


class _Suite:
    """Tests that every pair passes."""

    name: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    def pairs(self) -> list[RunConfig]:
        """Configurations to run: this part with every other of the other kind."""
        raise AssertionError("defined by the suites below")

    def test_losses_are_finite_and_every_parameter_learns(self) -> None:
        """A few steps with every partner: finite terms, a gradient for every parameter."""
        dataset = tiny_dataset()
        for config in self.pairs():
            reached: set[str] = set()
            model, reports = train_steps(config, dataset, 5, reached=reached)
            for report in reports:
                for term, value in report.items():
                    assert torch.isfinite(value), f"{config.alignment.name}: {term} is {value}"
            idle = {name for name, _ in model.named_parameters()} - reached
            pair = f"{config.backbone.name} + {config.alignment.name}"
            assert not idle, f"{pair}: no gradient ever reaches {sorted(idle)}"

    def test_tables_fit_the_dataset_and_repeat(self) -> None:
        """[U, d] and [I, d] of one width, finite, the same when asked twice, without gradient."""
        dataset = tiny_dataset()
        for config in self.pairs():
            model, _ = train_steps(config, dataset, 1)
            first, second = model.tables(), model.tables()
            assert first.users.shape[0] == dataset.n_users
            assert first.items.shape[0] == dataset.n_items
            assert first.users.shape[1] == first.items.shape[1]
            assert not first.users.requires_grad
            assert torch.equal(first.users, second.users)
            assert torch.equal(first.items, second.items)
            assert torch.isfinite(first.users).all() and torch.isfinite(first.items).all()

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        """All randomness comes from the generators that are passed in."""
        dataset = tiny_dataset()
        for config in self.pairs():
            first, _ = train_steps(config, dataset, 3)
            second, _ = train_steps(config, dataset, 3)
            for key, value in first.state_dict().items():
                assert torch.equal(value, second.state_dict()[key]), key

    def test_saved_weights_restore_the_tables(self) -> None:
        """Everything that the tables depend on is in the state."""
        dataset = tiny_dataset()
        for config in self.pairs():
            trained, _ = train_steps(config, dataset, 3)
            fresh, _ = train_steps(config, dataset, 0)
            fresh.load_state_dict(trained.state_dict())
            assert torch.equal(fresh.tables().users, trained.tables().users)
            assert torch.equal(fresh.tables().items, trained.tables().items)

    def test_processes_learn_what_one_learns(self) -> None:
        """Where a pair can be divided, by columns and by rows, with shares that are not equal."""
        for config, shards in itertools.product(self.pairs(), SHARDS):
            first = self.name == config.alignment.name or config.alignment.name == "none"
            if first and indivisible(config.backbone.name, config.alignment.name, shards) is None:
                odd = config.backbone.model_copy(update={"dim": 7})
                divided = config.model_copy(update={"backbone": odd})
                steps = 2 if shards == "columns" else 1  # enough for the layout's own exchanges
                together(partial(assert_divided_is_whole, divided, steps=steps, shards=shards))

    def test_settings_survive_yaml(self) -> None:
        """The part's config is strict, immutable, documented, and reads back as written."""
        for config in self.pairs():
            import yaml

            assert RunConfig.model_validate(yaml.safe_load(config.to_yaml())) == config


class BackboneSuite(_Suite):
    """Inherit with ``name`` set to a registered backbone."""

    def pairs(self) -> list[RunConfig]:
        """This backbone with every alignment."""
        backbone = {"name": self.name, "dim": 8, **self.settings}
        return [
            resolve_config({"backbone": backbone, "alignment": alignment})
            for alignment in ALIGNMENTS
            if not inapplicable(self.name, alignment)
        ]

    def test_encoding_has_the_width_it_promises(self) -> None:
        """``encode`` returns ``out_dim`` columns for every entity, and views of the same shape."""
        dataset = tiny_dataset()
        for config in self.pairs()[:1]:
            model, _ = train_steps(config, dataset, 0)
            encoded = model.encode(None, torch.Generator().manual_seed(0))
            for tables in (encoded, *encoded.views):
                assert tables.users.shape == (dataset.n_users, model.backbone.out_dim)
                assert tables.items.shape == (dataset.n_items, model.backbone.out_dim)

    def test_it_learns(self) -> None:
        """The ranking loss of the bare backbone falls below where it starts."""
        config = resolve_config({"backbone": {"name": self.name, "dim": 8, **self.settings}})
        _, reports = train_steps(config, tiny_dataset(), 60)
        totals = [float(sum(report.values())) for report in reports]
        assert np.mean(totals[-10:]) < np.mean(totals[:10])


class Refusals:
    """Tests that every alignment passes."""

    name: ClassVar[str]

    def test_inapplicable_pairs_are_refused_by_name(self) -> None:
        """Before anything runs: there is no configuration of them."""
        for backbone in BACKBONES:
            if inapplicable(backbone, self.name):
                try:
                    resolve_config({"backbone": backbone, "alignment": self.name})
                except ConfigError as refusal:
                    assert backbone in str(refusal) and self.name in str(refusal)
                else:
                    raise AssertionError(f"{backbone} + {self.name} was not refused")


class AlignmentSuite(_Suite, Refusals):
    """Inherit with ``name`` set to a registered alignment."""

    def pairs(self) -> list[RunConfig]:
        """This alignment over every trained backbone."""
        return [
            resolve_config(
                {
                    "backbone": {"name": backbone, "dim": 8},
                    "alignment": {"name": self.name, **self.settings},
                }
            )
            for backbone in BACKBONES
            if not inapplicable(backbone, self.name) and not BACKBONES.get(backbone).closed_form
        ]

    def test_diagnostics_are_finite(self) -> None:
        """Figures to log at each evaluation."""
        for config in self.pairs():
            model, _ = train_steps(config, tiny_dataset(), 2)
            for figure, value in model.diagnostics().items():
                assert np.isfinite(value), figure
