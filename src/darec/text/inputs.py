"""Inputs of an encoding: the encoder, found by its name, and the text of each entity with its hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, Literal, cast

from darec.data.dataset import Dataset
from darec.errors import ConfigError, TextError, did_you_mean
from darec.ids.idmap import IdMap
from darec.registry import ENCODERS
from darec.settings import validated
from darec.text.encoders.base import Encoder, EncoderConfig
from darec.text.sources import read_texts

TEXT: Final = "text"
SOURCES: Final = (TEXT, "titles", "profiles")
"""Sources of text that are not files: the items' text, their titles, and profiles written by a language model."""


def make_encoder(
    spec: str, options: Mapping[str, Any] | None = None, *, device: str = "cpu"
) -> tuple[Encoder[Any], EncoderConfig]:
    """The encoder for ``NAME`` or ``NAME:ARGUMENT``, and its settings.

    Raises:
        ConfigError: the name or a setting is unknown (the error names the nearest one), or the argument is missing or
            not allowed.
    """
    name, colon, argument = spec.partition(":")
    part: type[Encoder[Any]] = ENCODERS.get(name)
    if part.argument_name is None and colon:
        raise ConfigError(f"encoder {name!r} takes no argument: write {name!r}, not {spec!r}.")
    if part.argument_name is not None and not argument:
        raise ConfigError(f"encoder {name!r} needs an argument: write {name}:{part.argument_name}.")
    config = validated(part.Config, options or {}, owner=f"encoder {name!r}")
    return part(config, argument, device=device), config


def store_name(encoder: str, source: str = TEXT) -> str:
    """The folder name for an encoder's vectors of one source of texts."""
    if source == TEXT:
        return slug(encoder)
    kind, _, _ = source.partition(":")
    return f"{slug(encoder)}@{slug(source if kind in SOURCES else f'file:{source}')}"


def slug(spec: str) -> str:
    """A folder name for an encoder: its name and, if it has an argument, the argument's end and hash."""
    name, _, argument = spec.partition(":")
    if not argument:
        return name
    end = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(argument).name)[:60]
    return f"{name}-{end}-{hashlib.sha256(argument.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Entities:
    """The users or the items of a dataset: ids and texts in row order.

    Attributes:
        kind: ``"item"`` or ``"user"``.
        ids: in the dataset's row order.
        texts: the texts for the encoder; None for an entity without text.
        keys: SHA-256 of each text in hexadecimal; None for an entity without text.
    """

    kind: Literal["item", "user"]
    ids: list[str]
    texts: list[str | None]
    keys: list[str | None]

    @classmethod
    def make(
        cls, kind: Literal["item", "user"], ids: Sequence[str], texts: Sequence[str | None]
    ) -> Entities:
        """Hash the texts; blank ones count as missing."""
        present = [text if text and text.strip() else None for text in texts]
        # JSON may contain unpaired surrogates; they are hashed unchanged.
        keys = [
            None
            if text is None
            else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            for text in present
        ]
        return cls(kind, list(ids), present, keys)

    def keep(self, wanted: Callable[[str], bool]) -> Entities:
        """The entities whose text has one of these hashes."""
        rows = [n for n, key in enumerate(self.keys) if key is not None and wanted(key)]
        columns = ([column[n] for n in rows] for column in (self.ids, self.texts, self.keys))
        return Entities(self.kind, *columns)  # type: ignore[arg-type]


def item_inputs(dataset: Dataset, reads: str, source: str = TEXT) -> Entities:
    """The input of the encoder for each item: its id, or its ``text`` or ``titles`` in the dataset."""
    if reads == "id":
        texts = dataset.items.texts
    else:
        texts = dataset.catalogue["title" if source == "titles" else "text"].to_list()
    return Entities.make("item", dataset.items.texts, texts)


def source_inputs(dataset: Dataset, source: str) -> list[Entities]:
    """Items and, if the source has texts about them, users, with texts that are not part of the dataset.

    Args:
        dataset: the dataset with the entities.
        source: ``profiles``, ``profiles:NAME``, or a JSONL file with ``item_id`` and ``text``.

    Raises:
        TextError: the source does not exist, or has no text about any item.
    """
    kind, _, name = source.partition(":")
    if kind == "profiles":
        from darec.text.profiles.published import read_profiles

        texts = read_profiles(dataset, name or None)
    elif not Path(source).suffix:
        raise TextError(
            f"no source of texts {source!r}: {did_you_mean(source, [*SOURCES, 'FILE.jsonl'])}"
        )
    else:
        texts = {"item": read_texts(Path(source), "item")}
    maps: dict[Literal["item", "user"], IdMap] = {"item": dataset.items, "user": dataset.users}
    groups = [
        Entities.make(kind, ids.texts, [texts[kind].get(identifier) for identifier in ids.texts])
        for kind, ids in maps.items()
        if kind in texts
    ]
    if not any(groups[0].keys):
        raise TextError(f"{source} has no text about any item of the dataset: check its ids.")
    return groups


def user_inputs(dataset: Dataset, texts: Mapping[str, str | None], place: str) -> Entities:
    """The texts of a dataset's users. Raises ``TextError`` if the dataset knows none of them."""
    found = [texts.get(user) for user in dataset.users.texts]
    if not any(user in texts for user in dataset.users.texts):
        raise TextError(
            f"none of the users in {place} ({', '.join(map(repr, list(texts)[:3]))}, ...) is in the dataset "
            f"({', '.join(map(repr, dataset.users.texts[:3]))}, ...): give the same ids as in the interactions."
        )
    return Entities.make("user", dataset.users.texts, cast(Sequence[str | None], found))
