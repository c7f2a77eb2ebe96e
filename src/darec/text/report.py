"""What an encoding tells."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from darec.text.encoding import Encoding
from darec.text.users import TextVectors


@dataclass(frozen=True, repr=False)
class EncodeReport:
    """What an encoding did. Counts of texts are of distinct ones.

    Attributes:
        encoder: as given.
        source: as given.
        revision: of the encoder's weights.
        path: the store's folder; None for a dataset that is not on disk.
        items: I.
        users: users looked for in the user texts; 0 where users are pooled from their items.
        texts: distinct texts that have a vector.
        new: of these, encoded now.
        reused: of these, taken from the store or from an interrupted run.
        missing_items: items without a vector, which get the mean.
        missing_users: users without text, where there are user texts.
        dim: d_L.
        precision: of the numbers on disk.
        truncated: texts that the encoder cuts; None: it does not count tokens.
        limit: tokens after which it does; None: never, or not counted.
        explained: share of the variance that PCA keeps; None without PCA.
        shard: as ``2/8``; None: the whole.
        seconds: time of the whole call.
        texts_per_second: new texts over the time spent in encoding.
        notices: what was dropped, capped or assumed, one sentence each.
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
        """All but the vectors, fit for JSON."""
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
    """The report of an encoding that is done; arguments as in :class:`EncodeReport`."""
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
