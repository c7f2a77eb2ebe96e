"""Parts from outside the package for the tests: sources of plugins, and packages that look installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from darec.registry import REGISTRIES, origins, plugins

BACKBONE = '''
"""A table of ids behind a linear layer, whose initial values are drawn from torch's global generator."""
from typing import Literal

import torch

from darec.backbones.base import Backbone, BackboneConfig, id_table
from darec.registry import BACKBONES


class LinearConfig(BackboneConfig):
    name: Literal["linear"] = "linear"


class Linear(Backbone[LinearConfig]):
    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        self.embedding = id_table(inputs, config.dim)
        self.map = torch.nn.Linear(config.dim, config.dim)

    def ego(self):
        return self.embedding

    def encode(self, ego, generator):
        return self.split(self.map(ego))


BACKBONES.add("linear", Linear)
'''

ENCODER = '''
"""Counts of five letters."""
import numpy as np

from darec.registry import ENCODERS
from darec.text.encoders.base import Encoder


class Letters(Encoder):
    revision = "1"

    def encode(self, texts, corpus=None):
        return np.array([[1 + text.count(letter) for letter in "aeiou"] for text in texts], np.float32)


ENCODERS.add("letters", Letters)
'''


def write(path: Path, source: str = BACKBONE) -> Path:
    """A plugin in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


def install(
    site: Path, name: str, version: str, entries: dict[str, str], modules: dict[str, str]
) -> None:
    """Put a package into a folder as pip would, with entry points in ``darec.backbones``.

    Args:
        site: the folder, to be on ``sys.path``.
        name: of the package.
        version: its version.
        entries: name of each part -> ``"module:Class"``.
        modules: name of each module -> its source.
    """
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{part} = {path}" for part, path in entries.items()]
    (about / "entry_points.txt").write_text("\n".join(["[darec.backbones]", *lines, ""]))
    (about / "top_level.txt").write_text("\n".join([*modules, ""]))
    for module, source in modules.items():
        (site / f"{module}.py").write_text(source)


def isolate(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have a test's parts forgotten when it ends; the function returned forgets them at once, as a new process does."""
    modules = set(sys.modules)

    def forget() -> None:
        for registry in REGISTRIES.values():
            monkeypatch.setattr(registry, "_parts", {**registry._parts})
            registry.added = {}
            monkeypatch.setattr(registry, "_of_packages", {})
        monkeypatch.setattr(plugins, "_loaded", {})
        monkeypatch.setattr(plugins, "_environment", "")
        origins._package_of.cache_clear()
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if not (file.startswith((sys.prefix, sys.base_prefix)) or name.startswith("darec.")):
                del sys.modules[name]

    monkeypatch.delenv(plugins.ENVIRONMENT, raising=False)
    forget()
    return forget
