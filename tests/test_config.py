from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from darec.config import BesideConfig, RunConfig, SoftmaxConfig, resolve_config
from darec.errors import ConfigError


def test_defaults_are_the_rlmrec_settings() -> None:
    config = resolve_config()
    assert config.backbone.name == "lightgcn" and config.alignment.name == "none"
    assert (config.train.lr, config.train.batch_size, config.train.l2) == (1e-3, 4096, 1e-6)
    assert (config.train.eval_every, config.train.patience) == (3, 5)


def test_yaml_round_trip(tmp_path: Path) -> None:
    config = resolve_config(
        {"backbone": "mf", "loss": "softmax", "backbone.dim": 7, "alignment": "darec"},
        overrides=["loss.temperature=0.1", "train.epochs=5", "evaluation.ks=[1, 2]"],
    )
    assert isinstance(config.loss, SoftmaxConfig) and config.loss.temperature == 0.1
    assert config.backbone.dim == 7 and config.evaluation.ks == (1, 2)
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    assert resolve_config(file=file) == config


def test_overrides_win_over_settings_and_settings_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("backbone: {name: lightgcn, dim: 8, layers: 1}\ntrain: {epochs: 9}\n")
    config = resolve_config({"backbone.dim": 16}, file=file, overrides=["train.epochs=2"])
    assert (config.backbone.dim, config.backbone.layers, config.train.epochs) == (16, 1, 2)


def test_naming_another_part_drops_the_old_parts_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("backbone: {name: lightgcn, dim: 8, layers: 1}\n")
    assert resolve_config({"backbone": "lightgcn"}, file=file).backbone.layers == 1
    assert resolve_config({"backbone": "mf"}, file=file).backbone == (
        resolve_config({"backbone": "mf"}).backbone
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["backbone.dims=3"], "unknown setting 'backbone.dims': did you mean 'backbone.dim'?"),
        (["trian.epochs=3"], "'trian.epochs': did you mean 'train.epochs'?"),
        (["train.epoch=3"], "unknown setting 'train.epoch': did you mean 'train.epochs'?"),
        (["backbone=lightgnc"], "unknown backbone 'lightgnc': did you mean 'lightgcn'?"),
        (["alignment=darek"], "unknown alignment 'darek': did you mean 'darec'?"),
        (["loss=sofmax"], "unknown loss: did you mean 'softmax'?"),
        (
            ["loss=softmax", "loss.temprature=1"],
            "'loss.temprature': did you mean 'loss.temperature'?",
        ),
        (["loss.temperature=1"], "loss 'bpr' has no setting of that name, but softmax has."),
        (["train.lr=-1"], "setting 'train.lr': input should be greater than 0"),
        (["backbone.dim=zero"], "setting 'backbone.dim': input should be a valid integer"),
        (["train.lr=.nan"], "setting 'train.lr'"),
        (["train.epochs"], "write KEY=VALUE"),
        (["train.epochs=[1"], "the value is not accepted as YAML"),
        (["train.epochs.more=1"], "setting 'train.epochs'"),
        (
            ["alignment.name=none", "alignment.rho=1"],
            "alignment 'none' has no setting of that name, but contr",
        ),
        (["lr=1"], "unknown setting 'lr': did you mean 'train.lr'?"),
        (["seed=1"], "unknown setting 'seed': did you mean 'options.seed'?"),
        (["train.dim=1"], "unknown setting 'train.dim': did you mean 'backbone.dim'?"),
        (["loss.lrr=1"], "unknown setting 'loss.lrr'"),
        (["backbone=3"], "backbone"),
    ],
)
def test_what_is_wrong_is_named(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_config(overrides=overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"), [("a: [", "is not accepted as YAML"), ("3", "has no settings")]
)
def test_bad_config_files(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=message):
        resolve_config(file=file)
    with pytest.raises(ConfigError, match="no config file"):
        resolve_config(file=tmp_path / "none.yaml")


def test_every_setting_is_documented() -> None:
    from darec.registry import ALIGNMENTS, BACKBONES

    sections = [field.get_default() for field in RunConfig.model_fields.values()]
    models = [type(section) for section in sections if isinstance(section, BaseModel)]
    models += [part.get(name).Config for part in (BACKBONES, ALIGNMENTS) for name in part]
    for model in [RunConfig, SoftmaxConfig, BesideConfig, *models]:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no docstring"
