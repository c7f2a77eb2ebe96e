"""The settings that a configuration has with its parts, and the nearest known setting to an unknown one."""

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
)  # these choose a part or a preset; they are not settings of the part


def check_known(tree: Mapping[str, Any], config: type[BaseModel]) -> None:
    """Refuse an unknown setting if a similar one exists in any section.

    A setting that is similar to no other, and a section that names no part, are left to validation.

    Args:
        tree: nested settings, not yet validated.
        config: the class that will be made from them.

    Raises:
        ConfigError: a setting is unknown. The error names the nearest setting, or the parts that have a setting of that
            name.
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
    """Raise ``ConfigError`` if other parts for this section have the setting."""
    section = key.partition(".")[0]
    having = [
        part
        for part in _names(section, field)
        if (model := _settings_of(section, field, part)) and setting in model.model_fields
    ]
    if having:
        verb = "has" if len(having) == 1 else "have"
        raise ConfigError(
            f"unknown setting {key!r}: {section} {name!r} has no setting of that name, but {', '.join(having)} "
            f"{verb}."
        )


def _nearest(key: str, known: Iterable[str]) -> str | None:
    """The setting of that name in another section, or else the one with the most similar name."""
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
    """The name of the part in a section, as written or by default; None if the section has only one kind."""
    if isinstance(value, Mapping):
        value = value.get("name")
    if value is None:
        value = default
    return getattr(value, "name", None) if isinstance(value, BaseModel) else value


def _names(section: str, field: FieldInfo) -> Iterable[str]:
    """The parts of this package that a section may have."""
    if section in _REGISTRIES:
        return sorted(_REGISTRIES[section].own)
    return [tag_of(model) for model in models_of(field.annotation) if tag_of(model)]


def _settings_of(section: str, field: FieldInfo, name: Any) -> type[BaseModel] | None:
    """The settings of a part, by its name; None if there is no such part."""
    if section in _REGISTRIES:
        registry = _REGISTRIES[section]
        known = isinstance(name, str) and name in registry
        found: type[BaseModel] | None = registry.get(name).Config if known else None
        return found
    models = models_of(field.annotation)
    if not any(map(tag_of, models)):  # there is only one kind, so no name is needed
        return next(iter(models), None)
    return next((one for one in models if tag_of(one) == name), None)
