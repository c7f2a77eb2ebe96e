"""The origins of parts from outside the package: a run records them, and finds the parts again."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib.metadata import packages_distributions, version
from operator import attrgetter
from pathlib import Path
from typing import Any

from darec.errors import ConfigError, explained
from darec.files import read_json
from darec.registry import REGISTRIES
from darec.registry.given import is_file_given, is_module_given, note_module, place_of
from darec.registry.plugins import load_source, plugin_of


@dataclass(frozen=True)
class Origin:
    """The origin of a part.

    Attributes:
        kind: ``backbone``, ``alignment`` or ``encoder``.
        name: its name in the registry.
        class_name: its class.
        module: the module to import; None for a plugin file.
        file: absolute path of the source, or None.
        sha256: hash of that source.
        package: the installed package that has it, or None.
        version: version of that package.
    """

    kind: str
    name: str
    class_name: str
    module: str | None
    file: str | None
    sha256: str | None
    package: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        if self.package:
            return f"{self.package} {self.version}"
        if self.module in (None, "__main__") and self.file:
            return self.file
        return f"the module {self.module}"

    @property
    def identity(self) -> str:
        """The part's source and its package's version, by which a change of its computation is recognised."""
        return f"{self.kind} {self.name} {self.sha256} {self.version}"

    def differs(self, other: Origin) -> bool:
        """Whether the part now comes from another source, or from another version of its package."""
        versions = {self.version, other.version} - {None}
        return self.sha256 != other.sha256 or len(versions) > 1


def origin_of(kind: str, name: str) -> Origin | None:
    """The origin of a registered part; None for the package's own."""
    registry = REGISTRIES[kind]
    if name in registry.own:
        return None
    part, plugin, entry = registry.get(name), plugin_of(kind, name), registry.entry_point(name)
    if plugin and plugin.source is not None:
        own = hashlib.sha256(plugin.source).hexdigest()
        return Origin(kind, name, part.__qualname__, None, plugin.name, own)
    file, digest = _source(part)
    module = plugin.name if plugin else part.__module__
    package = entry.dist.name if entry and entry.dist else None
    if package is None:
        package = _package_of(module.split(".")[0])
    return Origin(
        kind,
        name,
        part.__qualname__,
        module,
        file,
        digest,
        package,
        version(package) if package else None,
    )


@lru_cache
def _package_of(module: str) -> str | None:
    """The installed package of a top-level module. This searches all packages."""
    return next(iter(packages_distributions().get(module, ())), None)


def _source(part: type) -> tuple[str | None, str | None]:
    """The file in which a class is defined, and its SHA-256; None without a file, as in a notebook."""
    try:
        file = Path(inspect.getsourcefile(part) or "").resolve(strict=True)
        return str(file), hashlib.sha256(file.read_bytes()).hexdigest()
    except (OSError, TypeError):
        return None, None


def origins_of(backbone: str, alignment: str) -> list[Origin]:
    """The origins of those parts of a pair that are from outside the package."""
    names = {"backbone": backbone, "alignment": alignment}
    found = (origin_of(kind, name) for kind, name in names.items())
    return [origin for origin in found if origin is not None]


def kept(origin: Origin) -> dict[str, Any]:
    """An origin as JSON, with which the part can be found again. It is also recorded that the user has run the code."""
    if origin.module is not None and origin.package is None:
        note_module(origin.module)
    return asdict(origin)


def recall(origin: Origin, whose: str) -> None:
    """Import a part that is not registered, from its recorded origin.

    Only code of an installed package is run, and code that this user gave or used before (:mod:`darec.registry.given`),
    because the run may be another person's and may name any file.

    Args:
        origin: origin of the part.
        whose: where the origin is recorded, for messages: ``the run at runs/a``.

    Raises:
        ConfigError: the code no longer exists, has changed, or was not given by the user. The message says what to
            install or to give.
    """
    registry = REGISTRIES[origin.kind]
    if origin.name in registry:
        return
    what = f"{origin.kind} {origin.name!r} of {whose}"
    if origin.module is None and origin.file is not None:
        file = Path(origin.file)
        if not file.is_file():
            raise ConfigError(
                f"{what} comes from {file}, which no longer exists: give the file with --plugin FILE."
            )
        source = file.read_bytes()
        if hashlib.sha256(source).hexdigest() != origin.sha256:
            raise ConfigError(
                f"{what} comes from {file}, which has changed since: restore the earlier file, or use the present "
                f"one with --plugin {file}."
            )
        if not is_file_given(file, source):
            raise ConfigError(
                f"{what} is code in {file}, which you have not given to darec: read it, and if you trust it, give it "
                f"with --plugin {file}."
            )
        return load_source(file, source)
    if origin.module in (None, "__main__"):
        home = f"the program {origin.file}" if origin.file else "a notebook"
        raise ConfigError(
            f"{what} was defined in {home}: put it into its own file and give that with --plugin FILE, or define "
            "it again first."
        )
    place = place_of(origin.module)
    if place and not _may_be_imported(origin.module):
        raise ConfigError(
            f"{what} is code in the module {origin.module} ({place}), which is not in an installed package and "
            "which you have not given to darec: read it, and if you trust it, give it with --plugin "
            f"{origin.module}."
        )
    try:
        module = importlib.import_module(origin.module)
        if origin.name not in registry:  # registered by another module at that time
            registry.add(origin.name, attrgetter(origin.class_name)(module))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{origin.module}.".startswith(f"{error.name}."):
            raise ConfigError(f"{what} comes from {origin}: {explained(error)}") from error
        remedy = (
            f"pip install '{origin.package}=={origin.version}'"
            if origin.package
            else f"install the package with the module {origin.module}"
        )
        raise ConfigError(
            f"{what} comes from {origin}, which is not installed: {remedy}, or give a file with the part by "
            "--plugin FILE."
        ) from None
    except (Exception, SystemExit) as error:  # a module may raise anything on import
        raise ConfigError(f"{what} comes from {origin}: {explained(error)}") from error


def _may_be_imported(module: str) -> bool:
    top = module.partition(".")[0]
    return module in sys.modules or _package_of(top) is not None or is_module_given(module)


def recall_parts(folder: Path, names: Mapping[str, Any]) -> None:
    """Import the parts of a run that a configuration names; see :func:`recall`.

    Args:
        folder: folder of a run; any other folder has no records.
        names: names of the parts by kind.
    """
    for origin in remembered(folder):
        if names.get(origin.kind) == origin.name:
            recall(origin, f"the run at {folder}")


def remembered(folder: Path) -> list[Origin]:
    """The origins of the parts of a run; empty if the folder has no run or its run.json is damaged."""
    try:
        return [origin_from(stored) for stored in read_json(folder / "run.json")["parts"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def origin_from(stored: Mapping[str, Any]) -> Origin:
    """Read an origin from JSON, which a later version may have written."""
    known = {field.name for field in fields(Origin)}
    return Origin(**{key: value for key, value in stored.items() if key in known})


def change(then: Iterable[Origin]) -> str | None:
    """The first part that now comes from another source, as a clause; None if all are the same."""
    for origin in then:
        now = origin_of(origin.kind, origin.name)
        if now is None or now.differs(origin):
            came = f"{origin.kind} {origin.name!r} came from {origin}"
            if now is None or str(now) != str(origin):
                return f"{came} and comes from {now or 'darec itself'} now, where it differs"
            return f"{came}, which has changed since"
    return None


@dataclass(frozen=True)
class Parcel:
    """A part that is sent to another process, with the source of a plugin file as it was loaded here."""

    origin: Origin
    source: bytes | None

    @classmethod
    def of(cls, origin: Origin) -> Parcel:
        """Pack a registered part for another process."""
        plugin = plugin_of(origin.kind, origin.name)
        return cls(origin, plugin.source if plugin else None)

    def unpack(self) -> None:
        """Register the part in this process. Raises ``ConfigError`` if it cannot be imported or is another part."""
        if self.source is not None and self.origin.file is not None:
            load_source(Path(self.origin.file), self.source)
            return
        recall(self.origin, "this job")
        if (what := change([self.origin])) is not None:
            raise ConfigError(f"{what}: run the command again.")
