"""All settings of a run, and how they are built from a file, a mapping and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import Field, SerializeAsAny, field_validator, model_validator

from darec.config.beside import BesideConfig
from darec.config.parts import PartConfig, validated_part
from darec.config.sections import (
    BPRConfig,
    EvaluationConfig,
    RunOptions,
    SoftmaxConfig,
    TextConfig,
    TrainConfig,
)
from darec.errors import ConfigError
from darec.known_settings import check_known
from darec.overrides import assign, parse_override, read_settings
from darec.registry import ALIGNMENTS, BACKBONES, REGISTRIES, inapplicable
from darec.registry.origins import recall_parts
from darec.settings import Settings, validated

BACKBONE: Final = "lightgcn"
ALIGNMENT: Final = "none"
POPULARITY: Final = "popularity"


class RunConfig(Settings):
    """All settings of a run. Together with the data they define its result."""

    backbone: SerializeAsAny[PartConfig] = Field(default=BACKBONE, validate_default=True)
    """The collaborative model."""
    alignment: SerializeAsAny[PartConfig] = Field(default=ALIGNMENT, validate_default=True)
    """How language embeddings enter the model."""
    beside: BesideConfig | None = None
    """Closed-form scores that are added to those of a trained model; null adds none. ``beside=popularity`` adds
    popularity, and ``beside=ease`` adds popularity and the matrix of EASE, each with its default settings."""
    loss: BPRConfig | SoftmaxConfig = Field(default=BPRConfig(), discriminator="name")
    """The ranking loss, which the backbone and every tower of an alignment share."""
    text: TextConfig = TextConfig()
    """Language embeddings."""
    train: TrainConfig = TrainConfig()
    """Optimisation."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Measurement."""
    options: RunOptions = RunOptions()
    """Run options."""

    @field_validator("backbone", mode="before")
    @classmethod
    def _backbone(cls, value: Any) -> Any:
        return validated_part(value, BACKBONES, BACKBONE)

    @field_validator("alignment", mode="before")
    @classmethod
    def _alignment(cls, value: Any) -> Any:
        return validated_part(value, ALIGNMENTS, ALIGNMENT)

    @field_validator("beside", mode="before")
    @classmethod
    def _beside(cls, value: Any) -> Any:
        if value == POPULARITY:
            return {"backbone": None}
        if isinstance(value, str):
            return {"backbone": value}
        if isinstance(value, Mapping) and isinstance(
            value.get("name"), str
        ):  # with further settings
            others = {key: other for key, other in value.items() if key != "name"}
            backbone = others.get("backbone", {})
            if isinstance(backbone, Mapping):
                backbone = {"name": value["name"], **backbone}
            return {**others, "backbone": backbone}
        return value

    @field_validator("loss", mode="before")
    @classmethod
    def _loss(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {"name": "bpr", **value}
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _pair(self) -> RunConfig:
        reason = inapplicable(self.backbone.name, self.alignment.name)
        if reason:
            raise ConfigError(reason)
        if self.beside is not None and BACKBONES.get(self.backbone.name).closed_form:
            raise ConfigError(
                f"beside: backbone {self.backbone.name!r} is itself solved in closed form: leave 'beside' out, or "
                "choose a trained backbone."
            )
        return self

    def to_yaml(self) -> str:
        """Every setting with its final value, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def resolve_config(
    settings: Mapping[str, Any] | None = None,
    *,
    file: str | Path | None = None,
    overrides: Sequence[str] = (),
    base: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Build a configuration from a file, then a nested mapping, then ``key=value`` overrides.

    Args:
        settings: settings nested as in the file, or with dotted keys: ``{"backbone.dim": 64}``.
        file: YAML file, written by hand or by an earlier run. If that run used parts from outside the package, they are
            imported.
        overrides: settings as on the command line, ``["backbone.dim=64"]``; values are read as YAML.
        base: nested settings that the others override, in place of a file.

    Raises:
        ConfigError: the file is not YAML, a key is unknown (the error names the nearest key of any section), a value is
            out of range, or a part from outside the package cannot be imported again.
    """
    tree: dict[str, Any] = (
        read_settings(Path(file)) if file is not None else deepcopy(dict(base or {}))
    )
    for key, value in (settings or {}).items():
        assign(tree, key, value)
    for override in overrides:
        assign(tree, *parse_override(override, example="train.epochs=5"))
    if file is not None:
        recall_parts(Path(file).parent, {kind: _name(tree.get(kind)) for kind in REGISTRIES})
    check_known(tree, RunConfig)
    return validated(RunConfig, tree)


def _name(part: Any) -> Any:
    """The name of a part, from settings that are not yet validated."""
    return part.get("name") if isinstance(part, Mapping) else part
