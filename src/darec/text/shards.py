"""Encode in n parts, on machines that do not communicate, and join the parts.

The SHA-256 of a text decides its shard. So a shard can be computed without the others, equal texts are encoded once,
and a new text does not change the shard of any other. Shard 2 of 8 of ``text/minilm`` is a store of the same format in
``text/minilm.shards/2-of-8``, and can be resumed like any other. Machines without a common disk copy that folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darec.errors import ConfigError, TextError
from darec.text.store import Block, TextStore

if TYPE_CHECKING:
    from darec.text.encoding import Encoding


@dataclass(frozen=True)
class Shard:
    """The ``number``-th of ``of`` parts, from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse ``2/8``. Raises ``ConfigError``."""
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if match:
            number, of = map(int, match.groups())
            if 1 <= number <= of:
                return cls(number, of)
        raise ConfigError(f"shard {text!r}: write it like 2/8, the second of eight.")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.number}-of-{self.of}"

    def holds(self, key: str) -> bool:
        """Whether a text with this SHA-256 (hexadecimal) belongs to the shard."""
        return int(key[:16], 16) % self.of == self.number - 1


def shards_of(folder: Path) -> Path:
    """Folder of the shards of a store."""
    return folder.with_name(f"{folder.name}.shards")


def found_shards(folder: Path, file: str) -> list[tuple[Shard, Path]]:
    """The folders of all shards of a store, in order.

    Args:
        folder: folder of the store.
        file: a file that a shard's folder has when it can be merged.

    Raises:
        TextError: there are no shards, some are missing, or they have different numbers of parts.
    """
    place = shards_of(folder)
    found = {}
    for path in place.glob(f"*-of-*/{file}"):
        shard = Shard.parse(path.parent.name.replace("-of-", "/"))
        found[shard] = path.parent
    if not found:
        raise TextError(f"no shards in {place}: run the same command with --shard 1/N, 2/N, ...")
    numbers = sorted({shard.of for shard in found})
    if len(numbers) > 1:
        raise TextError(
            f"{place} has shards of {' and of '.join(map(str, numbers))}, which overlap: delete one set."
        )
    every = [Shard(number, numbers[0]) for number in range(1, numbers[0] + 1)]
    missing = [str(shard) for shard in every if shard not in found]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise TextError(
            f"{place} lacks shard {', '.join(missing[:5])}{more}: run the same command with "
            f"--shard {missing[0]}, or copy its folder there."
        )
    return [(shard, found[shard]) for shard in every]


def gather(folder: Path, encoding: Encoding) -> Sequence[Block]:
    """The vectors of all shards of an encoding.

    Raises:
        TextError: a shard is missing, is damaged, has other texts or settings, or has texts of another shard.
    """
    blocks = []
    for shard, place in found_shards(folder, "meta.json"):
        stored = TextStore(place).read()
        assert stored is not None  # its meta.json exists
        again = f"run the same command with --shard {shard} again."
        if stored.meta.get("shard") != str(shard):
            raise TextError(
                f"{place} has shard {stored.meta.get('shard')}, so two shards overlap: {again}"
            )
        if stored.meta["identity"] != encoding.identity:
            raise TextError(
                f"{place} was made with other settings or another version of the model: {again}"
            )
        block = stored.block()
        expected = {key for key in encoding.rows if shard.holds(key)}
        lacking = len(expected - set(block.keys))
        foreign = len(set(block.keys) - expected)
        if lacking or foreign:
            raise TextError(
                f"{place} lacks {lacking} texts of this dataset and holds {foreign} that are not in it, or not of "
                f"that shard: the texts have changed, or it is of another dataset; {again}"
            )
        if block.vectors.dtype.itemsize < encoding.dtype.itemsize and len(block.keys):
            raise TextError(
                f"{place} was kept as {block.vectors.dtype}, not {encoding.dtype}: {again}"
            )
        encoding.limit = encoding.limit or stored.meta.get("limit")
        blocks.append(block)
    return blocks
