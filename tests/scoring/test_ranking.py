"""Full ranking against a sort of the whole score matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.errors import ConfigError, DataError, RunError
from darec.scoring import Ranker, TableScorer, select, tie_order
from darec.scoring.ranking import Fill
from darec.types import IntArray, Interactions, Tables


def world(seed, n_users=9, n_items=40, dim=4, density=0.2, levels=None):
    """Tables and pairs to exclude; few ``levels`` of whole numbers give many tied scores."""
    rng = np.random.default_rng(seed)
    shapes = (n_users, dim), (n_items, dim)
    if levels:
        arrays = [rng.integers(-levels, levels + 1, shape).astype(np.float32) for shape in shapes]
    else:
        arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    users, items = np.nonzero(rng.random((n_users, n_items)) < density)
    exclude = Interactions.from_pairs(users, items, n_users, n_items)
    return Tables(*map(torch.from_numpy, arrays)), exclude


def top_k(tables, k, exclude, users=None, batch_size=None, candidates=None):
    """Lists by row where scores are equal, so that a sort can be compared with."""
    scorer = TableScorer(tables, np.arange(len(tables.items)))
    return scorer.top_k(users, k, candidates, exclude, batch_size)


def brute_force(tables, k, exclude, users, candidates):
    """Python's own sort by (score, then lower row) of what each user may be shown."""
    scores = (tables.users @ tables.items.T).numpy()
    lists = []
    for user in users:
        allowed = np.setdiff1d(candidates, exclude.of_user(user)).tolist()
        best = sorted(allowed, key=lambda i: (-scores[user, i], i))[:k]
        lists.append(best + [-1] * (k - len(best)))
    return np.array(lists).reshape(len(users), k)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_items=st.integers(1, 100) | st.integers(500, 900),  # few k of many items: two stages
    k=st.integers(1, 4) | st.integers(5, 12),
    density=st.sampled_from([0.0, 0.2, 0.97]),
    levels=st.sampled_from([None, 1, 3]),
    batch_size=st.sampled_from([1, 4, None]),
    subset=st.booleans(),
)
def test_equals_brute_force(seed, n_items, k, density, levels, batch_size, subset):
    tables, exclude = world(seed, n_items=n_items, density=density, levels=levels)
    rng = np.random.default_rng(seed)
    users = rng.permutation(9)[:5] if subset else None
    candidates = rng.permutation(n_items)[: max(1, n_items // 2)] if subset else None
    pool = np.arange(n_items) if candidates is None else candidates
    k = min(k, len(pool))
    items, scores = top_k(tables, k, exclude, users, batch_size, candidates)
    users = np.arange(9) if users is None else users
    np.testing.assert_array_equal(items, brute_force(tables, k, exclude, users, pool))
    assert items.dtype == np.int64 and scores.dtype == np.float32
    assert np.isneginf(scores[items < 0]).all()
    expected = (tables.users @ tables.items.T).numpy()[users[:, None], items]
    np.testing.assert_allclose(scores[items >= 0], expected[items >= 0], rtol=1e-4, atol=1e-5)


def test_wide_catalogue_is_searched_in_groups_without_loss():
    tables, exclude = world(3, n_users=60, n_items=5000, dim=8, density=0.01)
    items, scores = top_k(tables, 20, exclude)
    full = tables.users @ tables.items.T
    full[exclude.users, exclude.items] = -torch.inf
    expected = torch.topk(full, 20)
    np.testing.assert_array_equal(items, expected.indices.numpy())
    np.testing.assert_allclose(scores, expected.values.numpy(), rtol=1e-5)


def test_padding_of_the_groups_never_beats_negative_scores():
    tables = Tables(-torch.ones(2, 1), torch.linspace(1, 2, 501)[:, None])
    items, scores = top_k(tables, 2, None)
    assert items.tolist() == [[0, 1]] * 2 and (scores < 0).all()


def test_excluded_items_never_appear():
    tables, exclude = world(2, n_users=30, n_items=300, density=0.5)
    items, _ = top_k(tables, 50, exclude)
    assert (items >= 0).all()
    assert not exclude.contains(np.arange(30)[:, None], items).any()


def test_user_with_fewer_candidates_than_k_gets_a_short_list():
    exclude = Interactions.from_pairs(np.zeros(4, int), np.array([0, 1, 2, 4]), 2, 6)
    tables = Tables(torch.ones(2, 1), torch.arange(6.0)[:, None])
    items, scores = top_k(tables, 4, exclude)
    assert items.tolist() == [[5, 3, -1, -1], [5, 4, 3, 2]]
    assert scores[0].tolist() == [5, 3, -np.inf, -np.inf]


def test_equal_scores_fall_to_the_lower_place_on_both_sides_of_zero():
    zeros = Tables(torch.zeros(3, 2), torch.randn(5000, 2))
    assert (top_k(zeros, 10, None)[0] == np.arange(10)).all()
    signed_zeros = torch.tensor([[-1.0, -0.0, 0.0, -0.0, 0.0]])
    assert select(signed_zeros, 3, np.arange(5)).items.tolist() == [[1, 2, 3]]
    values = torch.tensor([-2.0, -1.0, -1.0, -3.0, 0.5, -1.0, 0.5])
    items, scores = top_k(Tables(torch.ones(1, 1), values[:, None]), 5, None)
    assert items.tolist() == [[4, 6, 1, 2, 5]]
    assert scores.tolist() == [[0.5, 0.5, -1, -1, -1]]


def test_ranker_serves_tables_that_change_and_want_gradients():
    tables, exclude = world(3, n_items=120)
    ranker = Ranker(9, 120, exclude)
    first = ranker.rank(TableScorer(tables), 5).items
    negated = TableScorer(Tables(-tables.users.requires_grad_(), tables.items))
    assert (ranker.rank(negated, 5).items != first).any()
    np.testing.assert_array_equal(ranker.rank(TableScorer(tables), 5).items, first)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n_items=st.sampled_from([12, 700]), k=st.integers(1, 6))
def test_renumbered_items_give_the_same_lists(seed, n_items, k):
    tables, exclude = world(seed, n_items=n_items, levels=1)
    ids = np.array([f"item {row}" for row in range(n_items)])
    moved = np.random.default_rng(seed).permutation(n_items)  # new row -> old row
    new_row = np.argsort(moved)
    items, _ = TableScorer(tables, tie_order(ids)).top_k(k=k, exclude=exclude)
    again, _ = TableScorer(Tables(tables.users, tables.items[moved]), tie_order(ids[moved])).top_k(
        k=k, exclude=Interactions.from_pairs(exclude.users, new_row[exclude.items], 9, n_items)
    )
    listed = items >= 0
    np.testing.assert_array_equal(again >= 0, listed)
    np.testing.assert_array_equal(ids[moved][again][listed], ids[items][listed])


def test_ties_are_not_settled_by_row():
    zeros = TableScorer(Tables(torch.zeros(1, 2), torch.randn(5000, 2)))
    items, _ = zeros.top_k(k=1000)
    assert 2300 < items.mean() < 2700
    assert items[0].tolist() == np.argsort(tie_order(range(5000)))[:1000].tolist()


def test_tie_order_is_fixed():
    assert tie_order(list("abcd")).tolist() == tie_order(list("dcba")).tolist()[::-1]
    assert tie_order([7, "8"]).tolist() == tie_order(["7", "8"]).tolist()
    assert tie_order([]).tolist() == []
    assert np.argsort(tie_order(range(8))).tolist() == [6, 2, 4, 0, 5, 3, 7, 1]


def test_lists_that_end_inside_a_tie_are_told():
    scores = torch.tensor(
        [[3.0, 2, 2, 1], [3, 2, 1, 1], [1, 1, 1, 1], [4, 3, -torch.inf, -torch.inf]]
    )
    ranked = select(scores, 3, np.arange(4))
    assert ranked.tied(1).tolist() == [False, False, True, False]
    assert ranked.tied(2).tolist() == [True, False, True, False]
    assert ranked.tied(3).tolist() == [False, True, True, False]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_gives_the_same_lists():
    tables, exclude = world(4, n_users=50, n_items=3000, levels=3)
    on_gpu = Tables(tables.users.to("cuda"), tables.items.to("cuda"))
    np.testing.assert_array_equal(top_k(on_gpu, 20, exclude)[0], top_k(tables, 20, exclude)[0])


def test_bad_input_is_refused_with_place_and_figures():
    tables, exclude = world(5)
    with pytest.raises(ConfigError, match=r"K = 41 .* 40 items"):
        top_k(tables, 41, exclude)
    with pytest.raises(ConfigError, match="K = 0"):
        top_k(tables, 0, exclude)
    with pytest.raises(ConfigError, match=r"K = 3 .* list of candidates.* 2 items"):
        top_k(tables, 3, exclude, candidates=np.array([1, 2, 2]))
    with pytest.raises(ConfigError, match="batch size 0"):
        top_k(tables, 3, exclude, batch_size=0)
    with pytest.raises(DataError, match=r"user row 9 is outside 0\.\.8"):
        top_k(tables, 3, exclude, users=np.array([0, 9]))
    with pytest.raises(DataError, match="candidate item row -1"):
        top_k(tables, 3, exclude, candidates=np.array([-1]))
    with pytest.raises(DataError, match=r"9 users x 40 items.*8 x 40"):
        top_k(Tables(tables.users[:8], tables.items), 3, exclude)
    with pytest.raises(DataError, match=r"scorer is over 8 users x 40 items.*9 x 40"):
        Ranker(9, 40, exclude).rank(TableScorer(Tables(tables.users[:8], tables.items)), 3)
    with pytest.raises(DataError, match="4 columns and the item table 3"):
        top_k(Tables(tables.users, tables.items[:, :3]), 3, exclude)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_diverged_tables_are_refused_with_their_row(value):
    tables, exclude = world(6)
    tables.items[17, 2] = value
    with pytest.raises(RunError, match="item table has NaN or infinity in row 17"):
        top_k(tables, 3, exclude)


def test_scores_beyond_float32_are_refused():
    tables, exclude = world(7)
    with pytest.raises(RunError, match="beyond float32"):
        top_k(Tables(tables.users * 1e20, tables.items * 1e20), 3, exclude)


def test_scores_that_differ_by_rounding_alone_are_equal():
    one, less = np.float32(1), np.nextafter(np.float32(1), np.float32(0))
    scores = torch.tensor([[0.5, less, one, less, 0.5 + 1e-3]])
    ties = np.array([0, 4, 3, 1, 2])
    assert select(scores, 4, ties).items.tolist() == [[3, 2, 1, 4]]
    assert select(scores, 2, ties).tied(2).tolist() == [True]
    assert select(scores, 3, ties).tied(3).tolist() == [False]


def test_a_tie_longer_than_the_list_is_settled_as_a_whole():
    scores = torch.zeros(2, 500)
    scores[1, 100:] = -torch.inf
    ties = np.random.default_rng(0).permutation(500)
    items = select(scores, 3, ties).items
    assert items[0].tolist() == np.argsort(ties)[:3].tolist()
    assert items[1].tolist() == np.argsort(ties[:100])[:3].tolist()


def test_items_with_one_row_are_listed_in_one_order_wherever_they_stand():
    """A matrix product may round the columns at its edge otherwise than those in the middle."""
    generator = torch.Generator().manual_seed(0)
    users = torch.randn(50, 24, generator=generator)
    items = torch.randn(61, 24, generator=generator)
    items[1:40] = items[0]
    ids = np.array([f"i{row}" for row in range(61)])
    moved = np.random.default_rng(0).permutation(61)
    first = TableScorer(Tables(users, items), tie_order(ids)).top_k(k=10)[0]
    again = TableScorer(Tables(users, items[moved]), tie_order(ids[moved])).top_k(k=10)[0]
    np.testing.assert_array_equal(ids[moved][again], ids[first])


def test_scores_of_a_few_users_are_held_at_once() -> None:
    """Never [users, I]: a buffer is filled for 16 users, or as many as fit into 2 MiB, and used again."""
    held: set[tuple[int, int]] = set()

    class Watched(TableScorer):
        def fill(self, users: IntArray, items: IntArray | None, width: int) -> Fill:
            whole = super().fill(users, items, width)

            def fill(start: int, stop: int, block: torch.Tensor) -> None:
                held.add((block.untyped_storage().nbytes(), block.data_ptr()))
                whole(start, stop, block)

            return fill

    for n_items, most in ((1_000, 2 << 20), (150_000, 16 * 4 * 151_000)):
        held.clear()
        scorer = Watched(Tables(torch.randn(700, 2), torch.randn(n_items, 2)))
        Ranker(700, n_items, None, users=np.arange(700 if n_items < 2_000 else 40)).rank(scorer, 5)
        assert len(held) == 1  # one buffer, filled again and again
        assert held.pop()[0] <= most
