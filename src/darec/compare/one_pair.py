"""One pair under changed settings: what a sweep and an ablation have in common."""

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
        backbone: its name; None: the one in ``config``, else ``lightgcn``.
        alignment: likewise, else ``darec``.
        options: settings by dotted key.
        config: YAML file of settings, such as a run's or one that ``darec tune`` wrote.
        overrides: ``["train.epochs=5"]``, on top.

    Raises:
        ConfigError: a name or setting that does not exist, or a seed, which is each run's own.
    """
    for override in overrides:
        key, _ = parse_override(override, example="train.epochs=5")
        if key == "options.seed":
            raise ConfigError(f"--set {override}: give the seeds by --seeds.")
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
        ConfigError: a setting that does not exist, or a value that it refuses.
    """
    config = resolve_config({**base.model_dump(mode="json"), **changes})
    return VariantSettings(config, label=label, changes=dict(changes))
