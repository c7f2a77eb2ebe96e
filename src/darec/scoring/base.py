"""The contract of a scorer, which is the result of every run and the only thing that evaluation and serving use."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from scipy import sparse
from torch import Tensor

from darec.errors import DataError, RunError
from darec.files import json_value, write_atomic
from darec.scoring.ranking import Fill, Ranker
from darec.scoring.ties import tie_order
from darec.types import FloatArray, IntArray, Interactions

Arrays = Mapping[str, Tensor]


@dataclass(frozen=True)
class Term:
    """One summand of a score.

    Attributes:
        name: its origin: ``tables`` for an inner product, ``history`` for an item that the user has.
        value: its value.
        item: row of its item, or None.
    """

    name: str
    value: float
    item: int | None = None


@dataclass(frozen=True)
class Explanation:
    """A score as a sum.

    Attributes:
        score: score of the item for the user.
        terms: the terms whose sum it is, the largest in absolute value first.
    """

    score: float
    terms: tuple[Term, ...]


class Scorer(ABC):
    """Scores every item for every user.

    Attributes:
        n_users: U.
        n_items: I.
        ties: [I] order of items with equal scores (:func:`~darec.scoring.ties.tie_order`).
        kind: name of the class in saved files.
        trusted: whether its values are known to be finite, so that they are not checked before each ranking.

    Args:
        n_users: U.
        n_items: I.
        ties: order of items with equal scores. With None, rows serve as ids.
    """

    kind: ClassVar[str]

    def __init__(self, n_users: int, n_items: int, ties: IntArray | None) -> None:
        self.n_users, self.n_items = n_users, n_items
        self.trusted = False
        self.ties = tie_order(range(n_items)) if ties is None else np.asarray(ties, np.int64)
        if len(self.ties) != n_items:
            raise DataError(
                f"{len(self.ties)} places for ties and {n_items} items: give one an item."
            )

    @property
    def device(self) -> torch.device:
        """Device on which scores are computed."""
        return torch.device("cpu")

    @property
    def width(self) -> int:
        """Number of columns of the scored tables; 0 without tables."""
        return 0

    @abstractmethod
    def check(self) -> None:
        """Raise ``RunError`` if a score would be NaN or infinite."""

    @abstractmethod
    def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
        """Prepare the scores of [n] users for [m] items (None is all), which are written block by block.

        Args:
            users: rows.
            items: rows.
            width: number of columns of the blocks, at least m; columns after the m-th may have any values.

        Returns:
            ``f(start, stop, block)``, which fills ``block`` [stop - start, width] for ``users[start:stop]``.
        """

    @abstractmethod
    def for_histories(self, histories: sparse.csr_array) -> Self:
        """A scorer of n new users who are known by lists of items.

        Args:
            histories: [n, I] positive weights, 1 for a liked item.
        """

    @abstractmethod
    def explain(self, user: int, item: int) -> Explanation:
        """The score of one item for one user as a sum of terms."""

    @abstractmethod
    def similarities(self, items: IntArray) -> FloatArray:
        """[n, I] similarity of items to all items, including themselves."""

    @abstractmethod
    def arrays(self) -> dict[str, Tensor]:
        """The arrays for :meth:`from_arrays`, on the CPU; ``ties`` is stored separately."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays, about: Mapping[str, Any], ties: IntArray) -> Scorer:
        """The scorer from its :meth:`arrays` and :meth:`about`."""

    def item_vectors(self) -> FloatArray | None:
        """[I, d] vectors whose cosine is the similarity of items, or None."""
        return None

    def of_users(self, users: IntArray) -> Scorer | None:
        """The scorer of some users only, who become 0..n-1; None for one that has no part for each user.

        Args:
            users: [n] distinct rows.
        """
        return None

    def fingerprint(self) -> str:
        """Hash of the scorer, which is equal exactly if two scorers score and rank equally."""
        digest = hashlib.sha256(json.dumps({"kind": self.kind, **self.about()}).encode())
        for name, array in sorted({**self.arrays(), "ties": torch.from_numpy(self.ties)}.items()):
            digest.update(f"{name} {list(array.shape)} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array.numpy()).data)
        return digest.hexdigest()

    def about(self) -> dict[str, Any]:
        """Further values for :meth:`from_arrays`, as JSON."""
        return {}

    @torch.no_grad()
    def score(self, users: IntArray) -> FloatArray:
        """[n, I] float32 scores of [n] users for all items."""
        block = torch.empty(len(users), self.n_items, device=self.device)
        if len(users):
            self.fill(np.asarray(users, np.int64), None, self.n_items)(0, len(users), block)
        return cast(FloatArray, block.cpu().numpy())

    def score_histories(self, histories: sparse.csr_array) -> FloatArray:
        """[n, I] float32 scores for new users with histories [n, I]; see :meth:`for_histories`."""
        return self.for_histories(histories).score(np.arange(histories.shape[0]))

    def top_k(
        self,
        users: IntArray | None = None,
        k: int = 10,
        candidates: IntArray | None = None,
        exclude: Interactions | None = None,
        batch_size: int | None = None,
    ) -> tuple[IntArray, FloatArray]:
        """The ``k`` best items of each user, best first; see :class:`~darec.scoring.ranking.Ranker` for the errors.

        Args:
            users: [n] rows; None is all U.
            k: length of the lists.
            candidates: [m] rows of the items that may be listed; None is all I.
            exclude: pairs of U users and I items that are never listed.
            batch_size: number of users scored at once; None is a number that suits the device.

        Returns:
            [n, k] int64 rows of items and [n, k] float32 scores; -1 and minus infinity after the end of a shorter list.
        """
        ranker = Ranker(
            self.n_users,
            self.n_items,
            exclude,
            users=users,
            candidates=candidates,
            batch_size=batch_size,
        )
        ranked = ranker.rank(self, k)
        return ranked.items, ranked.scores

    def save(self, path: Path) -> None:
        """Write one safetensors file atomically."""
        write_atomic(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The content of the file that :meth:`save` writes."""
        arrays = {name: array.contiguous() for name, array in self.arrays().items()}
        arrays["ties"] = torch.from_numpy(self.ties)
        described = json.dumps({"kind": self.kind, **self.about()})
        return save(arrays, {"scorer": described})

    @staticmethod
    def from_bytes(data: bytes) -> Scorer:
        """The scorer from what :meth:`to_bytes` gave."""
        header = json_value(data[8 : 8 + int.from_bytes(data[:8], "little")].decode())
        about = json_value(header["__metadata__"]["scorer"])
        return _built(load(data), about)

    @staticmethod
    def load(path: Path) -> Scorer:
        """Read a file that :meth:`save` wrote. Raises ``RunError`` if it is missing or damaged."""
        try:
            with safe_open(path, "pt") as file:
                about = json_value(file.metadata()["scorer"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return _built(arrays, about)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise RunError(
                f"{path} has no scorer that this version of darec can read ({error})."
            ) from error


def _built(arrays: dict[str, Tensor], about: Mapping[str, Any]) -> Scorer:
    """The scorer of a file, from its arrays and its description."""
    from darec.scoring import KINDS

    ties = arrays.pop("ties").numpy()
    return KINDS[about["kind"]].from_arrays(arrays, about, ties)


def one_history(items: IntArray, n_items: int) -> sparse.csr_array:
    """[1, I] ones at the items that a user likes."""
    rows = np.zeros_like(items)
    return sparse.csr_array((np.ones(len(items), np.float32), (rows, items)), (1, n_items))


def check_rows(name: str, table: Tensor, size: int) -> None:
    """Raise ``DataError`` if a table has another shape and ``RunError`` if it has NaN or infinity."""
    if table.ndim != 2 or len(table) != size:
        raise DataError(
            f"the {name} table has shape {list(table.shape)} and the dataset {size} {name}s: "
            "use tables made from this dataset."
        )
    finite = table.isfinite()
    if not bool(finite.all()):
        row = int((~finite).any(dim=1).nonzero()[0])
        raise RunError(
            f"the {name} table has NaN or infinity in row {row}: training has diverged; "
            "lower the learning rate."
        )
