"""Which settings a configuration has with its parts, and what somebody meant who wrote another one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from darec.errors import ConfigError
from darec.overrides import flatten
from darec.registry import ALIGNMENTS, BACKBONES
from darec.settings import models_of, tag_of

_REGISTRIES: Final = {"backbone": BACKBONES, "alignment": ALIGNMENTS}
_CHOOSE: Final = (
    "name",
    "preset",
)  # they choose a part or its settings, and are none of its settings


def check_known(tree: Mapping[str, Any], config: type[BaseModel]) -> None:
    """Refuse a setting that does not exist where a near one does, in whatever section.

    What is near to nothing, and what names no part, is left to validation.

    Args:
        tree: settings as they are written, nested.
        config: what is to be made of them.

    Raises:
        ConfigError: naming the nearest setting, or the parts that have one of that name.
    """
    names: dict[str, Any] = {}
    known: list[str] = []
    for section, field in config.model_fields.items():
        names[section] = _name(tree.get(section), field.default)
        model = _settings_of(section, field, names[section])
        if model is None:
            return
        known += [f"{section}.{setting}" for setting in model.model_fields if setting != "name"]
    for key in flatten(tree):
        section, _, setting = key.partition(".")
        setting = setting.partition(".")[0]
        if not setting and section in names:
            continue
        if setting in _CHOOSE or f"{section}.{setting}" in known:
            continue
        if section in names:
            _check_others(key, setting, config.model_fields[section], names[section])
        near = _nearest(key, known)
        if near is not None:
            raise ConfigError(f"unknown setting {key!r}: did you mean {near!r}?")


def _check_others(key: str, setting: str, field: FieldInfo, name: Any) -> None:
    """Raise ``ConfigError`` where other parts that might stand in the section have the setting."""
    section = key.partition(".")[0]
    having = [
        part
        for part in _names(section, field)
        if (model := _settings_of(section, field, part)) and setting in model.model_fields
    ]
    if having:
        verb = "has" if len(having) == 1 else "have"
        raise ConfigError(
            f"unknown setting {key!r}: {section} {name!r} has none of that name, which {', '.join(having)} {verb}."
        )


def _nearest(key: str, known: Iterable[str]) -> str | None:
    """The setting of that name in another section, else the one that is written most alike."""
    leaf = key.rpartition(".")[2]
    leaves: dict[str, str] = {}
    for one in known:
        leaves.setdefault(one.rpartition(".")[2], one)
    if leaf in leaves:
        return leaves[leaf]
    near = difflib.get_close_matches(key, known, 1, 0.75)
    if near:
        return near[0]
    alike = difflib.get_close_matches(leaf, leaves, 1, 0.75)
    return leaves[alike[0]] if alike else None


def _name(value: Any, default: Any) -> Any:
    """The name of the part in a section, as it is written or by default; None where the section has one kind."""
    if isinstance(value, Mapping):
        value = value.get("name")
    if value is None:
        value = default
    return getattr(value, "name", None) if isinstance(value, BaseModel) else value


def _names(section: str, field: FieldInfo) -> Iterable[str]:
    """The parts that may stand in a section, of the package's own."""
    if section in _REGISTRIES:
        return sorted(_REGISTRIES[section].own)
    return [tag_of(model) for model in models_of(field.annotation) if tag_of(model)]


def _settings_of(section: str, field: FieldInfo, name: Any) -> type[BaseModel] | None:
    """The settings of a part by its name; None where there is no such part."""
    if section in _REGISTRIES:
        registry = _REGISTRIES[section]
        known = isinstance(name, str) and name in registry
        found: type[BaseModel] | None = registry.get(name).Config if known else None
        return found
    models = models_of(field.annotation)
    if not any(map(tag_of, models)):  # there is one kind, so no name chooses it
        return next(iter(models), None)
    return next((one for one in models if tag_of(one) == name), None)
