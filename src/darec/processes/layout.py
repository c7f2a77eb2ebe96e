"""How tables are divided among processes, as backbones, alignments and losses see it.

There are two layouts of several processes: :class:`~darec.processes.columns.Columns` gives each process some columns of
every row, and :class:`~darec.processes.rows.Rows` all columns of some rows. Both fill the contract of :class:`Layout`,
which is itself the layout of one process: nothing is divided, and every method returns its input at no cost.

A batch is divided into shares, one for each process. A loss that needs whole rows gets those of the process's share
(:meth:`Layout.dealt`), is computed as one process would compute it, and the parts are summed (:meth:`Layout.mean`).

All processes have the same losses, and each computes the gradient of the whole loss with respect to its own part of the
tables. So the backward pass of a sum over processes does not change the gradient, since every process has all of it.
Tensors that are the same on all processes but used differently by each (:meth:`Layout.shared`) have their gradients
summed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from darec.processes import sums
from darec.processes.fetching import Fetch
from darec.processes.group import ALONE, Group
from darec.types import Batch, Interactions, Tables

Kind = Literal["users", "items", "entities"]
"""The kind of a table's rows; entities are users and then items."""


class Layout:
    """The layout of one process, and what all layouts have in common.

    Args:
        group: the processes.

    Attributes:
        name: ``columns`` or ``rows``, as ``--shards`` has it.
        deals_pairs: whether a process has only the training pairs of its own users.
    """

    name: ClassVar[str] = "whole"
    deals_pairs: ClassVar[bool] = False

    def __init__(self, group: Group = ALONE) -> None:
        self.group = group

    @property
    def divided(self) -> bool:
        """Whether there are several processes."""
        return self.group.size > 1

    # Tables and their parts.

    def own_columns(self, x: Tensor) -> Tensor:
        """The columns of this process, of [n, b d] whole rows."""
        return x

    def own_rows(self, x: Tensor, of: Kind, start: int = 0) -> Tensor:
        """The rows of this process, of rows ``start`` to ``start + len(x)`` of a whole table."""
        return x

    def own(self, x: Tensor, of: Kind) -> Tensor:
        """This process's part of a whole table."""
        return self.own_columns(self.own_rows(x, of))

    def mapped(self, network: nn.Module, x: Tensor, of: Kind) -> Tensor:
        """This process's part of ``network(x)``, for a network and a table that all processes have."""
        return self.own_columns(self.network(network)(self.own_rows(x, of)))

    def places(self, rows: Tensor, of: Kind) -> Tensor:
        """The positions of rows in this process's part of a table; rows of other processes are left out."""
        return rows

    def blocks(self, n_users: int, n_items: int) -> tuple[slice, slice]:
        """The users and the items whose rows this process has."""
        return slice(0, n_users), slice(0, n_items)

    def pairs(self, train: Interactions) -> Interactions:
        """The training pairs that this process draws from: all, or those of its own users with :attr:`deals_pairs`."""
        return train

    def whole_width(self, width: int) -> int:
        """Number of columns of a whole table, if this process has ``width`` of them."""
        return width

    def whole_shape(self, x: Tensor) -> torch.Size:
        """The shape of a whole table of entities, if this process has the part ``x``."""
        return x.shape

    def boundary(self, rows: NDArray[Any]) -> tuple[NDArray[Any], Fetch | None]:
        """The rows of other processes that a graph needs.

        Args:
            rows: [nnz] the entities to which the entries of this process's rows lead.

        Returns:
            [nnz] their positions in this process's part of a table, followed by the needed rows; and their fetch.
        """
        return rows, None

    # Shares of a batch.

    def cuts(self, rows: Tensor, of: Kind) -> list[int]:
        """Bounds of the processes' shares of a batch, [P + 1]; a share may be empty.

        Args:
            rows: [n] rows that the batch looks up, ascending.
            of: the kind of the rows.
        """
        n, size = len(rows), self.group.size
        return [n * rank // size for rank in range(size + 1)]

    def share(self, x: Tensor, cuts: Sequence[int]) -> Tensor:
        """This process's share of a tensor that is the same on all processes."""
        return x[cuts[self.group.rank] : cuts[self.group.rank + 1]] if self.divided else x

    def dealt(
        self,
        table: Tensor,
        of: Kind,
        rows: Sequence[Tensor],
        cuts: Sequence[int],
        beside: Sequence[Tensor] = (),
    ) -> list[Tensor]:
        """Whole rows for this process's share of a batch; differentiable.

        Args:
            table: this process's part.
            of: the kind of its rows.
            rows: of [n] rows each, the process gets those of its share.
            cuts: bounds of the shares.
            beside: further rows, all of which every process gets.

        Returns:
            A tensor for each of ``rows`` and then of ``beside``.
        """
        parts = [*rows, *beside]
        # One look-up, since each makes a dense table of gradients; index_select, since its backward is a third of
        # embedding's on a CPU.
        found = table.index_select(0, torch.cat(parts) if len(parts) > 1 else parts[0])
        return list(found.split([len(part) for part in parts]))

    def everywhere(self, table: Tensor, of: Kind, rows: Tensor | None = None) -> Tensor:
        """Whole rows, [n, b d], all of which each process uses for its share; None is all rows. Differentiable."""
        return table if rows is None else table.index_select(0, rows)

    def gathered(self, table: Tensor, of: Kind, rows: Tensor | None = None) -> Tensor:
        """Whole rows, [n, b d], which all processes use in the same way; None is all rows. Differentiable."""
        return table if rows is None else table.index_select(0, rows)

    def mean(self, mean: Tensor, cuts: Sequence[int], counts: Tensor | None = None) -> Tensor:
        """The mean over a batch, from the mean over this process's share.

        Args:
            mean: the mean over the share; not a number if the share is empty.
            cuts: bounds of the shares.
            counts: [n] how often each row counts; None: once.
        """
        if not self.divided:
            return mean
        rank = self.group.rank
        if cuts[rank] == cuts[rank + 1]:
            return self.summed(mean.nan_to_num(0.0) * 0)
        if counts is None:
            return self.summed(mean * ((cuts[rank + 1] - cuts[rank]) / cuts[-1]))
        weights = counts.to(mean.dtype)
        return self.summed(mean * (self.share(weights, cuts).sum() / weights.sum()))

    def mean_of_margins(
        self, loss: Callable[[Tensor], Tensor], tables: Tables, batch: Batch
    ) -> Tensor:
        """A loss that is a mean over the margins between each positive and its negative.

        Args:
            loss: a mean over [n] margins.
            tables: this process's part of [U, d] and [I, d].
            batch: with a negative for each positive.
        """
        cuts = self.cuts(batch.users, "users")
        (users,) = self.dealt(tables.users, "users", [batch.users], cuts)
        positives, negatives = self.dealt(
            tables.items, "items", [batch.items, batch.negatives], cuts
        )
        return self.mean(loss((users * (positives - negatives)).sum(1)), cuts)

    # Sums, and tensors that are the same on all processes.

    def summed(self, x: Tensor) -> Tensor:
        """The sum of a tensor over the processes; differentiable."""
        return sums.summed(x, self.group) if self.divided else x

    def shared(self, x: Tensor) -> Tensor:
        """A tensor that is the same on all processes, before each uses it for its part or share; differentiable."""
        return sums.shared(x, self.group) if self.divided else x

    def network(self, module: nn.Module) -> Callable[[Tensor], Tensor]:
        """A network that is the same on all processes, while each process uses its output for its own part or share."""
        if not self.divided:
            return module

        def apply(x: Tensor) -> Tensor:
            parameters = {name: self.shared(one) for name, one in module.named_parameters()}
            applied: Tensor = torch.func.functional_call(module, parameters, (x,))
            return applied

        return apply

    def unit(self, x: Tensor) -> Tensor:
        """Rows divided by the lengths of the whole rows; differentiable."""
        return F.normalize(x, dim=1)

    def joined(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """The parts of all processes, one after another; ``lengths``: the rows of each. No gradient."""
        return x

    # Whole tables, for files and evaluation.

    @torch.no_grad()
    def collected(self, x: Tensor, of: Kind) -> Tensor | None:
        """The whole table on the leader, from the parts of all processes; None on the others."""
        return x

    @torch.no_grad()
    def handed(self, x: Tensor | None, like: Tensor, of: Kind) -> Tensor:
        """This process's part of the leader's table.

        Args:
            x: the table on the leader; None on the others.
            like: a tensor with the shape, type and device of the result.
            of: the kind of its rows.
        """
        assert x is not None  # this process leads
        return x


WHOLE: Final = Layout()
"""The layout of a single process: nothing is divided."""
