"""Finds the reader of new texts: parts of the bundle, or an encoder that is installed."""

from __future__ import annotations

from typing import Any

from darec.errors import ConfigError, DarecError
from darec.export.bundle import VECTORS, Bundle
from darec.export.reader import TFIDF, Encode, TextReader
from darec.registry import ENCODERS
from darec.settings import validated


def reader_of(bundle: Bundle) -> TextReader | str:
    """Return the reader of new texts, or the reason why there is none."""
    about: dict[str, Any] = bundle.manifest.get("new_text") or {
        "why": "an earlier darec exported it."
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
    """Return the encoder that a bundle names. Raises ``ConfigError`` if it has changed or is not available."""
    name, _, argument = about["encoder"].partition(":")
    part = ENCODERS.get(name)
    config = validated(part.Config, about["options"], owner=f"encoder {name!r}")
    encoder = part(config, argument)
    if encoder.revision != about["revision"]:
        raise ConfigError(
            f"encoder {about['encoder']!r} differs from the one that made the bundle's vectors: install "
            "that one, or encode, train and export again."
        )
    encode: Encode = encoder.encode
    return encode
