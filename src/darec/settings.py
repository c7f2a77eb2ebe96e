"""Base class of every strict configuration, and its one-line error messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar, get_args

from annotated_types import Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from darec.errors import ConfigError, did_you_mean, shown
from darec.limits import LARGEST

S = TypeVar("S", bound=BaseModel)
_TAG: Final = re.compile(r"'([^']*)'")


class Settings(BaseModel):
    """Base class of every configuration. It is immutable and refuses unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*")
    @classmethod
    def _whole_numbers_within_reason(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        bounded = any(isinstance(mark, Le | Lt) for mark in field.metadata)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and not bounded and abs(number) > LARGEST:
                raise ValueError(f"input should be at most {LARGEST:,}")
        return value


C = TypeVar("C", bound=Settings)


class Configured(Generic[C]):
    """Base class of the contracts of parts. ``class Mine(Backbone[MineConfig])`` declares the settings of a part.

    Attributes:
        Config: the class of the settings.
        config: the settings of this part.
    """

    Config: ClassVar[type[Any]]
    config: C

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, Settings):
                    cls.Config = argument


def validated(model: type[S], values: Mapping[str, Any], *, prefix: str = "", owner: str = "") -> S:
    """Validate values and make settings of any class from them.

    Args:
        model: the class of the settings.
        values: the values, by name.
        prefix: prefix of the names in errors, ``alignment`` for ``alignment.rho``.
        owner: what the settings belong to, for errors whose names alone do not tell: ``encoder 'tfidf'``.

    Raises:
        ConfigError: a value is not valid. The error names the first such setting, its value and the valid values.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, model, prefix, owner and f" of {owner}")) from None


def _explain(error: ValidationError, model: type[BaseModel], prefix: str, of: str) -> str:
    """The first problem in one line: the key as a user writes it, and the valid values."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):  # a part's own message, which pydantic has wrapped
        return cause.command_line
    key, holder = _place(first["loc"], model)
    path = ".".join([prefix, *key] if prefix else key)
    if first["type"].startswith("union_tag"):
        tags = _TAG.findall(first["ctx"].get("expected_tags", ""))
        return f"unknown {path}: {did_you_mean(str(first['input'].get('name')), tags)}"
    if first["type"] == "extra_forbidden":
        known = holder.model_fields
        sections = path.removesuffix(key[-1])
        nearest = did_you_mean(key[-1], known, sections) if known else "there are none."
        return f"unknown setting {path!r}{of}: {nearest}"
    why = first["msg"].removeprefix("Value error, ").rstrip(".")
    what = f"setting {path!r}{of}: " if path else f"{of.removeprefix(' of ')}: " if of else ""
    return f"{what}{why[:1].lower()}{why[1:]} (got {shown(first['input'])})."


def _place(location: tuple[int | str, ...], model: type[BaseModel]) -> tuple[list[str], Any]:
    """The key that pydantic reports, without the tags of unions, and the settings class that has its last step."""
    key: list[str] = []
    inside: list[type[BaseModel]] = [model]
    for step in map(str, location):
        tagged = [one for one in inside if tag_of(one) == step] if len(inside) > 1 else []
        if tagged:
            inside = tagged
            continue
        key.append(step)
        model = inside[0] if inside else model
        field = model.model_fields.get(step)
        inside = models_of(field.annotation) if field else []
    return key, model


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """The settings classes of an annotation; a union has several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_of(argument)]


def tag_of(model: type[BaseModel]) -> Any:
    """The name that selects one settings class of a union."""
    field = model.model_fields.get("name")
    return field.get_default() if field else None
