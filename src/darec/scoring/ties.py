"""Who comes first among items of equal score: a fixed order that neither row nor popularity decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from darec.types import IntArray


def tie_order(ids: Iterable[object]) -> IntArray:
    """[I] place of each item among all: of two items with equal scores, the one with the lower place comes first.

    Items are ordered by a hash of their ids, so two items keep their order whatever rows they have and however the file
    that they came from was sorted.

    Args:
        ids: distinct ids, in row order; each counts as its text.
    """
    texts = (str(identifier).encode(errors="surrogatepass") for identifier in ids)
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    order = np.frombuffer(digests, ">u8").argsort(kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places
