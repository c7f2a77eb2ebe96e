"""Users and items of a bundle as rows, in what PostgreSQL's binary copy takes."""

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
    """Rows of a bundle.

    Args:
        bundle: the bundle.

    Attributes:
        replaced: characters so far that PostgreSQL cannot hold, in titles, texts and fields.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.replaced = bundle, 0

    def users(self) -> Iterator[tuple[Any, ...]]:
        """Number and id."""
        yield from enumerate(self.bundle.users.texts)

    def items(self) -> Iterator[tuple[Any, ...]]:
        """Number, id, what to call it, title, text, fields, and place among equal scores."""
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
        """A value as JSON can hold it; numbers that it cannot are texts, which PostgreSQL reads as those numbers."""
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
    """JSON, with dates and the like as text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def vectors(table: FloatArray) -> Iterator[bytes]:
    """Each row as pgvector's binary form: its width and nothing as 16 bits each, then big-endian float32."""
    head = np.array([table.shape[1], 0], ">u2").tobytes()
    for start in range(0, len(table), _ROWS):
        for row in table[start : start + _ROWS].astype(">f4"):
            yield head + row.tobytes()
