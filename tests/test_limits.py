"""What nobody can mean is refused in one line, before anything is built."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import Field

from darec import memory
from darec.compare.grid import parse_seeds
from darec.compare.sweep import sweep
from darec.config import (
    BPRConfig,
    EvaluationConfig,
    RunOptions,
    SoftmaxConfig,
    TrainConfig,
    resolve_config,
)
from darec.data.import_options import import_options
from darec.data.synthetic import SyntheticConfig, make_world
from darec.errors import ConfigError
from darec.evaluation.groups import group_by_count
from darec.ids.names import ItemNames
from darec.limits import LARGEST, LARGEST_SEED, MOST_GROUPS
from darec.registry import ALIGNMENTS, BACKBONES
from darec.settings import Settings, validated
from darec.testing.worlds import tiny_dataset
from darec.training.checks import check_config, training_bytes
from darec.yaml_input import parse_yaml

NO_NUMBERS = ("nan", "-.inf", "1e400", "[[1]]")
NO_WHOLE_NUMBERS = (10**30, -(10**12), 0.5)


SETTINGS = [
    *(registry.get(name).Config for registry in (BACKBONES, ALIGNMENTS) for name in registry),
    *(BPRConfig, SoftmaxConfig, TrainConfig, EvaluationConfig, RunOptions),
]
NUMBERS = [
    pytest.param(settings, name, "int" in str(field.annotation), id=f"{settings.__name__}.{name}")
    for settings in SETTINGS
    for name, field in settings.model_fields.items()
    if "int" in str(field.annotation) or "float" in str(field.annotation)
]


@pytest.mark.parametrize(("settings", "name", "whole"), NUMBERS)
def test_no_setting_takes_an_absurd_number(
    settings: type[Settings], name: str, whole: bool
) -> None:
    for value in (*NO_NUMBERS, *(NO_WHOLE_NUMBERS if whole else ())):
        with pytest.raises(ConfigError, match=f"setting '{name}") as caught:
            validated(settings, {name: parse_yaml(str(value), "x")})
        assert len(str(caught.value)) < 400


def test_a_bound_of_its_own_takes_the_place_of_the_common_one() -> None:
    class Mine(Settings):
        common: int = 0
        own: int = Field(0, le=2**40)
        several: tuple[int, ...] = ()

    assert validated(Mine, {"common": LARGEST, "own": 2**40, "several": [1, LARGEST]}).own == 2**40
    for values in ({"common": LARGEST + 1}, {"several": [1, LARGEST + 1]}, {"own": 2**40 + 1}):
        with pytest.raises(
            ConfigError, match=f"{next(iter(values))}.*(at most|less than or equal)"
        ):
            validated(Mine, values)


def test_seeds_have_63_bits() -> None:
    assert resolve_config({"options.seed": LARGEST_SEED}).options.seed == LARGEST_SEED
    assert parse_seeds(f"{LARGEST_SEED},") == (LARGEST_SEED,)
    for text in (f"{LARGEST_SEED + 1},", f"0,{10**30}", f"0,{'9' * 5000}"):
        with pytest.raises(ConfigError, match="a seed is at most 9,223,372,036,854,775,807"):
            parse_seeds(text)


@pytest.mark.parametrize("key", ["backbone.dim", "loss.n_negatives", "alignment.text_width"])
def test_what_memory_cannot_hold_is_refused_with_the_figure(key: str) -> None:
    settings = {"loss": "softmax", "alignment": "darec", key: 2_000_000_000}
    with pytest.raises(
        ConfigError, match=rf"training with {key}=2000000000 would take .*iB of memory, and"
    ):
        check_config(resolve_config(settings), tiny_dataset())


def test_the_estimate_is_below_what_training_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam's table of N rows and d columns: weights, gradient and two moments are certain."""
    config = resolve_config({"backbone": "mf", "backbone.dim": 50, "train.batch_size": 10})
    assert training_bytes(config, 1000, 20_000)["backbone.dim=50"] == 4 * 6 * 1000 * 50
    softmax = resolve_config({"loss": "softmax", "loss.n_negatives": 30, "train.batch_size": 10})
    assert training_bytes(softmax, 1000, 20_000)["loss.n_negatives=30"] == 4 * 2 * 10 * 30
    assert training_bytes(softmax, 1000, 5)["loss.n_negatives=30"] == 4 * 2 * 5 * 30
    monkeypatch.setattr(memory, "available_memory", lambda: 1e6)
    said = r"backbone\.dim=50 would take at least 1\.14 MiB.*977 KiB are free: lower backbone\.dim"
    with pytest.raises(ConfigError, match=said):
        check_config(config, tiny_dataset(n_users=960))


def test_groups_are_few() -> None:
    assert len(set(group_by_count(np.arange(500), MOST_GROUPS))) == MOST_GROUPS
    for count in (MOST_GROUPS + 1, 100_000, -1):
        with pytest.raises(ConfigError, match=f"{count} groups: choose 1 to 100"):
            group_by_count(np.arange(5), count)


@pytest.mark.parametrize(
    "name", ["undefined", "hex", "zip", "rot13", "punycode", "none", "", "\0", "x" * 5000]
)
def test_an_encoding_that_makes_no_text_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no encoding") as caught:
        import_options({"encoding": name})
    assert len(str(caught.value)) < 300


def test_a_long_list_of_names_is_found_in_linear_time() -> None:
    names = ItemNames(["1", "2"], ["The Good, the Bad and the Ugly", "Up"])
    assert names.listed("," * 100_000 + "up, the good, the bad and the ugly") == ["2", "1"]


def test_a_world_that_memory_cannot_hold_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"a world of 2,000,000,000 users and 2,000 items would take"
    ):
        make_world(SyntheticConfig(n_users=2_000_000_000))


def test_a_sweep_of_too_many_values_is_refused_before_they_are_looked_at() -> None:
    listed = ",".join(str(number / 7) for number in range(5000))
    with pytest.raises(ConfigError, match="5000 combinations"):
        sweep("nowhere", [f"alignment.rho={listed}"], alignment="direct", out="nowhere")
