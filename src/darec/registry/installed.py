"""Entry points by which installed packages provide parts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path


def entry_points_of(group: str) -> Mapping[str, list[EntryPoint]]:
    """The entry points of a group by name; several if packages use the same name."""
    return _found(group, tuple((place, _changed(place)) for place in sys.path))


def package(entry: EntryPoint) -> str:
    """Name and version of the package of an entry point."""
    return f"the package {entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


@lru_cache(maxsize=16)
def _found(group: str, places: object) -> dict[str, list[EntryPoint]]:
    """Search all installed packages. The result is cached by ``places``."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, []).append(entry)
    return found


def _changed(place: str) -> float:
    """Time of the last installation or removal of a package there."""
    try:
        return Path(place).stat().st_mtime
    except OSError:
        return 0.0
