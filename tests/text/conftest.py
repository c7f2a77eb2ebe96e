"""A small shop, and an encoder whose vectors are known and whose calls are counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from darec.data.dataset import Dataset
from darec.ids.idmap import IdMap
from darec.registry import ENCODERS
from darec.text.encoders.base import Encoder, EncoderConfig
from darec.types import Interactions

Pairs = Sequence[tuple[int, int]]
TEXTS = ["red wooden train", "blue wooden boat", "puzzle of a red boat", None, "  ", "board game"]


def build(
    texts: Sequence[str | None], train: Pairs, valid: Pairs = (), test: Pairs = ()
) -> Dataset:
    n_users, n_items = 4, len(texts)
    ids = [f"i{n}" for n in range(n_items)]
    splits = []
    for pairs in (train, valid, test):
        table = np.array(pairs, np.int64).reshape(-1, 2)
        splits.append(Interactions.from_pairs(table[:, 0], table[:, 1], n_users, n_items))
    catalogue = pl.DataFrame(
        {"item_id": ids, "title": [f"Title {n}" for n in range(n_items)], "text": list(texts)},
        schema={"item_id": pl.String, "title": pl.String, "text": pl.String},
    )
    users = IdMap("user", [f"u{n}" for n in range(n_users)])
    return Dataset(users, IdMap("item", ids), *splits, catalogue=catalogue)


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """Builds a dataset of users u0..u3 and one item a text, i0, i1, ..."""
    return build


@pytest.fixture
def shop() -> Dataset:
    """Six items, of which i3 and i4 have no text; u2 has only those in training, and u3 nothing."""
    return build(
        TEXTS, [(0, 0), (0, 1), (1, 1), (1, 2), (1, 3), (2, 3), (2, 4)], [(0, 2)], [(3, 5)]
    )


def fake_vector(text: str) -> np.ndarray:
    """Eight numbers that a text alone decides."""
    return (
        np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], np.uint8).astype(np.float32) + 1
    )


class FakeEncoder(Encoder[EncoderConfig]):
    """Reads each text by itself; `calls` holds every batch it was given."""

    calls: ClassVar[list[list[str]]] = []
    version: ClassVar[str] = "1"

    @property
    def revision(self) -> str:
        return self.version

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> np.ndarray:
        self.calls.append(list(texts))
        return np.stack([fake_vector(text) for text in texts])


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeEncoder]]:
    """The fake encoder, registered as ``fake``."""

    class Config(EncoderConfig):
        """One setting that counts."""

        shade: int = 0

    monkeypatch.setattr(FakeEncoder, "Config", Config)
    monkeypatch.setattr(FakeEncoder, "calls", [])
    monkeypatch.setitem(ENCODERS._parts, "fake", FakeEncoder)
    yield FakeEncoder
