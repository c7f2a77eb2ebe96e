"""Nested settings from dotted keys, from ``KEY=VALUE`` on the command line, and from YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darec.errors import ConfigError
from darec.yaml_input import parse_yaml, read_yaml


def parse_override(override: str, *, example: str) -> tuple[str, Any]:
    """Key and value of ``KEY=VALUE``; the value is read as YAML. Raises ``ConfigError``, which shows the example."""
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set {override!r}: write KEY=VALUE, for example {example}.")
    return key.strip(), parse_yaml(text, f"--set {override!r}: the value")


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn a nested mapping into one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def read_settings(file: Path) -> dict[str, Any]:
    """The nested settings of a YAML file. Raises ``ConfigError`` if it cannot be read or has no sections."""
    tree = read_yaml(file)
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise ConfigError(f"{file} has no settings: write sections such as 'train:'.")
    return tree


def assign(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key. Naming another part removes the settings of the part that it replaces."""
    *sections, leaf = key.split(".")
    node = tree
    for section in sections:
        inner = node.get(section)
        if isinstance(inner, str):
            inner = {"name": inner}
        elif inner is not None and not isinstance(inner, dict):
            raise ConfigError(f"{key}: {section!r} is a value and has no settings.")
        node[section] = inner = dict(inner or {})
        node = inner
    if isinstance(value, Mapping) and isinstance(node.get(leaf), dict):
        for name, inner in value.items():
            assign(node, f"{leaf}.{name}", inner)
        return
    if leaf in {"backbone", "alignment", "loss"} and not sections and isinstance(value, str):
        old = node.get(leaf)
        if isinstance(old, dict) and old.get("name") == value:
            return
    node[leaf] = value
