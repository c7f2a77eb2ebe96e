"""Test classes to inherit for closed-form backbones, and for alignments that go only with these."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.registry import ALIGNMENTS, BACKBONES, inapplicable
from darec.scoring import Scorer
from darec.testing.suites import Refusals, tiny_text
from darec.testing.worlds import tiny_dataset
from darec.training import make_trainer


def solve(config: RunConfig, dataset: Dataset) -> Scorer:
    """The scorer of a closed-form pair."""
    trainer = make_trainer(config, dataset, tiny_text(dataset))
    trainer.fit()
    return trainer.scorer()


class _ClosedForm:
    """Tests that every closed-form pair passes."""

    name: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    def pairs(self) -> list[RunConfig]:
        """Configurations to run: this part with every other of the other kind."""
        raise AssertionError("defined by the suites below")

    def test_scores_fit_the_dataset_and_repeat(self) -> None:
        """Finite, for every user and item, the same when solved twice."""
        dataset = tiny_dataset()
        users = np.arange(dataset.n_users)
        for config in self.pairs():
            first, second = solve(config, dataset), solve(config, dataset)
            scores = first.score(users)
            assert scores.shape == (dataset.n_users, dataset.n_items)
            assert np.isfinite(scores).all()
            np.testing.assert_array_equal(scores, second.score(users))
            np.testing.assert_array_equal(first.ties, dataset.items.tie_order)

    def test_it_scores_a_users_own_items_above_others(self) -> None:
        """On average over all training pairs."""
        dataset = tiny_dataset()
        for config in self.pairs():
            scores = solve(config, dataset).score(np.arange(dataset.n_users))
            own = np.zeros(scores.shape, bool)
            own[dataset.train.users, dataset.train.items] = True
            assert scores[own].mean() > scores[~own].mean(), config.alignment.name

    def test_saved_scorers_are_the_same(self, tmp_path: Path) -> None:
        """Everything that scores depend on is in the file."""
        dataset = tiny_dataset()
        for config in self.pairs():
            scorer = solve(config, dataset)
            scorer.save(tmp_path / "scorer.safetensors")
            loaded = Scorer.load(tmp_path / "scorer.safetensors")
            users = np.arange(dataset.n_users)
            np.testing.assert_array_equal(loaded.score(users), scorer.score(users))

    def test_settings_survive_yaml(self) -> None:
        """The part's config is strict, immutable, documented, and reads back as written."""
        for config in self.pairs():
            assert RunConfig.model_validate(yaml.safe_load(config.to_yaml())) == config


class ClosedFormSuite(_ClosedForm):
    """Inherit with ``name`` set to a registered closed-form backbone."""

    def pairs(self) -> list[RunConfig]:
        """This backbone with every alignment that goes with it."""
        backbone = {"name": self.name, **self.settings}
        return [
            resolve_config({"backbone": backbone, "alignment": alignment})
            for alignment in ALIGNMENTS
            if not inapplicable(self.name, alignment)
        ]


class StructureSuite(_ClosedForm, Refusals):
    """Inherit with ``name`` set to a registered alignment that goes only with closed-form backbones."""

    def pairs(self) -> list[RunConfig]:
        """This alignment over every backbone that it goes with."""
        return [
            resolve_config(
                {"backbone": backbone, "alignment": {"name": self.name, **self.settings}}
            )
            for backbone in BACKBONES
            if not inapplicable(backbone, self.name)
        ]
