"""Users divided among processes: the lists, and so the figures, of one process."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from darec.errors import RunError
from darec.evaluation.evaluate import Evaluator, validator
from darec.evaluation.shared import SharedRanking
from darec.processes import Group
from darec.scoring import AddedScorer, MatrixScorer, PopularityScorer, Scorer, TableScorer
from darec.scoring.niche import Niche
from darec.testing.threads import together
from darec.testing.worlds import tiny_dataset
from darec.types import Tables

DATA = tiny_dataset()
USERS = np.flatnonzero(DATA.valid.user_degree)
U, N = DATA.n_users, DATA.n_items
DRAWS = torch.Generator().manual_seed(0)
TABLES = TableScorer(
    Tables(torch.randn(U, 6, generator=DRAWS), torch.randn(N, 6, generator=DRAWS)),
    DATA.items.tie_order,
)
POPULARITY = PopularityScorer(
    U,
    torch.from_numpy(DATA.train.item_degree).float(),
    DATA.items.tie_order,
    Niche(3.0, 3.0),
    torch.arange(U) % 3 == 0,
)
WEIGHTS = np.random.default_rng(0).uniform(-4, 1, (N, N)).clip(0).astype(np.float32)
MATRIX = MatrixScorer(
    sparse.csr_array(WEIGHTS),
    sparse.csr_array((np.ones(len(DATA.train), np.float32), (DATA.train.users, DATA.train.items))),
    DATA.items.tie_order,
)
SCORERS: dict[str, Scorer] = {
    "tables": TABLES,
    "popularity": POPULARITY,
    "added": AddedScorer([TABLES, POPULARITY], [1.0, 0.3]),
}


def evaluator(sharing: SharedRanking | None = None) -> Evaluator:
    made = validator(DATA, 5)
    made.sharing = sharing
    return made


@pytest.mark.parametrize("size", [2, 3])
def test_figures_of_several_processes_are_those_of_one(size: int) -> None:
    """Several evaluations in one block, whose number the others do not know."""

    def work(group: Group) -> list[object]:
        sharing, found = SharedRanking(USERS, DATA.train, group), []
        with sharing.open():
            if group.leads:
                found = [evaluator(sharing).evaluate(one) for one in SCORERS.values()]
        assert group.everyone(group.rank) == [*range(size)]  # all go on in step
        return found

    leader, *others = together(work, size)
    assert others == [[]] * (size - 1)
    for scorer, found in zip(SCORERS.values(), leader, strict=True):
        alone = evaluator().evaluate(scorer)
        assert found.problem == alone.problem
        assert found.per_user.keys() == alone.per_user.keys()
        for name, values in alone.per_user.items():
            np.testing.assert_array_equal(found.per_user[name], values)
        assert found.summary() == alone.summary()


def test_there_may_be_more_processes_than_users() -> None:
    few = USERS[:2]

    def work(group: Group) -> object:
        sharing = SharedRanking(few, DATA.train, group)
        ranked = None
        with sharing.open():
            if group.leads:
                ranked = sharing.rank(TABLES, 3)
        return ranked

    found = together(work, 3)[0]
    assert found.items.shape == (2, 3)
    np.testing.assert_array_equal(found.items, TABLES.top_k(few, 3, exclude=DATA.train)[0])


def test_what_has_no_part_for_each_user_is_ranked_by_the_leader() -> None:
    both = AddedScorer([TABLES, MATRIX], [1.0, 1.0])
    assert MATRIX.of_users(USERS) is None and both.of_users(USERS) is None

    def work(group: Group) -> object:
        sharing = SharedRanking(USERS, DATA.train, group)
        assert not group.leads or sharing.rank(TABLES, 5) is None, "it is not open"
        with sharing.open():
            if group.leads:
                assert sharing.rank(both, 5) is None
                return evaluator(sharing).evaluate(both).summary()
        return None

    assert together(work)[0] == evaluator().evaluate(both).summary()


def test_scores_that_are_not_finite_are_refused_by_the_row_of_the_whole_table() -> None:
    rows = TABLES.tables.users.clone()
    rows[U - 1] = float("nan")
    broken = TableScorer(Tables(rows, TABLES.tables.items))

    def work(group: Group) -> None:
        sharing = SharedRanking(USERS, DATA.train, group)
        with sharing.open():
            if group.leads:
                sharing.rank(broken, 5)

    with pytest.raises(RunError, match=f"NaN or infinity in row {U - 1}"):
        together(work)


@pytest.mark.parametrize("name", SCORERS)
def test_a_scorer_of_some_users_scores_them_as_before(name: str) -> None:
    scorer, few = SCORERS[name], np.array([7, 2, 30])
    part = scorer.of_users(few)
    assert part is not None and part.n_users == 3
    np.testing.assert_array_equal(part.score(np.arange(3)), scorer.score(few))
    again = Scorer.from_bytes(part.to_bytes())
    assert again.fingerprint() == part.fingerprint()
