"""One pair with changed settings: the common part of sweeps and ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darec.compare.grid import VariantSettings
from darec.config import RunConfig, resolve_config
from darec.errors import ConfigError
from darec.overrides import parse_override


def base_config(
    *,
    backbone: str | None = None,
    alignment: str | None = None,
    options: Mapping[str, Any] | None = None,
    config: Path | None = None,
    overrides: Sequence[str] = (),
) -> RunConfig:
    """The settings that the variants change.

    Args:
        backbone: its name; None is the one in ``config``, or else ``lightgcn``.
        alignment: its name; None is the one in ``config``, or else ``darec``.
        options: settings by dotted key.
        config: YAML file of settings, such as a run's or one that ``darec tune`` wrote.
        overrides: ``["train.epochs=5"]``, on top.

    Raises:
        ConfigError: a name or setting does not exist, or a seed is given, which differs between runs.
    """
    for override in overrides:
        key, _ = parse_override(override, example="train.epochs=5")
        if key == "options.seed":
            raise ConfigError(f"--set {override}: give seeds with --seeds.")
    given: dict[str, Any] = {} if config else {"alignment": "darec"}
    given |= {"backbone": backbone} if backbone else {}
    given |= {"alignment": alignment} if alignment else {}
    return resolve_config({**given, **(options or {})}, file=config, overrides=overrides)


def changed(base: RunConfig, label: str, changes: Mapping[str, Any]) -> VariantSettings:
    """The base with some settings changed.

    Args:
        base: its settings.
        label: what the variant is called.
        changes: settings by dotted key.

    Raises:
        ConfigError: a setting does not exist, or its value is not valid.
    """
    config = resolve_config({**base.model_dump(mode="json"), **changes})
    return VariantSettings(config, label=label, changes=dict(changes))
