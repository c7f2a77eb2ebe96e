"""The registered names of backbones, alignments and encoders. Adding a part to the package is one line here.

Entries are import paths, so that listing the names imports nothing. Parts from outside the package are added by
:meth:`Registry.add`, which a plugin calls (:mod:`darec.registry.plugins`), or by an entry point of an installed package
in the group ``darec.backbones``, ``darec.alignments`` or ``darec.encoders``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from typing import Any, cast

from darec.errors import ConfigError, did_you_mean, explained
from darec.registry.contract import attribute, check_part
from darec.registry.installed import entry_points_of, package


class Registry:
    """Names of one kind of part, each with the class that implements it.

    Args:
        kind: name of the kind in messages.
        bases: base classes as ``"module:Class"``; every part inherits from one of them.
        paths: name -> ``"module:Class"`` of the package's own parts.

    Attributes:
        own: names of the package's own parts.
    """

    def __init__(self, kind: str, bases: tuple[str, ...], paths: dict[str, str]) -> None:
        self.kind, self.bases = kind, bases
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
            ConfigError: the name is unknown (the error names the nearest one), two packages use the name, or the part
                of an installed package cannot be imported or is not a part.
        """
        part, entry = self._registered().get(name), self.entry_point(name)
        if part is None and entry is None:
            raise ConfigError(f"unknown {self.kind} {name!r}: {self._nearest(name)}")
        if part is None:
            return self._of_package(name, cast(EntryPoint, entry))
        if entry is not None and not _same(entry, part):
            raise ConfigError(
                f"{self.kind} {name!r} of {package(entry)} has the name of {self._owner(name)}: give it another "
                "name there, or uninstall that package."
            )
        if isinstance(part, str):
            self._parts[name] = part = cast(type, attribute(part))
        return part

    def add(self, name: str, part: type) -> None:
        """Register a class from outside the package.

        A class that is defined again, for example when the cell of a notebook runs again, replaces the earlier one.

        Raises:
            ConfigError: the name is taken, or the class is not a part of this kind.
        """
        check_part(self, name, part)
        known, entry = self._registered().get(name), self.entry_point(name)
        if known is not None and _path(known) != _path(part):
            raise ConfigError(f"{self.kind} {name!r} is {self._owner(name)}: choose another name.")
        if entry is not None and not _same(entry, part):
            raise ConfigError(f"{self.kind} {name!r} is of {package(entry)}: choose another name.")
        self._parts[name] = part

    @property
    def installed(self) -> Mapping[str, list[EntryPoint]]:
        """The entry points of installed packages, by name; several if packages use the same name."""
        return entry_points_of(f"darec.{self.kind}s")

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
        """The entry point of an installed package. Raises ``ConfigError`` if two packages use the name."""
        entries = self.installed.get(name, [])
        if len({entry.value for entry in entries}) > 1:
            packages = " and ".join(sorted(package(entry) for entry in entries))
            raise ConfigError(
                f"{self.kind} {name!r} comes from {packages}: uninstall all but one of them."
            )
        return entries[0] if entries else None

    def _registered(self) -> dict[str, str | type]:
        """The package's own parts and the added ones, including those of plugins in ``DAREC_PLUGINS``."""
        from darec.registry.plugins import load_environment

        load_environment()
        return self._parts

    def _of_package(self, name: str, entry: EntryPoint) -> type:
        """Load the class of an entry point."""
        if entry not in self._of_packages:
            try:
                part = entry.load()
                check_part(self, name, part)
            except (Exception, SystemExit) as error:  # a module may raise any error on import
                raise ConfigError(
                    f"{self.kind} {name!r} of {package(entry)}: {explained(error)}"
                ) from error
            self._of_packages[entry] = part
        return self._of_packages[entry]

    def _owner(self, name: str) -> str:
        from darec.registry.plugins import plugin_of

        if name in self.own:
            return "one of darec's own"
        plugin = plugin_of(self.kind, name)
        return f"registered by {plugin.name if plugin else _path(self._parts[name])}"

    def _nearest(self, name: str) -> str:
        clause = did_you_mean(name, self)
        if clause.startswith("choose"):
            clause = f"{clause.removesuffix('.')}, or give its file or module with --plugin."
        return clause


def _path(part: str | type) -> str:
    return part if isinstance(part, str) else f"{part.__module__}:{part.__qualname__}"


def _same(entry: EntryPoint, part: str | type) -> bool:
    """Whether a package registers by an entry point the same part that it adds itself, perhaps from another module."""
    module, _, name = _path(part).partition(":")
    return (entry.module.split(".")[0], entry.attr) == (module.split(".")[0], name)


BACKBONES = Registry(
    "backbone",
    ("darec.backbones.base:Backbone", "darec.backbones.closed_form:ClosedForm"),
    {
        "alpharec": "darec.backbones.alpharec:AlphaRec",
        "autocf": "darec.backbones.autocf:AutoCF",
        "dccf": "darec.backbones.dccf:DCCF",
        "dual": "darec.backbones.dual:Dual",
        "ease": "darec.backbones.ease:EASE",
        "ease_sparse": "darec.backbones.ease_sparse:EASESparse",
        "gccf": "darec.backbones.gccf:GCCF",
        "gfcf": "darec.backbones.gfcf:GFCF",
        "ials": "darec.backbones.ials:IALS",
        "itemknn": "darec.backbones.itemknn:ItemKNN",
        "lightgcn": "darec.backbones.lightgcn:LightGCN",
        "mf": "darec.backbones.mf:MF",
        "mmgf": "darec.backbones.mmgf:MMGF",
        "popular": "darec.backbones.popular:Popular",
        "sgl": "darec.backbones.sgl:SGL",
        "simgcl": "darec.backbones.simgcl:SimGCL",
        "turbocf": "darec.backbones.turbocf:TurboCF",
        "xsimgcl": "darec.backbones.xsimgcl:XSimGCL",
    },
)

ALIGNMENTS = Registry(
    "alignment",
    ("darec.alignments.base:Alignment",),
    {
        "additive": "darec.alignments.additive:Additive",
        "collective": "darec.alignments.collective:Collective",
        "contrastive": "darec.alignments.contrastive:Contrastive",
        "darec": "darec.alignments.darec:DaRec",
        "direct": "darec.alignments.direct:Direct",
        "generative": "darec.alignments.generative:Generative",
        "kar": "darec.alignments.kar:KAR",
        "l3ae": "darec.alignments.l3ae:L3AE",
        "llminit": "darec.alignments.llminit:LLMInit",
        "none": "darec.alignments.none:NoAlignment",
    },
)

ENCODERS = Registry(
    "encoder",
    ("darec.text.encoders.base:Encoder",),
    {
        "file": "darec.text.encoders.file:FileEncoder",
        "minilm": "darec.text.encoders.minilm:MiniLMEncoder",
        "openai": "darec.text.encoders.openai:OpenAIEncoder",
        "sentence-transformers": "darec.text.encoders.sentence_transformers:SentenceTransformersEncoder",
        "tfidf": "darec.text.encoders.tfidf:TfidfEncoder",
    },
)


REGISTRIES = {registry.kind: registry for registry in (BACKBONES, ALIGNMENTS, ENCODERS)}


def _shaped() -> list[str]:
    """Names of the backbones with an item-item matrix that text can shape."""
    return [name for name in BACKBONES if getattr(BACKBONES.get(name), "takes_structure", False)]


def inapplicable(backbone: str, alignment: str) -> str | None:
    """Why two registered parts cannot be combined, in one line; None if they can."""
    one, other = BACKBONES.get(backbone), ALIGNMENTS.get(alignment)
    if one.closed_form and not other.closed_form:
        return (
            f"alignment {alignment!r} needs training, but backbone {backbone!r} is solved in closed form: choose "
            "another backbone or alignment."
        )
    if one.closed_form and other.needs_text and not one.takes_structure:
        return (
            f"alignment {alignment!r} shapes an item-item matrix, but backbone {backbone!r} has none: choose "
            "another backbone or alignment."
        )
    if not one.closed_form and not other.trained:
        return (
            f"alignment {alignment!r} shapes an item-item matrix in closed form, but backbone {backbone!r} is "
            f"trained: choose backbone {' or '.join(map(repr, _shaped()))}, or another alignment."
        )
    if other.needs_ids and not one.has_ids:
        return (
            f"alignment {alignment!r} needs an id table, but backbone {backbone!r} has none: choose another "
            "backbone or alignment."
        )
    return None


def indivisible(backbone: str, alignment: str, shards: str = "columns") -> str | None:
    """Why several processes cannot train a pair, in one line; None where they can.

    Args:
        backbone: name of the backbone.
        alignment: name of the alignment.
        shards: how tables are divided, ``columns`` or ``rows``.
    """
    one, other = BACKBONES.get(backbone), ALIGNMENTS.get(alignment)
    if one.closed_form:
        if one.by_items and shards == "columns":
            return None
        if one.by_items:
            return f"backbone {backbone!r} is divided by items, not by rows: leave out --shards."
        return f"backbone {backbone!r} is solved in closed form, by one process: start one."
    for kind, name, part in (("backbone", backbone, one), ("alignment", alignment, other)):
        if not part.by_columns:
            return f"{kind} {name!r} cannot be trained by several processes: start one, or choose another {kind}."
        if shards == "rows" and not part.by_rows:
            return f"{kind} {name!r} cannot be divided by rows: leave out --shards, or choose another {kind}."
    return None
