"""The order of items with equal scores: it is fixed and depends neither on row nor on popularity."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from darec.types import IntArray


def tie_order(ids: Iterable[object]) -> IntArray:
    """[I] place of each item among all. Of two items with equal scores, the one with the lower place comes first.

    Items are ordered by a hash of their ids. Their order therefore does not depend on their rows or on the order of the
    file.

    Args:
        ids: distinct ids, in row order; the text of each id is hashed.
    """
    texts = (str(identifier).encode(errors="surrogatepass") for identifier in ids)
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    order = np.frombuffer(digests, ">u8").argsort(kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places
