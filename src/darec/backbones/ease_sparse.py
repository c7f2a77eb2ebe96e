"""EASE over a few hundred candidates for each item, for catalogues that are too large for a dense inverse.

Each column of EASE's item-item matrix (Steck 2019, arXiv 1905.03375) is a ridge regression of one item on all others.
Here it uses only a few others: the items that its users have most often, and the items nearest in text. The columns
then do not depend on one another, and time and memory grow in proportion to the number of items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from torch import Tensor

from darec.backbones.blocks import Blocks
from darec.backbones.closed_form import (
    ClosedForm,
    ClosedFormConfig,
    ClosedFormInputs,
    matrix_of,
    penalties,
)
from darec.dimensions import Choice, Range
from darec.errors import ConfigError
from darec.memory import require_memory
from darec.numerics.candidates import Candidates
from darec.numerics.gram import Gram, gram_bytes
from darec.numerics.structure import Structure
from darec.progress import counted
from darec.scoring import MatrixScorer
from darec.types import FloatArray, IntArray

_BLOCK: Final = 256  # number of items in a block, which a thread may lose if the run is killed

Columns = dict[str, Tensor]  # the columns of a block: numbers of entries, their rows, their values


class EASESparseConfig(ClosedFormConfig):
    """Settings of :class:`EASESparse`."""

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {"ridge": (100.0, 1000.0)}

    name: Literal["ease_sparse"] = "ease_sparse"
    """Name of the backbone."""
    ridge: Annotated[float | None, Range(1.0, 3000.0, log=True)] = None
    """Weight of the squared norm of B, lambda, as in ``ease``. With null, 100 or 1000 is chosen on the validation
    split."""
    candidates: Annotated[int, Choice(100, 200, 500)] = Field(500, ge=1)
    """Number of candidates for each item, the items that most of its users have; only these may predict it. If it is
    the number of items, the result is that of ``ease``."""
    text_candidates: Annotated[int, Choice(20, 50, 100, 200)] = Field(50, ge=0)
    """If an item has fewer than ``candidates`` candidates and the alignment gives a structure, this many items nearest
    in text are added. Above 32,768 items, only the 32,768 items with most users are searched."""
    entries: int | None = Field(None, ge=1)
    """Number of entries kept in each column of B, the largest in absolute value. With null, all are kept."""


class EASESparse(ClosedForm[EASESparseConfig]):
    """A sparse item-item matrix by ridge regression of every item on its candidates."""

    takes_structure = True

    def fit(self, inputs: ClosedFormInputs) -> MatrixScorer:
        """Solve for B column by column on all threads. Finished blocks are stored in the run's folder.

        Raises:
            ConfigError: there is too little memory, or a system is singular.
        """
        X = matrix_of(inputs.train)
        structure = inputs.structure or Structure()
        self._require_memory(X, structure, inputs.threads)
        problem = _Problem(self.config, X, structure)
        numbers = f"{self.config.model_dump_json()} {X.shape} {structure.share}"
        blocks = Blocks(inputs.folder, numbers, X.indptr, X.indices, *structure.tensors())
        found = _on_threads(problem, blocks, inputs.threads)
        return MatrixScorer(_assembled(list(found), X.shape[1]), X, inputs.ties)

    def _require_memory(self, X: sparse.csr_array, structure: Structure, threads: int) -> None:
        """Refuse a problem if X'X, the columns while they are joined, and the threads' systems exceed the memory."""
        n, config = X.shape[1], self.config
        counts, most = gram_bytes(X), min(config.candidates, n)
        near = config.text_candidates if structure.nearness else 0
        kept = most * n if most >= n - 1 else min(most * n, counts // 8 + near * n)
        if config.entries is not None:
            kept = min(kept, config.entries * n)
        require_memory(
            2 * counts + 3 * 8 * kept + threads * 3 * 8 * most**2,
            f"the item-item matrix of backbone 'ease_sparse' and the counts of {n:,} items",
            "lower backbone.candidates or backbone.entries, or import with a k-core that leaves fewer items",
        )


class _Problem:
    """The inputs of all columns, which all threads read."""

    def __init__(self, config: EASESparseConfig, X: sparse.csr_array, structure: Structure) -> None:
        self.n, self.entries, self.structure = X.shape[1], config.entries, structure
        self.lean, self.penalty = penalties(structure, config.ridge, self.n)
        self.gram = Gram(X)
        self.candidates = Candidates(
            self.gram, config.candidates, structure.nearness, config.text_candidates
        )

    def columns(self, items: range) -> Columns:
        """Solve the columns of some items."""
        places = np.full(self.n, -1, np.int32)
        rows, values = [], []
        for item, (candidates, shared) in zip(items, self.candidates.of(items), strict=True):
            solved = self._solve(item, candidates, shared, places)
            if self.entries is not None and len(solved) > self.entries:
                kept = np.sort(np.argpartition(-np.abs(solved), self.entries - 1)[: self.entries])
                candidates, solved = candidates[kept], solved[kept]
            rows.append(candidates.astype(np.int32))
            values.append(solved.astype(np.float32))
        return {
            "counts": torch.tensor([len(part) for part in rows]),
            "rows": torch.from_numpy(np.concatenate(rows)),
            "values": torch.from_numpy(np.concatenate(values)),
        }

    def _solve(
        self,
        item: int,
        candidates: IntArray,
        counts: FloatArray,
        places: NDArray[np.int32],
    ) -> NDArray[np.float64]:
        """The entries of a column at its candidates."""
        if not len(candidates):
            return np.zeros(0)
        at = torch.from_numpy(candidates)
        system = torch.from_numpy(self.gram.among(candidates, places))
        system.diagonal().add_(self.penalty[at])
        moments = torch.from_numpy(counts.astype(np.float64))
        structure = self.structure
        if structure.rows is not None:
            features = structure.rows[at]
            system += features @ features.T
            moments += features @ structure.rows[item]
        if structure.target is not None:
            moments += self.lean[at] * structure.target.column(at, item)
        factor, failed = torch.linalg.cholesky_ex(system)
        if int(failed):
            raise ConfigError(
                "the system of the item-item matrix is singular or not positive definite: raise the ridge."
            )
        solved = torch.cholesky_solve(moments[:, None], factor)[:, 0]
        if structure.added is not None:
            solved *= 1 - structure.share
            solved += structure.share * structure.added.column(at, item)
        return np.asarray(solved.numpy())


def _on_threads(problem: _Problem, blocks: Blocks, threads: int) -> Iterator[Columns]:
    """The columns block by block: blocks of an earlier run are read, and the others are solved by several threads."""
    starts = range(0, problem.n, _BLOCK)

    def one(start: int) -> Columns:
        number = start // _BLOCK
        found = blocks.load(number)
        if found is None:
            found = problem.columns(range(start, min(start + _BLOCK, problem.n)))
            blocks.save(number, found)
        return found

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        found = pool.map(one, starts)
        for _ in counted(starts, "solving the item-item matrix"):
            yield next(found)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _assembled(blocks: list[Columns], n: int) -> sparse.csr_array:
    """The columns as one [n, n] matrix in compressed sparse row format."""
    counts, rows, values = (
        np.concatenate([block[name].numpy() for block in blocks])
        for name in ("counts", "rows", "values")
    )
    starts = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csc_array((values, rows, starts), (n, n)).tocsr()
