"""What a bundle reads new texts by: its own parts, or an encoder that is installed here."""

from __future__ import annotations

from typing import Any

from darec.errors import ConfigError, DarecError
from darec.export.bundle import VECTORS, Bundle
from darec.export.reader import TFIDF, Encode, TextReader
from darec.registry import ENCODERS
from darec.settings import validated


def reader_of(bundle: Bundle) -> TextReader | str:
    """What reads new texts, or why nothing does."""
    about: dict[str, Any] = bundle.manifest.get("new_text") or {
        "why": "it was exported by an earlier darec."
    }
    if "why" in about:
        return f"this bundle reads no new texts: {about['why']}"
    try:
        encoder = None if about["encoder"] == TFIDF else _encoder(about)
        return TextReader(bundle.path, about, bundle.item_vectors(), encoder)
    except DarecError as error:
        return f"new texts cannot be read here: {error}"


def has_vectors(bundle: Bundle) -> bool:
    """Whether a bundle holds language vectors of its items."""
    return VECTORS in bundle.manifest["files"]


def _encoder(about: dict[str, Any]) -> Encode:
    """The encoder that a bundle names. Raises ``ConfigError`` where it is another by now, or is not to be had."""
    name, _, argument = about["encoder"].partition(":")
    part = ENCODERS.get(name)
    config = validated(part.Config, about["options"], owner=f"encoder {name!r}")
    encoder = part(config, argument)
    if encoder.revision != about["revision"]:
        raise ConfigError(
            f"encoder {about['encoder']!r} is another than the one that the bundle's vectors were made by: install "
            "that one, or encode, train and export again."
        )
    encode: Encode = encoder.encode
    return encode
