"""Turns users and items of a bundle into rows for PostgreSQL's binary copy."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl

from darec.export.bundle import Bundle
from darec.listing.fields import OWN
from darec.types import FloatArray

ITEM_TYPES: Final = ("int4", "text", "text", "text", "text", "jsonb", "int4")
USER_TYPES: Final = ("int4", "text")
_ROWS: Final = 5_000


class Rows:
    """Yields rows of a bundle.

    Args:
        bundle: the bundle.

    Attributes:
        replaced: number of characters so far, in titles, texts and fields, that PostgreSQL cannot hold.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.replaced = bundle, 0

    def users(self) -> Iterator[tuple[Any, ...]]:
        """Yield number and id of each user."""
        yield from enumerate(self.bundle.users.texts)

    def items(self) -> Iterator[tuple[Any, ...]]:
        """Yield number, id, name on screen, title, text, fields, and place among equal scores of each item."""
        from psycopg.types.json import Jsonb

        bundle = self.bundle
        own = bundle.fields.columns(OWN)
        others = bundle.fields.columns([name for name in bundle.fields.types if name not in OWN])
        rows = zip(
            own.iter_rows(),
            bundle.titles,
            others.iter_rows(named=True) if others.width else ({} for _ in range(len(own))),
            bundle.scorer.ties.tolist(),
            strict=True,
        )
        for number, ((item, title, text), shown, fields, place) in enumerate(rows):
            known = {name: self._json(one) for name, one in fields.items() if one is not None}
            texts = (self._text(one) for one in (shown, title, text))
            yield number, item, *texts, Jsonb(known, _dumps), place

    def _text(self, text: str | None) -> str | None:
        if text is None or "\0" not in text:
            return text
        self.replaced += text.count("\0")
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def _json(self, value: Any) -> Any:
        """Return a value that JSON can hold. Other numbers become texts, which PostgreSQL reads as those numbers."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        if isinstance(value, dict):
            return {self._text(name): self._json(one) for name, one in value.items()}
        if isinstance(value, list | tuple | pl.Series):
            return [self._json(one) for one in value]
        return value


def _dumps(value: Any) -> str:
    """Return JSON; dates and the like are text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def vectors(table: FloatArray) -> Iterator[bytes]:
    """Return each row in pgvector's binary form: its width and 0 as 16 bits each, then big-endian float32."""
    head = np.array([table.shape[1], 0], ">u2").tobytes()
    for start in range(0, len(table), _ROWS):
        for row in table[start : start + _ROWS].astype(">f4"):
            yield head + row.tobytes()
