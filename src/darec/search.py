"""The search space of ``darec tune``: the dimensions that the parts of a configuration declare, changed by the user."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic.fields import FieldInfo

from darec.config import RunConfig, resolve_config
from darec.dimensions import Choice, Dimension, Range, Value
from darec.errors import ConfigError, did_you_mean
from darec.registry import ALIGNMENTS, BACKBONES
from darec.yaml_input import parse_yaml

SECTIONS = ("backbone", "alignment", "loss", "train")


def search_space(config: RunConfig) -> dict[str, Dimension]:
    """The dimensions that the parts of a configuration declare, by dotted key.

    A dimension is left out if it depends on a field that is not searched and has another value.

    Args:
        config: a resolved configuration with the parts.
    """
    return _possible(_declared(config), config)


def narrowed(
    config: RunConfig,
    *,
    search: Sequence[str] = (),
    only: Sequence[str] = (),
    pinned: Sequence[str] = (),
) -> dict[str, Dimension]:
    """The search space with the user's changes.

    Args:
        config: settings from which the search starts; every dimension is extended to contain its value there.
        search: ``KEY=LOW..HIGH``, ``KEY=LOW..HIGH:log`` or ``KEY=a,b,c``: dimensions added or replaced.
        only: keys to keep in addition to those of ``search``; all if empty.
        pinned: keys with a fixed value.

    Raises:
        ConfigError: a key does not exist or has a fixed value, bounds are not valid, or the setting refuses values.
    """
    known = dict(fields(config))
    space = _declared(config)
    wanted = list(only)
    for text in search:
        key, dimension = parse_dimension(text)
        if key not in known:
            raise unknown(config, key, "--search")
        if key in pinned:
            raise ConfigError(f"{key} is both searched and set: leave out --search or --set.")
        declared = space.get(key)
        space[key] = _typed(dimension.under(declared.when if declared else None), known[key])
        wanted.append(key)
    for key in only:
        if key not in known:
            raise unknown(config, key, "--only")
        if key in pinned:
            raise ConfigError(
                f"{key} is both searched and set: leave it out of --only or of --set."
            )
        if key not in space:
            raise ConfigError(
                f"--only {key}: it has no search range; write --search {key}=LOW..HIGH or {key}=a,b."
            )
    space = {key: space[key] for key in space if key not in pinned and (not only or key in wanted)}
    sensible = _possible(space, config)
    for key in wanted:
        if key not in sensible:
            on, value = depends_on(key, space[key]), (space[key].when or ("", None))[1]
            raise ConfigError(
                f"{key} cannot be searched: it only has an effect with {on}={value}; set that, or search {on} too."
            )
    return {key: _checked(key, dimension, config) for key, dimension in sensible.items()}


def parse_dimension(text: str) -> tuple[str, Dimension]:
    """Key and dimension of ``KEY=LOW..HIGH[:log]`` or ``KEY=a,b,c``. Raises ``ConfigError``."""
    key, _, where = text.partition("=")
    key, where = key.strip(), where.strip()
    wrong = ConfigError(
        f"--search {text!r}: write KEY=LOW..HIGH, KEY=LOW..HIGH:log or KEY=a,b,c, "
        "for example train.lr=1e-4..1e-2:log."
    )
    if not key or not where:
        raise wrong
    if ".." not in where:
        try:
            return key, Choice(*(_scalar(value) for value in where.split(",")))
        except ConfigError:
            raise wrong from None
    bounds, _, scale = where.partition(":")
    low_text, _, high_text = bounds.partition("..")
    try:
        low, high = float(low_text), float(high_text)
    except ValueError:
        raise wrong from None
    if scale not in ("", "log") or not (math.isfinite(low) and math.isfinite(high)):
        raise wrong
    if low >= high or (scale and low <= 0):
        why = (
            "the lower bound is not below the upper" if low >= high else "a logarithm needs LOW > 0"
        )
        raise ConfigError(f"--search {text!r}: {why}.")
    return key, Range(low, high, log=bool(scale))


def fields(config: RunConfig) -> Iterator[tuple[str, FieldInfo]]:
    """Dotted key and field of every setting that has an effect and could be searched.

    The choice of the part itself is a comparison and not tuning.
    """
    for key, field in _all_fields(config):
        if not idle(config, key):
            yield key, field


def idle(config: RunConfig, key: str) -> bool:
    """Whether a setting has no effect with the configuration's backbone; closed forms have no training."""
    backbone = BACKBONES.get(config.backbone.name)
    section, _, name = key.partition(".")
    if section == "alignment":
        alignment = ALIGNMENTS.get(config.alignment.name)
        return name in alignment.idle(closed_form=backbone.closed_form, has_ids=backbone.has_ids)
    return bool(backbone.closed_form and section != "backbone")


def unknown(config: RunConfig, key: str, option: str) -> ConfigError:
    """The error of a key that is not among :func:`fields`.

    Args:
        config: the configuration with the fields.
        key: the unknown key.
        option: the option that names it.
    """
    if key in dict(_all_fields(config)):
        return ConfigError(
            f"{option} {key}: it has no effect with backbone {config.backbone.name!r}: leave it out."
        )
    pair = f"{config.backbone.name} + {config.alignment.name}"
    hint = did_you_mean(key, dict(fields(config)))
    return ConfigError(f"{option}: {pair} has no setting {key!r}: {hint}")


def _all_fields(config: RunConfig) -> Iterator[tuple[str, FieldInfo]]:
    for section in SECTIONS:
        for name, field in type(getattr(config, section)).model_fields.items():
            if name != "name":
                yield f"{section}.{name}", field


def start_of(config: RunConfig, key: str) -> Any:
    """The start of the search of a setting: its value, or the first candidate of its part if it is null."""
    value = value_of(config, key)
    section, _, setting = key.partition(".")
    tried = getattr(getattr(config, section, None), "tried", {})
    return tried[setting][0] if value is None and setting in tried else value


def value_of(config: RunConfig, key: str) -> Any:
    """A setting by its dotted key."""
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def depends_on(key: str, dimension: Dimension) -> str | None:
    """The dotted key of the setting on which a dimension depends, or None."""
    return None if dimension.when is None else f"{key.partition('.')[0]}.{dimension.when[0]}"


def active(key: str, dimension: Dimension, values: Mapping[str, Any], config: RunConfig) -> bool:
    """Whether a dimension has an effect, given the values drawn so far, and ``config`` for all others."""
    if dimension.when is None:
        return True
    on = depends_on(key, dimension) or ""
    return bool((values[on] if on in values else value_of(config, on)) == dimension.when[1])


def is_active(config: RunConfig, key: str) -> bool:
    """Whether a setting has an effect with the other settings, according to its declaration."""
    field = dict(_all_fields(config)).get(key)
    marks = [mark for mark in field.metadata if isinstance(mark, Range | Choice)] if field else []
    return all(active(key, mark, {}, config) for mark in marks)


def _declared(config: RunConfig) -> dict[str, Dimension]:
    return {
        key: _typed(mark, field)
        for key, field in fields(config)
        for mark in field.metadata
        if isinstance(mark, Range | Choice)
    }


def _possible(space: Mapping[str, Dimension], config: RunConfig) -> dict[str, Dimension]:
    """The dimensions that have an effect in ``config``, or may have one during the search."""
    return {
        key: dimension
        for key, dimension in space.items()
        if depends_on(key, dimension) in space or active(key, dimension, {}, config)
    }


def _scalar(text: str) -> Value:
    """A YAML scalar, but 1e-3 is a number as in any other program."""
    value = parse_yaml(text, repr(text))
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if value is None or isinstance(value, int | float):
        return value
    raise ConfigError(f"{text!r} is not a single value.")


def _typed(dimension: Dimension, field: FieldInfo) -> Dimension:
    if isinstance(dimension, Range):
        return replace(dimension, integer=field.annotation is int)
    return dimension


def _checked(key: str, dimension: Dimension, config: RunConfig) -> Dimension:
    """Return the dimension, extended to the starting value, after a check that its ends are valid settings."""
    for value in dimension.ends():
        resolve_config({**config.model_dump(mode="json"), key: value})
    start = start_of(config, key)
    stretched = dimension.including(start)
    if stretched is None:
        raise ConfigError(
            f"{key}={start}, where the search starts, is outside {dimension}: fix it with --set, or choose "
            f"other bounds with --search {key}=LOW..HIGH."
        )
    return stretched
