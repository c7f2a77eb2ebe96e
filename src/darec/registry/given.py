"""Records which code from outside the package the user has run, because another person's run may name any file.

If a user gives a plugin, or trains or encodes with a part of a module, its code has been run. This is recorded in the
user's state folder. Commands that read a run later import only recorded code, and no other code that a run names.
"""

from __future__ import annotations

import hashlib
import os
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path


def note_file(path: Path, source: bytes) -> None:
    """Record that the user gave this source, in this file."""
    _note(_of_file(path, source), path)


def is_file_given(path: Path, source: bytes) -> bool:
    """Whether the user gave exactly this source, in this file."""
    return _is_noted(_of_file(path, source))


def note_module(name: str) -> None:
    """Record that the user used a part of this module, from its current place."""
    if (place := place_of(name)) is not None:
        _note(_of_module(name, place), place)


def is_module_given(name: str) -> bool:
    """Whether the user used a part of this module, from its current place."""
    place = place_of(name)
    return place is not None and _is_noted(_of_module(name, place))


def place_of(name: str) -> Path | None:
    """The file from which a module or its package would be imported, or None. No code is run."""
    try:
        spec: ModuleSpec | None = find_spec(_top(name))
    except (ImportError, ValueError):  # a module that was created by hand has no specification
        return None
    if spec is None:
        return None
    if spec.has_location and spec.origin:
        return Path(spec.origin).resolve()
    return next((Path(place).resolve() for place in spec.submodule_search_locations or ()), None)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _of_file(path: Path, source: bytes) -> str:
    return hashlib.sha256(b"file\0" + bytes(path) + b"\0" + source).hexdigest()


def _of_module(name: str, place: Path) -> str:
    return hashlib.sha256(b"module\0" + _top(name).encode() + b"\0" + bytes(place)).hexdigest()


def _note(digest: str, place: Path) -> None:
    """If nothing can be stored, the user must give the plugin again, so errors are ignored."""
    folder = _folder()
    if folder is None or (folder / digest).exists():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / digest).write_bytes(bytes(place) + b"\n")
    except OSError:
        return


def _is_noted(digest: str) -> bool:
    folder = _folder()
    try:
        return folder is not None and (folder / digest).is_file()
    except OSError:
        return False


def _folder() -> Path | None:
    """``darec/plugins`` in the user's state folder, by the XDG base directory specification."""
    states = Path(os.environ.get("XDG_STATE_HOME", ""))
    if states.is_absolute():
        return states / "darec" / "plugins"
    try:
        return Path.home() / ".local" / "state" / "darec" / "plugins"
    except RuntimeError:  # no home folder
        return None
