"""Columns of tables divided among threads that stand for processes, against the whole tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from darec.backbones.views import contrast_rows
from darec.config import resolve_config
from darec.processes import WHOLE, Columns, ElsewhereError, Group, Layout
from darec.registry import ALIGNMENTS, BACKBONES, inapplicable, indivisible
from darec.testing.divided import assert_divided_is_whole
from darec.testing.threads import together

DIM, BLOCKS, ROWS = 7, 2, 5


def table(rows: int = ROWS, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, BLOCKS * DIM, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("rows", [1, 2, ROWS])
def test_what_is_dealt_gathered_and_collected_is_the_table(size: int, rows: int) -> None:
    whole = table(rows)

    def work(group: Group) -> Tensor:
        columns = Columns(group, DIM)
        own = columns.own_columns(whole)
        assert own.shape == (rows, BLOCKS * (columns.stop - columns.start))
        assert columns.whole_width(own.shape[1]) == BLOCKS * DIM
        assert torch.equal(columns.gathered(own, "users"), whole)
        assert torch.equal(columns.everywhere(own, "users"), whole)
        collected = columns.collected(own, "users")
        assert (collected is not None) == group.leads
        if collected is not None:
            assert torch.equal(collected, whole)
        assert torch.equal(columns.handed(collected, own, "users"), own)
        every = torch.arange(rows)
        cuts = columns.cuts(every, "users")
        dealt, beside = columns.dealt(own, "users", [every], cuts, [every])
        assert torch.equal(dealt, columns.share(whole, cuts)) and torch.equal(beside, whole)
        return dealt

    assert torch.equal(torch.cat(together(work, size)), whole)


@pytest.mark.parametrize("rows", [1, ROWS])
def test_gradients_of_whole_rows_are_those_of_one_process(rows: int) -> None:
    """A loss of all rows, computed by shares; and one that all processes compute alike."""
    weights = table(rows, seed=1)

    def loss(columns: Layout, x: Tensor) -> Tensor:
        every = torch.arange(rows)
        cuts = columns.cuts(every, "users")
        pairs = columns.everywhere(x, "users")
        products = columns.dealt(x * 2, "users", [every], cuts)[0] @ pairs.T
        shared = columns.mean((products.sin() * columns.share(weights[:, :1], cuts)).mean(), cuts)
        return shared + (columns.gathered(x, "users") * weights).cos().sum()

    whole = table(rows).requires_grad_()
    loss(WHOLE, whole).backward()

    def work(group: Group) -> None:
        columns = Columns(group, DIM)
        own = columns.own_columns(table(rows)).requires_grad_()
        found = loss(columns, own)
        found.backward()
        torch.testing.assert_close(found, loss(WHOLE, whole), rtol=1e-12, atol=0)
        torch.testing.assert_close(
            own.grad, columns.own_columns(whole.grad), rtol=1e-12, atol=1e-14
        )

    together(work)


def test_unit_rows_and_their_gradient_are_those_of_whole_rows() -> None:
    weights, zero = table(seed=2), table()
    zero[1] = 0
    whole = zero.clone().requires_grad_()
    (F.normalize(whole, dim=1) * weights).sum().backward()

    def work(group: Group) -> None:
        columns = Columns(group, DIM)
        own = columns.own_columns(zero).requires_grad_()
        unit = columns.unit(own)
        torch.testing.assert_close(unit, columns.own_columns(F.normalize(zero, dim=1)))
        (unit * columns.own_columns(weights)).sum().backward()
        torch.testing.assert_close(
            own.grad, columns.own_columns(whole.grad), rtol=1e-12, atol=1e-14
        )

    together(work)


def test_a_network_that_all_hold_gets_the_gradient_of_all_columns() -> None:
    network = torch.nn.Linear(3, DIM).double()
    x = torch.randn(ROWS, 3, dtype=torch.float64)
    weights = torch.randn(ROWS, DIM, dtype=torch.float64)
    (network(x) * weights).sum().backward()

    def work(group: Group) -> None:
        columns = Columns(group, DIM)
        copy = torch.nn.Linear(3, DIM).double()
        copy.load_state_dict(network.state_dict())
        (
            columns.own_columns(columns.network(copy)(x)) * columns.own_columns(weights)
        ).sum().backward()
        torch.testing.assert_close(copy.weight.grad, network.weight.grad)
        torch.testing.assert_close(copy.bias.grad, network.bias.grad)

    together(work)


@pytest.mark.parametrize("among_all", [False, True])
@pytest.mark.parametrize("rows", [[3], [0, 2, 3]])
def test_contrast_is_that_of_whole_tables(among_all: bool, rows: list[int]) -> None:
    chosen, counts = torch.tensor(rows), torch.arange(1, len(rows) + 1)
    one, other = table(seed=3), table(seed=4)
    contrast = partial(contrast_rows, temperature=0.3, among_all=among_all)

    def work(group: Group) -> None:
        columns = Columns(group, DIM)
        parts = columns.own_columns(one), columns.own_columns(other)
        found = contrast(*parts, chosen, counts, layout=columns)
        torch.testing.assert_close(found, contrast(one, other, chosen, counts))

    together(work)


def test_bytes_sent_are_counted() -> None:
    def work(group: Group) -> list[int]:
        columns, sent = Columns(group, 8), [0]
        own = columns.own_columns(torch.zeros(10, 8))
        every = torch.arange(10)
        cuts = columns.cuts(every, "users")
        calls: list[Callable[[], object]] = [
            lambda: columns.summed(own),
            lambda: columns.gathered(own, "users"),
            lambda: columns.dealt(own, "users", [every], cuts),
            lambda: columns.collected(own, "users"),
        ]
        for call in calls:
            call()
            sent.append(group.sent)
        return [after - before for before, after in itertools.pairwise(sent)]

    # A sum passes on all but its own half, twice; all rows go to the other; half of the rows do; all go to the leader.
    assert together(work) == [[160, 160, 80, 0], [160, 160, 80, 160]]


def test_an_error_on_one_is_raised_on_all_and_named() -> None:
    def work(group: Group) -> str:
        try:
            with group.agreeing():
                if group.rank == 1:
                    raise ValueError("no such thing")
        except (ValueError, ElsewhereError) as error:
            return f"{type(error).__name__}: {error}"
        return "went on"

    said = ["ElsewhereError: process 1 of 3: no such thing", "ValueError: no such thing"]
    assert together(work, 3) == [said[0], said[1], said[0]]


@pytest.mark.parametrize("inside", [True, False])
def test_what_is_agreed_on_is_agreed_on_once(inside: bool) -> None:
    """Of a block within a block, where one process may not get as far as the inner one."""

    def work(group: Group) -> str:
        try:
            with group.agreeing():
                if group.leads and not inside:
                    raise ValueError("outside")
                with group.agreeing():
                    if group.leads and inside:
                        raise ValueError("inside")
        except (ValueError, ElsewhereError) as error:
            group.told(None)  # they still understand each other
            return f"{type(error).__name__}: {error}"
        return "went on"

    where = "inside" if inside else "outside"
    assert together(work) == [f"ValueError: {where}", f"ElsewhereError: process 0 of 2: {where}"]


def test_values_and_tensors_of_the_leader_reach_all() -> None:
    tensors = {"a": torch.arange(6).view(2, 3), "b": torch.tensor(0.5), "c": torch.empty(0, 2)}

    def work(group: Group) -> None:
        assert group.told({"rank": group.rank}) == {"rank": 0}
        assert group.everyone("x" * group.rank) == ["", "x", "xx"]
        collected = group.collected(b"x" * group.rank)
        assert collected == ([b"", b"x", b"xx"] if group.leads else [])
        found = group.dealt(tensors if group.leads else {})
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], x) for name, x in tensors.items())

    together(work, 3)


def test_three_processes_learn_what_one_learns() -> None:
    """Of each kind of loss and of what is read of the columns; the suites do all pairs with two."""
    for backbone, alignment, loss in (
        ("gccf", "darec", "softmax"),
        ("sgl", "none", "bpr"),
        ("dccf", "none", "softmax"),
        ("dual", "kar", "softmax"),
    ):
        parts = {"backbone": {"name": backbone, "dim": 7}, "alignment": alignment, "loss": loss}
        together(partial(assert_divided_is_whole, resolve_config(parts)), 3)


def test_which_parts_cannot_be_divided_is_known() -> None:
    trained = [name for name in BACKBONES.own if not BACKBONES.get(name).closed_form]
    for shards, names in {"columns": {"autocf"}, "rows": {"autocf", "dccf"}}.items():
        refused = {
            (backbone, alignment): reason
            for backbone in trained
            for alignment in ALIGNMENTS.own
            if not inapplicable(backbone, alignment)
            and (reason := indivisible(backbone, alignment, shards))
        }
        assert {backbone for backbone, _ in refused} == names
        for (backbone, _), reason in refused.items():
            remedy = "leave out --shards" if backbone == "dccf" else "start one"
            assert f"'{backbone}'" in reason and remedy in reason
    solved = {name for name in BACKBONES.own if BACKBONES.get(name).closed_form}
    whole = {name: reason for name in solved if (reason := indivisible(name, "none"))}
    assert solved - set(whole) == {"ease_sparse"}
    assert all("closed form, by one process" in reason for reason in whole.values())
    assert "leave out --shards" in (indivisible("ease_sparse", "none", "rows") or "")
