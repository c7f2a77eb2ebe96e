"""The names by which backbones, alignments and encoders are known. Adding a part is one line here.

Entries are import paths, so that listing the names imports nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, cast

from darec.errors import ConfigError, did_you_mean


class Registry:
    """Names of one kind of part, each with the class that implements it.

    Args:
        kind: what the parts are called in messages.
        paths: name -> ``"module:Class"``.
    """

    def __init__(self, kind: str, paths: dict[str, str]) -> None:
        self.kind = kind
        self._parts: dict[str, str | type] = dict(paths)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._parts))

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def get(self, name: str) -> Any:
        """The class registered under ``name``. Raises ``ConfigError`` naming the nearest name."""
        if name not in self._parts:
            raise ConfigError(f"unknown {self.kind} {name!r}: {did_you_mean(name, self._parts)}")
        part = self._parts[name]
        if isinstance(part, str):
            module, _, attribute = part.partition(":")
            part = cast(type, getattr(importlib.import_module(module), attribute))
            self._parts[name] = part
        return part

    def add(self, name: str, part: type) -> None:
        """Register a class from outside the package. Raises ``ConfigError`` if the name is taken."""
        if name in self._parts:
            raise ConfigError(f"{self.kind} {name!r} is registered already: choose another name.")
        self._parts[name] = part


BACKBONES = Registry(
    "backbone",
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
    {
        "file": "darec.text.encoders.file:FileEncoder",
        "minilm": "darec.text.encoders.minilm:MiniLMEncoder",
        "openai": "darec.text.encoders.openai:OpenAIEncoder",
        "sentence-transformers": "darec.text.encoders.sentence_transformers:SentenceTransformersEncoder",
        "tfidf": "darec.text.encoders.tfidf:TfidfEncoder",
    },
)


def inapplicable(backbone: str, alignment: str) -> str | None:
    """Why two registered parts cannot be combined, in one line; None where they can."""
    if ALIGNMENTS.get(alignment).needs_ids and not BACKBONES.get(backbone).has_ids:
        return (
            f"alignment {alignment!r} works on an id table and backbone {backbone!r} has none: "
            "choose another backbone or alignment."
        )
    return None
