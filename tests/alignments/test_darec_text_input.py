"""The text's own table beside E_C: against the formula written densely, its laws, and what scoring makes of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from building import encoded, inputs, table
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.alignments.darec import DaRec, DaRecConfig, content_tables
from darec.alignments.darec.text_input import PENALTY, score_spread
from darec.graph import Graph
from darec.testing.suites import AlignmentSuite
from darec.types import Interactions, Tables

PAIRS = [(u, i) for u in range(30) for i in range(20) if u % 2 == i % 2 and (u + i // 2) % 3]
TRAIN = Interactions.from_pairs(*np.array(PAIRS).T, 30, 20)
ALL = torch.ones(20, dtype=torch.bool)


class TestDaRecWithTextBeside(AlignmentSuite):
    name = "darec"
    settings = {"text_width": 4}  # noqa: RUF012


def scores(tables: Tables) -> torch.Tensor:
    return tables.users @ tables.items.T


def dense(items: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[U, I] scores of full width, by the formula, up to their scale."""

    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    def ridge(rows: np.ndarray) -> np.ndarray:
        moments = rows.T @ rows
        return np.linalg.inv(
            moments + PENALTY * np.trace(moments) / len(moments) * np.eye(len(moments))
        )

    taken = np.zeros((30, 20))
    taken[TRAIN.users, TRAIN.items] = 1
    S = taken / np.sqrt(taken.sum(1, keepdims=True) * np.maximum(taken.sum(0), 1))
    T = np.where(mask[:, None], unit(items - items[mask].mean(0)), 0)
    users = unit(S @ T)
    items = unit(T + unit(S.T @ users))
    form = ridge(users) @ users.T @ S @ items @ ridge(items)
    return np.asarray(users @ form @ items.T)


@pytest.mark.parametrize("without", [[], [3, 4]])
def test_full_width_is_the_two_sided_ridge(without: list[int]) -> None:
    items = table(20, 5)
    mask = ALL.clone()
    mask[without] = False
    found = scores(content_tables(items, mask, Graph(TRAIN), 5)).double().numpy()
    expected = dense(items.double().numpy(), mask.numpy())
    scale = np.sqrt(expected.var(axis=1).mean())
    np.testing.assert_allclose(found, expected / scale, rtol=1e-4, atol=1e-5)


def test_a_narrower_table_is_the_best_form_of_its_rank() -> None:
    """Wider than the text has columns gives no more columns; narrower keeps the leading ones."""
    items = table(20, 5)
    wide = content_tables(items, ALL, Graph(TRAIN), 50)
    narrow = content_tables(items, ALL, Graph(TRAIN), 2)
    assert (wide.users.shape, wide.items.shape) == ((30, 5), (20, 5))
    leading = wide.users[:, :2], narrow.users
    cosines = torch.cosine_similarity(*leading, dim=0).abs()
    torch.testing.assert_close(cosines, torch.ones(2))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10.0))
def test_turning_moving_and_scaling_the_text_changes_no_score(seed: int, scale: float) -> None:
    items = table(20, 5, seed)
    rotation = torch.linalg.qr(table(5, 5, seed + 1))[0]
    moved = scale * items @ rotation + table(1, 5, seed + 2)
    kept, changed = (content_tables(rows, ALL, Graph(TRAIN), 5) for rows in (items, moved))
    torch.testing.assert_close(scores(kept), scores(changed), rtol=1e-3, atol=1e-3)


def test_text_that_tells_the_kinds_apart_ranks_a_users_kind_first() -> None:
    items = torch.eye(2)[torch.arange(20) % 2] + 0.1 * table(20, 2)
    found = scores(content_tables(items, ALL, Graph(TRAIN), 2))
    same = torch.arange(30)[:, None] % 2 == torch.arange(20) % 2
    assert found[same].min() > found[~same].max()


def test_equal_texts_say_nothing() -> None:
    made = content_tables(torch.ones(20, 5), ALL, Graph(TRAIN), 5)
    assert torch.equal(scores(made), torch.zeros(30, 20))


@given(st.integers(0, 100))
def test_spread_is_that_of_the_scores(seed: int) -> None:
    tables = Tables(table(7, 3, seed), table(9, 3, seed + 1))
    expected = scores(tables).var(dim=1, correction=0).mean().sqrt()
    torch.testing.assert_close(score_spread(tables), expected)


def test_the_tables_are_scored_side_by_side() -> None:
    """Scores are E_C's and the text's, which spread by weight times reliability of what E_C's do."""
    given = dataclasses.replace(
        inputs(30, 20, 6, 5), text=Tables(table(30, 5), table(20, 5)), graph=Graph(TRAIN)
    )
    config = DaRecConfig(text_width=5, text_weight=0.5, reliability=0.4, n_clusters=2)
    E_C = encoded(30, 20, 6)
    scored = DaRec(config, given).represent(E_C)
    assert scored.users.shape[1] == scored.items.shape[1] == 11
    plain = E_C.users @ E_C.items.T
    beside = scores(scored) - plain
    spread = [x.var(dim=1, correction=0).mean().sqrt().item() for x in (plain, beside)]
    assert spread[1] == pytest.approx(0.5 * 0.4 * spread[0], rel=1e-3)
    text_columns, all_E_C = scored.items[:, 6:].square().sum(), E_C.items.square().sum()
    assert (text_columns / all_E_C).item() == pytest.approx(0.5 * 0.4, rel=1e-3)


def test_text_that_is_not_to_be_trusted_changes_no_score() -> None:
    given = inputs(30, 20, 6, 5)
    E_C = encoded(30, 20, 6)
    config = DaRecConfig(text_width=5, reliability=0.0, n_clusters=2)
    scored = DaRec(config, given).represent(E_C)
    torch.testing.assert_close(scores(scored), E_C.users @ E_C.items.T)


def test_without_smoothing_the_text_is_still_beside() -> None:
    given = inputs(30, 20, 6, 5)
    model = DaRec(DaRecConfig(text_width=5, smoothing=0.0, n_clusters=2), given)
    assert model.text_input.neighbours is None
    assert model.represent(encoded(30, 20, 6)).users.shape[1] == 11
