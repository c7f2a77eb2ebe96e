"""The configuration of a registered part: a backbone or an alignment."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel

from darec.errors import ConfigError, did_you_mean, shown
from darec.registry import Registry
from darec.settings import Settings, validated


class PartConfig(Settings):
    """Base of the configuration of a registered part.

    Attributes:
        tried: candidate values of settings that may be null. For closed-form pairs, a null setting is replaced by the
            candidate that is best on validation data. Several null settings go through their candidates together.
        presets: named groups of settings, chosen by ``preset``: ``{"alignment": {"name": "darec", "preset":
            "paper"}}``.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {}

    name: str
    """Name of the part in the registry."""


def validated_part(
    value: Any,
    registry: Registry,
    default: str,
    usual: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Any:
    """Validate the settings of one part with the ``Config`` of its class, which is found by name.

    ``preset`` is replaced by the settings that the part declares under that name. Settings given explicitly override
    them.

    Args:
        value: a name, settings, or a configuration.
        registry: the parts of this kind.
        default: the name, if none is given.
        usual: settings in place of the part's own defaults, by its name.
    """
    if isinstance(value, str):
        value = {"name": value}
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        value = {"name": default, **value}
    else:
        raise ConfigError(f"{registry.kind}: give a name, one of {', '.join(registry)}.")
    if not isinstance(value["name"], str):
        raise ConfigError(f"{registry.kind}: {shown(value['name'])} is not a name.")
    config: type[PartConfig] = registry.get(value["name"]).Config
    preset = value.pop("preset", None)
    if preset is not None:
        if not isinstance(preset, str) or preset not in config.presets:
            known = did_you_mean(str(preset), config.presets) if config.presets else "it has none."
            raise ConfigError(
                f"{registry.kind} {value['name']!r}: unknown preset {preset!r}: {known}"
            )
        value = {**config.presets[preset], **value}
    value = {**usual.get(value["name"], {}), **value}
    return validated(config, value, prefix=registry.kind)
