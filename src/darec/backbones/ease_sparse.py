"""EASE over a few hundred candidates for each item, for catalogues that are too large for a dense inverse.

Each column of EASE's item-item matrix (Steck 2019, arXiv 1905.03375) is a ridge regression of one item on all others.
Here it uses only a few others: the items that its users have most often, and the items nearest in text. The columns
then do not depend on one another, and time and memory grow in proportion to the number of items.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors.torch import load, save
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
from darec.memory import require_memory
from darec.numerics.candidates import Candidates
from darec.numerics.gram import Gram, gram_bytes
from darec.numerics.inverse import factored
from darec.numerics.structure import Structure
from darec.processes import Group
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
    by_items = True

    def fit(self, inputs: ClosedFormInputs) -> MatrixScorer:
        """Solve for B column by column, on all threads of all processes. Finished blocks are in the run's folder.

        A column is solved by one thread, so that its values do not depend on how many threads or processes there are.

        Raises:
            ConfigError: there is too little memory, or a system is singular.
        """
        X = matrix_of(inputs.train)
        structure = inputs.structure or Structure()
        with inputs.group.agreeing():
            self._require_memory(X, structure, inputs.threads)
            problem = _Problem(self.config, X, structure)
        numbers = f"{self.config.model_dump_json()} {X.shape} {structure.share}"
        blocks = Blocks(inputs.folder, numbers, X.indptr, X.indices, *structure.tensors())
        found = _solved(problem, blocks, inputs.threads, inputs.group)
        return MatrixScorer(_assembled(found, X.shape[1]), X, inputs.ties)

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
        solved = torch.cholesky_solve(moments[:, None], factored(system))[:, 0]
        if structure.added is not None:
            solved *= 1 - structure.share
            solved += structure.share * structure.added.column(at, item)
        return np.asarray(solved.numpy())


def _solved(problem: _Problem, blocks: Blocks, threads: int, group: Group) -> list[Columns]:
    """The columns of all blocks, on the leader; nothing on the other processes.

    The leader reads the blocks of an earlier run. The other blocks are solved in turns: in a turn, each process solves
    one block, while its threads already solve those of the next turns. The leader collects and stores them.
    """
    numbers = range(-(-problem.n // _BLOCK))
    stored = {number: blocks.load(number) for number in numbers}
    found = {number: block for number, block in stored.items() if block is not None}
    todo = sorted(set(numbers).difference(group.told([*found])))
    turns = [todo[start : start + group.size] for start in range(0, len(todo), group.size)]

    def one(number: int) -> bytes:
        start = number * _BLOCK
        return save(problem.columns(range(start, min(start + _BLOCK, problem.n))))

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        own = pool.map(one, todo[group.rank :: group.size])
        for turn in counted(turns, "solving the item-item matrix"):
            with group.agreeing():
                mine = next(own, b"")
            for number, data in zip(turn, group.collected(mine), strict=False):
                blocks.save(number, data)
                found[number] = load(data)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
    return [found[number] for number in numbers] if group.leads else []


def _assembled(blocks: list[Columns], n: int) -> sparse.csr_array:
    """The columns as one [n, n] matrix in compressed sparse row format; an empty one without blocks."""
    if not blocks:
        return sparse.csc_array((n, n), dtype=np.float32).tocsr()
    counts, rows, values = (
        np.concatenate([block[name].numpy() for block in blocks])
        for name in ("counts", "rows", "values")
    )
    starts = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csc_array((values, rows, starts), (n, n)).tocsr()
