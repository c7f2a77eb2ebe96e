"""The check, at registration, that a class from outside the package is a part."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from darec.errors import ConfigError

if TYPE_CHECKING:
    from darec.registry import Registry


def attribute(path: str) -> Any:
    """Import the object ``"module:name"``."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def check_part(registry: Registry, name: str, part: object) -> None:
    """Raise ``ConfigError`` unless ``part`` is a class of the registry's kind with settings of that name."""
    if not isinstance(part, type):
        raise ConfigError(f"{registry.kind} {name!r} must be a class, not {part!r}.")
    what = f"{registry.kind} {name!r}: {part.__name__}"
    base = next((b for b in map(attribute, registry.bases) if issubclass(part, b)), None)
    if base is None:
        bases = " or ".join(path.replace(":", ".") for path in registry.bases)
        raise ConfigError(f"{what} must inherit {bases}.")
    settings: Any = base.__parameters__[0].__bound__  # of class Backbone(Configured[C])
    config: Any = getattr(part, "Config", None)
    if settings not in getattr(config, "__mro__", ()):
        mine = f"{part.__name__}Config"
        raise ConfigError(
            f"{what} has no settings of its kind: write 'class {part.__name__}({base.__name__}[{mine}])', with a class "
            f"{mine} that inherits {settings.__module__}.{settings.__name__}."
        )
    missing = sorted(getattr(part, "__abstractmethods__", ()))
    if missing:
        raise ConfigError(f"{what} must define {', '.join(missing)}.")
    field = config.model_fields["name"] if "name" in settings.model_fields else None
    if field and get_origin(field.annotation) is Literal and name not in get_args(field.annotation):
        raise ConfigError(
            f"{what} is registered as {name!r}, which its {config.__name__} must declare: write there 'name: "
            f"Literal[{name!r}] = {name!r}'."
        )
