"""The report of an encoding."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from darec.text.encoding import Encoding
from darec.text.users import TextVectors


@dataclass(frozen=True, repr=False)
class EncodeReport:
    """The result of an encoding. Counts of texts are counts of distinct texts.

    Attributes:
        encoder: as given.
        source: as given.
        revision: of the encoder's weights.
        path: the store's folder; None for a dataset that is not on disk.
        items: I.
        users: number of users for whom user texts were read; 0 if users are pooled from their items.
        texts: number of distinct texts with a vector.
        new: how many of these were encoded now.
        reused: how many of these came from the store or from an interrupted run.
        missing_items: number of items without a vector, which get the mean.
        missing_users: number of users without text, if there are user texts.
        dim: d_L.
        precision: precision of the stored vectors.
        truncated: number of texts that the encoder cuts; None if it does not count tokens.
        limit: number of tokens after which it cuts; None if it does not cut or does not count.
        explained: share of the variance that PCA keeps; None without PCA.
        shard: the part, such as ``2/8``; None for all texts.
        seconds: duration of the whole call.
        texts_per_second: new texts per second of encoding.
        notices: sentences about dropped or cut texts and about assumptions.
        vectors: the vectors, rows in the dataset's order.
    """

    encoder: str
    source: str
    revision: str
    path: Path | None
    items: int
    users: int
    texts: int
    new: int
    reused: int
    missing_items: int
    missing_users: int
    dim: int
    precision: str
    truncated: int | None
    limit: int | None
    explained: float | None
    shard: str | None
    seconds: float
    texts_per_second: float
    notices: tuple[str, ...]
    vectors: TextVectors = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<EncodeReport of {self.encoder}: {self.texts:,} texts, {self.new:,} new, {self.dim} dimensions>"

    def to_dict(self) -> dict[str, Any]:
        """All attributes except the vectors, as values for JSON."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "vectors"}
        return {
            **values,
            "path": str(self.path) if self.path else None,
            "notices": list(self.notices),
        }


def report_of(
    encoding: Encoding,
    *,
    encoder: str,
    source: str,
    path: Path | None,
    shard: str | None,
    seconds: float,
) -> EncodeReport:
    """The report of a finished encoding; arguments as in :class:`EncodeReport`."""
    items, *users = encoding.groups
    vectors = encoding.vectors()
    return EncodeReport(
        encoder=encoder,
        source=source,
        revision=encoding.encoder.revision,
        path=path,
        items=len(items.ids),
        users=len(users[0].ids) if users else 0,
        texts=len(encoding.rows),
        new=encoding.n_new,
        reused=len(encoding.rows) - encoding.n_new,
        missing_items=int((~vectors.item_mask).sum()),
        missing_users=0 if vectors.user_mask is None else int((~vectors.user_mask).sum()),
        dim=encoding.table.shape[1],
        precision=str(encoding.dtype),
        truncated=encoding.truncated,
        limit=encoding.limit,
        explained=(encoding.reduction or {}).get("explained"),
        shard=shard,
        seconds=seconds,
        texts_per_second=encoding.n_new / encoding.seconds if encoding.n_new else 0.0,
        notices=(*encoding.notices, *encoding.encoder.notices),
        vectors=vectors,
    )
