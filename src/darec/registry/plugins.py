"""Plugins: Python files and modules with parts from outside the package.

A plugin registers its parts when it is imported, by :meth:`darec.registry.Registry.add`. It is given by ``--plugin`` on
the command line, by :func:`load_plugin` in Python, or for all commands by the environment variable ``DAREC_PLUGINS``.
Packages whose parts are entry points need no plugin: their parts are available after installation.
"""

from __future__ import annotations

import hashlib
import importlib
import linecache
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from types import ModuleType
from typing import Final

from darec.errors import ConfigError, explained
from darec.registry import REGISTRIES
from darec.registry.given import note_file, note_module

ENVIRONMENT: Final = "DAREC_PLUGINS"
_HINT: Final = 'end it with a line such as BACKBONES.add("mine", Mine), of darec.registry'


@dataclass(frozen=True)
class Plugin:
    """A plugin that was loaded.

    Attributes:
        name: absolute path of a file, or name of a module.
        source: source of a file when it was loaded; None for a module.
        parts: kind and name of each part that it registered.
    """

    name: str
    source: bytes | None
    parts: frozenset[tuple[str, str]]


_loaded: dict[str, Plugin] = {}
_loading: set[str] = set()
_environment = ""


def load_plugin(plugin: str | Path) -> None:
    """Import a Python file or a module that registers backbones, alignments or encoders.

    A plugin is loaded once. A file that has changed since is loaded again.

    Args:
        plugin: path of a ``.py`` file, or name of a module.

    Raises:
        ConfigError: the plugin does not exist, raises an error or registers nothing; or something that it registers is
            not a part, or has the name of another part.
    """
    name = str(plugin)
    if not name.endswith(".py") and not re.search(r"[/\\]", name):
        _load_module(name)
        return note_module(name)
    path = Path(name).expanduser().resolve()
    if path.is_dir():
        raise ConfigError(
            f"plugin {name} is a folder: give a .py file, or install the folder as a package and give the name of "
            "its module."
        )
    if not path.is_file():
        raise ConfigError(f"plugin {name}: there is no such file.")
    source = path.read_bytes()
    load_source(path, source)
    note_file(path, source)


def load_source(path: Path, source: bytes) -> None:
    """Load the given source of a file like :func:`load_plugin`, even if the file has changed since."""
    known = _loaded.get(str(path))
    if str(path) in _loading or (known is not None and known.source == source):
        return
    with _registering(str(path), source):
        _execute(path, source)


def load_environment() -> None:
    """Load the plugins of ``DAREC_PLUGINS``: files and modules, with commas or the path separator between them."""
    global _environment
    value = os.environ.get(ENVIRONMENT, "")
    if value == _environment:
        return
    before, _environment = _environment, value  # set first, because plugins use the registry too
    try:
        for name in re.split(f"[,{os.pathsep}]", value):
            if name.strip():
                load_plugin(name.strip())
    except ConfigError as error:
        _environment = before
        raise ConfigError(f"{ENVIRONMENT}: {error.command_line}") from error


def plugin_of(kind: str, name: str) -> Plugin | None:
    """The plugin that registered a part; None if no plugin did."""
    return next((plugin for plugin in _loaded.values() if (kind, name) in plugin.parts), None)


def _execute(path: Path, source: bytes) -> None:
    """Run a file's source as a module."""
    name = f"darec_plugin_{path.stem}_{hashlib.sha256(bytes(path)).hexdigest()[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    former = sys.modules.get(name)
    sys.modules[name] = (
        module  # pydantic reads annotations there, and docstrings from the source lines
    )
    try:
        lines = decode_source(source).splitlines(keepends=True)
        linecache.cache[str(path)] = len(source), None, lines, str(path)
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        if former is not None:
            sys.modules[name] = former
        sibling = path.with_name(f"{getattr(error, 'name', None)}.py")
        if isinstance(error, ModuleNotFoundError) and sibling.is_file():
            raise ConfigError(
                f"it imports {sibling.name}, but a plugin is one file: make a package of both and give the name of "
                "its module."
            ) from error
        raise


def _load_module(name: str) -> None:
    if name in _loaded or name in _loading:
        return
    with _registering(name):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the plugin exists, but a module that it imports does not
            file = Path(f"{name}.py")
            remedy = f"give the file as {file}" if file.is_file() else "install it, or give a file"
            raise ConfigError(f"there is no such module: {remedy}.") from None


@contextmanager
def _registering(name: str, source: bytes | None = None) -> Iterator[None]:
    """Record which parts a plugin registers. After an error the registries are restored."""
    before = {kind: registry.added for kind, registry in REGISTRIES.items()}
    former = _loaded.pop(name, None)
    stale = former.parts if former else frozenset()
    for kind, registry in REGISTRIES.items():
        registry.added = {n: part for n, part in before[kind].items() if (kind, n) not in stale}
    start = _all_added()
    _loading.add(name)
    try:
        yield
        parts = {key for key, part in _all_added().items() if start.get(key) is not part}
        if not parts and not (source is None and _brings_parts(name)):
            raise ConfigError(f"it registers no part: {_HINT}.")
    except (Exception, SystemExit) as error:  # a module may raise anything on import
        for kind, registry in REGISTRIES.items():
            registry.added = before[kind]
        if former is not None:
            _loaded[name] = former
        label = name if source is None else Path(name).name
        file = None if source is None else name
        raise ConfigError(f"plugin {label}: {explained(error, file)}") from error
    finally:
        _loading.discard(name)
    others = {part for plugin in _loaded.values() for part in plugin.parts}
    _loaded[name] = Plugin(name, source, frozenset(parts - others))


def _all_added() -> dict[tuple[str, str], type]:
    return {
        (kind, name): part
        for kind, registry in REGISTRIES.items()
        for name, part in registry.added.items()
    }


def _brings_parts(module: str) -> bool:
    """Whether a module that was imported before has parts, registered at that time or by entry points."""
    homes = [part.__module__ for part in _all_added().values()]
    for registry in REGISTRIES.values():
        homes += [entry.module for entries in registry.installed.values() for entry in entries]
    return any(f"{home}.".startswith(f"{module}.") for home in homes)
