"""Where parts from outside the package come from: what a run remembers of them, and how it finds them again."""

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
    """Where a part comes from.

    Attributes:
        kind: ``backbone``, ``alignment`` or ``encoder``.
        name: its name in the registry.
        class_name: its class.
        module: what to import; None for a plugin that is a file.
        file: absolute path of the source; None where there is none.
        sha256: of that source.
        package: the installed package that it is in; None where it is in none.
        version: of that package.
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
        """What decides how the part computes, as far as it can be known: its source and its package's version."""
        return f"{self.kind} {self.name} {self.sha256} {self.version}"

    def differs(self, other: Origin) -> bool:
        """Whether the same part comes from another source, or from another version of its package."""
        versions = {self.version, other.version} - {None}
        return self.sha256 != other.sha256 or len(versions) > 1


def origin_of(kind: str, name: str) -> Origin | None:
    """Where a registered part comes from; None for the package's own."""
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
    """The installed package that a top-level module is in, which takes a look at all of them."""
    return next(iter(packages_distributions().get(module, ())), None)


def _source(part: type) -> tuple[str | None, str | None]:
    """The file that a class is defined in, and its SHA-256; None where there is none, as in a notebook."""
    try:
        file = Path(inspect.getsourcefile(part) or "").resolve(strict=True)
        return str(file), hashlib.sha256(file.read_bytes()).hexdigest()
    except (OSError, TypeError):
        return None, None


def origins_of(backbone: str, alignment: str) -> list[Origin]:
    """Where the parts of a pair come from, of those from outside the package."""
    names = {"backbone": backbone, "alignment": alignment}
    found = (origin_of(kind, name) for kind, name in names.items())
    return [origin for origin in found if origin is not None]


def kept(origin: Origin) -> dict[str, Any]:
    """An origin as JSON, for what is to find its part again; its user has run the code, which is noted."""
    if origin.module is not None and origin.package is None:
        note_module(origin.module)
    return asdict(origin)


def recall(origin: Origin, whose: str) -> None:
    """Import a part that is not registered, from where it came then.

    Only code of an installed package is run, and code that this user gave or used before
    (:mod:`darec.registry.given`): what is read may be another's, and name any file.

    Args:
        origin: of the part.
        whose: what remembers it, for messages: ``the run at runs/a``.

    Raises:
        ConfigError: it is not there any more, has changed, or is code that the user has not given; the message says
            what to install or to give.
    """
    registry = REGISTRIES[origin.kind]
    if origin.name in registry:
        return
    what = f"{origin.kind} {origin.name!r} of {whose}"
    if origin.module is None and origin.file is not None:
        file = Path(origin.file)
        if not file.is_file():
            raise ConfigError(
                f"{what} comes from {file}, which is not there any more: give the file with --plugin FILE."
            )
        source = file.read_bytes()
        if hashlib.sha256(source).hexdigest() != origin.sha256:
            raise ConfigError(
                f"{what} comes from {file}, which has changed since: bring the earlier file back, or take this one "
                f"with --plugin {file}."
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
            f"{what} was defined in {home}: put it into a file of its own and give that with "
            "--plugin FILE, or define it again before this."
        )
    place = place_of(origin.module)
    if place and not _may_be_imported(origin.module):
        raise ConfigError(
            f"{what} is code in the module {origin.module} ({place}), which is in no installed package and which you "
            f"have not given to darec: read it, and if you trust it, give it with --plugin {origin.module}."
        )
    try:
        module = importlib.import_module(origin.module)
        if origin.name not in registry:  # registered by another module then
            registry.add(origin.name, attrgetter(origin.class_name)(module))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{origin.module}.".startswith(f"{error.name}."):
            raise ConfigError(f"{what} comes from {origin}: {explained(error)}") from error
        remedy = (
            f"pip install '{origin.package}=={origin.version}'"
            if origin.package
            else f"install what holds the module {origin.module}"
        )
        raise ConfigError(
            f"{what} comes from {origin}, which is not installed: {remedy}, or give a file that has it with --plugin "
            "FILE."
        ) from None
    except (Exception, SystemExit) as error:  # a module may raise anything on import
        raise ConfigError(f"{what} comes from {origin}: {explained(error)}") from error


def _may_be_imported(module: str) -> bool:
    top = module.partition(".")[0]
    return module in sys.modules or _package_of(top) is not None or is_module_given(module)


def recall_parts(folder: Path, names: Mapping[str, Any]) -> None:
    """Import those of a run's parts that a configuration names; see :func:`recall`.

    Args:
        folder: of a run, or any other, which remembers nothing.
        names: name of the part by its kind.
    """
    for origin in remembered(folder):
        if names.get(origin.kind) == origin.name:
            recall(origin, f"the run at {folder}")


def remembered(folder: Path) -> list[Origin]:
    """Where the parts of the run in a folder came from; nothing where no run is or its run.json is damaged."""
    try:
        return [origin_from(stored) for stored in read_json(folder / "run.json")["parts"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def origin_from(stored: Mapping[str, Any]) -> Origin:
    """An origin from its JSON, which a later version may have written."""
    known = {field.name for field in fields(Origin)}
    return Origin(**{key: value for key, value in stored.items() if key in known})


def change(then: Iterable[Origin]) -> str | None:
    """The first part that comes from another source now, as a clause; None where all are the same."""
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
    """A part on its way to another process, with the source of a plugin that is a file, as it was loaded here."""

    origin: Origin
    source: bytes | None

    @classmethod
    def of(cls, origin: Origin) -> Parcel:
        """Pack a registered part."""
        plugin = plugin_of(origin.kind, origin.name)
        return cls(origin, plugin.source if plugin else None)

    def unpack(self) -> None:
        """Register the part in this process. Raises ``ConfigError`` where it cannot be imported or is another one."""
        if self.source is not None and self.origin.file is not None:
            load_source(Path(self.origin.file), self.source)
            return
        recall(self.origin, "this job")
        if (what := change([self.origin])) is not None:
            raise ConfigError(f"{what}: run the command again.")
