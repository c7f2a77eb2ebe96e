"""The names by which backbones, alignments and encoders are known. Adding a part to the package is one line here.

Entries are import paths, so that listing the names imports nothing. Parts from outside the package come in by
:meth:`Registry.add`, which a plugin calls (:mod:`darec.plugins`), or by an entry point of an installed package in the
group ``darec.backbones``, ``darec.alignments`` or ``darec.encoders``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

from darec.errors import ConfigError, did_you_mean, explained


class Registry:
    """Names of one kind of part, each with the class that implements it.

    Args:
        kind: what the parts are called in messages.
        base: ``"module:Class"`` that every part inherits.
        settings: ``"module:Class"`` that every part's ``Config`` inherits.
        paths: name -> ``"module:Class"`` of the package's own parts.

    Attributes:
        own: names of the package's own parts.
    """

    def __init__(self, kind: str, base: str, settings: str, paths: dict[str, str]) -> None:
        self.kind, self.base, self.settings = kind, base, settings
        self.own = frozenset(paths)
        self._parts: dict[str, str | type] = dict(paths)
        self._of_packages: dict[EntryPoint, type] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._registered(), *self.installed}))

    def __contains__(self, name: object) -> bool:
        return name in self._registered() or name in self.installed

    def get(self, name: str) -> Any:
        """The class registered under ``name``.

        Raises:
            ConfigError: an unknown name (with the nearest one), a name that two packages claim, or a part of an
                installed package that cannot be imported or is not one.
        """
        part, entry = self._registered().get(name), self.entry_point(name)
        if part is None and entry is None:
            raise ConfigError(f"unknown {self.kind} {name!r}: {self._nearest(name)}")
        if part is None:
            return self._of_package(name, cast(EntryPoint, entry))
        if entry is not None and not _same(entry, part):
            raise ConfigError(
                f"{self.kind} {name!r} of {package(entry)} is {self._owner(name)} already: give it another name "
                "there, or uninstall that package."
            )
        if isinstance(part, str):
            self._parts[name] = part = cast(type, _attribute(part))
        return part

    def add(self, name: str, part: type) -> None:
        """Register a class from outside the package.

        A class that is defined anew, as when the cell of a notebook runs again, replaces the earlier one.

        Raises:
            ConfigError: the name is taken, or the class is not a part of this kind.
        """
        self._check(name, part)
        known, entry = self._registered().get(name), self.entry_point(name)
        if known is not None and _path(known) != _path(part):
            raise ConfigError(f"{self.kind} {name!r} is {self._owner(name)}: choose another name.")
        if entry is not None and not _same(entry, part):
            raise ConfigError(f"{self.kind} {name!r} is of {package(entry)}: choose another name.")
        self._parts[name] = part

    @property
    def installed(self) -> Mapping[str, list[EntryPoint]]:
        """The entry points of installed packages, by name; more than one where packages claim the same name."""
        places = tuple((place, _changed(place)) for place in sys.path)
        return _found(f"darec.{self.kind}s", places)

    @property
    def added(self) -> dict[str, type]:
        """The classes that were added from outside the package, by name."""
        parts = self._parts.items()
        return {
            name: part for name, part in parts if name not in self.own and isinstance(part, type)
        }

    @added.setter
    def added(self, parts: Mapping[str, type]) -> None:
        own = {name: part for name, part in self._parts.items() if name in self.own}
        self._parts = {**own, **parts}

    def entry_point(self, name: str) -> EntryPoint | None:
        """The entry point of an installed package. Raises ``ConfigError`` where two packages claim the name."""
        entries = self.installed.get(name, [])
        if len({entry.value for entry in entries}) > 1:
            packages = " and ".join(sorted(package(entry) for entry in entries))
            raise ConfigError(
                f"{self.kind} {name!r} comes from {packages}: uninstall all but one of them."
            )
        return entries[0] if entries else None

    def _registered(self) -> dict[str, str | type]:
        """The package's own parts and those that were added, by the plugins of the environment too."""
        from darec.plugins import load_environment

        load_environment()
        return self._parts

    def _of_package(self, name: str, entry: EntryPoint) -> type:
        """The class that an entry point stands for."""
        if entry not in self._of_packages:
            try:
                part = entry.load()
                self._check(name, part)
            except (Exception, SystemExit) as error:  # a module may raise anything on import
                raise ConfigError(
                    f"{self.kind} {name!r} of {package(entry)}: {explained(error)}"
                ) from error
            self._of_packages[entry] = part
        return self._of_packages[entry]

    def _owner(self, name: str) -> str:
        from darec.plugins import plugin_of

        if name in self.own:
            return "one of darec's own"
        plugin = plugin_of(self.kind, name)
        return f"registered by {plugin.name if plugin else _path(self._parts[name])}"

    def _nearest(self, name: str) -> str:
        clause = did_you_mean(name, self)
        if clause.startswith("choose"):
            clause = f"{clause.removesuffix('.')}, or give the file or module that it is in with --plugin."
        return clause

    def _check(self, name: str, part: object) -> None:
        """Raise ``ConfigError`` unless ``part`` is a class of this kind that can be built."""
        if not isinstance(part, type):
            raise ConfigError(f"{self.kind} {name!r} must be a class, not {part!r}.")
        base, settings = _attribute(self.base), _attribute(self.settings)
        what = f"{self.kind} {name!r}: {part.__name__}"
        if not issubclass(part, base):
            raise ConfigError(f"{what} must inherit {self.base.replace(':', '.')}.")
        config: Any = getattr(part, "Config", None)
        if settings not in getattr(config, "__mro__", ()):
            mine = f"{part.__name__}Config"
            generic = hasattr(base, "__class_getitem__")
            how = (
                f"class {part.__name__}({base.__name__}[{mine}])" if generic else f"Config = {mine}"
            )
            raise ConfigError(
                f"{what} has no settings: write '{how}', with a class {mine} that inherits "
                f"{self.settings.replace(':', '.')}."
            )
        missing = sorted(getattr(part, "__abstractmethods__", ()))
        if missing:
            raise ConfigError(f"{what} must define {', '.join(missing)}.")
        field = config.model_fields["name"] if "name" in settings.model_fields else None
        if (
            field
            and get_origin(field.annotation) is Literal
            and name not in get_args(field.annotation)
        ):
            raise ConfigError(
                f"{what} is registered as {name!r}, and its {config.__name__} must say so: write there "
                f"'name: Literal[{name!r}] = {name!r}'."
            )


def package(entry: EntryPoint) -> str:
    """Name and version of the package that an entry point is of."""
    return f"the package {entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _changed(place: str) -> float:
    """When a package was last installed or removed there."""
    try:
        return Path(place).stat().st_mtime
    except OSError:
        return 0.0


@lru_cache(maxsize=16)
def _found(group: str, places: object) -> dict[str, list[EntryPoint]]:
    """The entry points of all installed packages, by name; ``places`` says when to look again."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, []).append(entry)
    return found


def _attribute(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _path(part: str | type) -> str:
    return part if isinstance(part, str) else f"{part.__module__}:{part.__qualname__}"


def _same(entry: EntryPoint, part: str | type) -> bool:
    """Whether a package registers by an entry point what it also adds itself, perhaps from another of its modules."""
    module, _, name = _path(part).partition(":")
    return (entry.module.split(".")[0], entry.attr) == (module.split(".")[0], name)


BACKBONES = Registry(
    "backbone",
    "darec.backbones.base:Backbone",
    "darec.config:PartConfig",
    {
        "alpharec": "darec.backbones.alpharec:AlphaRec",
        "autocf": "darec.backbones.autocf:AutoCF",
        "dccf": "darec.backbones.dccf:DCCF",
        "dual": "darec.backbones.dual:Dual",
        "gccf": "darec.backbones.gccf:GCCF",
        "lightgcn": "darec.backbones.lightgcn:LightGCN",
        "mf": "darec.backbones.mf:MF",
        "sgl": "darec.backbones.sgl:SGL",
        "simgcl": "darec.backbones.simgcl:SimGCL",
        "xsimgcl": "darec.backbones.xsimgcl:XSimGCL",
    },
)

ALIGNMENTS = Registry(
    "alignment",
    "darec.alignments.base:Alignment",
    "darec.config:PartConfig",
    {
        "contrastive": "darec.alignments.contrastive:Contrastive",
        "darec": "darec.alignments.darec:DaRec",
        "direct": "darec.alignments.direct:Direct",
        "generative": "darec.alignments.generative:Generative",
        "kar": "darec.alignments.kar:KAR",
        "llminit": "darec.alignments.llminit:LLMInit",
        "none": "darec.alignments.none:NoAlignment",
    },
)

ENCODERS = Registry(
    "encoder",
    "darec.text.encoders.base:Encoder",
    "darec.text.encoders.base:EncoderConfig",
    {
        "file": "darec.text.encoders.file:FileEncoder",
        "minilm": "darec.text.encoders.minilm:MiniLMEncoder",
        "openai": "darec.text.encoders.openai:OpenAIEncoder",
        "sentence-transformers": "darec.text.encoders.sentence_transformers:SentenceTransformersEncoder",
        "tfidf": "darec.text.encoders.tfidf:TfidfEncoder",
    },
)


REGISTRIES = {registry.kind: registry for registry in (BACKBONES, ALIGNMENTS, ENCODERS)}


def inapplicable(backbone: str, alignment: str) -> str | None:
    """Why two registered parts cannot be combined, in one line; None where they can."""
    if ALIGNMENTS.get(alignment).needs_ids and not BACKBONES.get(backbone).has_ids:
        return (
            f"alignment {alignment!r} works on an id table and backbone {backbone!r} has none: "
            "choose another backbone or alignment."
        )
    return None
