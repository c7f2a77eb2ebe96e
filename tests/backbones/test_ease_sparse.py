"""EASE over candidates: equal to EASE where all are, and to regressions on the chosen few where they are not."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch

import darec
from darec.backbones import ease_sparse
from darec.backbones.closed_form import ClosedFormInputs
from darec.backbones.ease import EASE, EASEConfig
from darec.backbones.ease_sparse import EASESparse, EASESparseConfig
from darec.errors import ConfigError
from darec.numerics.structure import Structure, item_matrix
from darec.processes.group import within
from darec.testing.closed_form import ClosedFormSuite
from darec.testing.steps import tiny_text
from darec.testing.threads import together
from darec.testing.worlds import tiny_dataset
from darec.types import Interactions

RNG = np.random.default_rng(0)
N = 23
X = (RNG.random((40, N)) < 0.15).astype(float)
FEATURES = torch.from_numpy(RNG.standard_normal((N, 5))).float()
TEXT = item_matrix(FEATURES.double(), 0.5)
STRUCTURES = {
    "none": Structure(),
    "l3ae": Structure(target=TEXT, lean=torch.from_numpy(RNG.uniform(2, 9, N))),
    "collective": Structure(rows=2 * FEATURES),
    "additive": Structure(added=TEXT, share=0.25),
}


class TestEASESparse(ClosedFormSuite):
    name = "ease_sparse"


class TestFewCandidates(ClosedFormSuite):
    name = "ease_sparse"
    settings: ClassVar = {"candidates": 6, "text_candidates": 3, "entries": 4}


def inputs(structure=None, **options):
    users, items = np.nonzero(X)
    train = Interactions.from_pairs(users, items, *X.shape)
    return ClosedFormInputs(train, np.arange(N), structure=structure, **options)


def solved(structure=None, options=None, **settings):
    model = EASESparse(EASESparseConfig(**{"ridge": 3.0, **settings}))
    return model.fit(inputs(structure, **(options or {}))).matrix.toarray()


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("threads", [1, 3])
def test_with_all_candidates_it_is_ease(name, threads, monkeypatch):
    monkeypatch.setattr(ease_sparse, "_BLOCK", 5)
    dense = EASE(EASEConfig(ridge=3.0)).fit(inputs(STRUCTURES[name])).matrix
    found = solved(STRUCTURES[name], {"threads": threads}, candidates=N - 1)
    np.testing.assert_allclose(found, dense, atol=2e-6)


def test_each_column_is_a_ridge_regression_on_its_most_common_companions():
    gram = X.T @ X
    found = solved(candidates=4)
    for item in range(N):
        shared = gram[:, item].copy()
        shared[item] = -1
        rows = np.flatnonzero(found[:, item])
        assert len(rows) == min(4, np.count_nonzero(shared > 0))
        assert shared[rows].min() >= np.sort(shared)[-len(rows)]
        system = gram[np.ix_(rows, rows)] + 3 * np.eye(len(rows))
        expected = np.linalg.solve(system, gram[rows, item])
        np.testing.assert_allclose(found[rows, item], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["l3ae", "collective", "additive"])
def test_items_near_in_text_join_where_clicks_give_few(name):
    structure = STRUCTURES[name]
    left, right = structure.nearness
    scores = (right @ left.T).numpy()
    together = (X.T @ X > 0) & ~np.eye(N, dtype=bool)
    found = solved(structure, candidates=N - 2, text_candidates=2) != 0
    for item in range(N):
        order = np.argsort(-scores[item])
        new = [j for j in order if j != item and not together[j, item] and scores[item, j] > 0]
        room = min(2, N - 2 - together[:, item].sum())
        expected = set(np.flatnonzero(together[:, item])) | set(new[:room])
        assert set(np.flatnonzero(found[:, item])) == expected


def test_the_largest_entries_are_kept():
    whole, cut = solved(candidates=N - 1), solved(candidates=N - 1, entries=3)
    for item in range(N):
        kept = np.sort(np.argsort(-np.abs(whole[:, item]))[:3])
        assert np.flatnonzero(cut[:, item]).tolist() == kept.tolist()
        np.testing.assert_array_equal(cut[kept, item], whole[kept, item])


def test_items_that_nobody_has_are_scored_zero():
    train = Interactions.from_pairs(np.array([0, 0, 1]), np.array([0, 2, 2]), 2, 5)
    config = EASESparseConfig(ridge=3.0, candidates=2)
    scorer = EASESparse(config).fit(ClosedFormInputs(train, np.arange(5)))
    scores = scorer.score(np.arange(2))
    assert scores[:, [1, 3, 4]].tolist() == [[0, 0, 0]] * 2 and scores[1, 0] > 0


class Killed(BaseException):
    """As a signal would end it."""


def test_a_killed_run_goes_on_from_its_finished_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(ease_sparse, "_BLOCK", 4)
    data, columns = tiny_dataset(), ease_sparse._Problem.columns
    settings = {"backbone.candidates": 6, "backbone.ridge": 10.0, "options.threads": 1}
    done = []

    def until_the_third(problem, items):
        if len(done) == 2:
            raise Killed
        done.append(items.start)
        return columns(problem, items)

    monkeypatch.setattr(ease_sparse._Problem, "columns", until_the_third)
    out = tmp_path / "run"
    with pytest.raises(Killed):
        darec.fit(data, backbone="ease_sparse", settings=settings, out=out, progress=False)
    assert done == [0, 4] and len(list((out / "blocks").glob("*/*"))) == 2

    def the_rest(problem, items):
        done.append(items.start)
        return columns(problem, items)

    monkeypatch.setattr(ease_sparse._Problem, "columns", the_rest)
    run = darec.fit(data, out=out, resume=True, progress=False)
    assert done == list(range(0, data.n_items, 4))
    assert not (out / "blocks").exists() and (out / "scorer.safetensors").is_file()
    whole = darec.fit(data, backbone="ease_sparse", settings=settings, progress=False)
    users = np.arange(data.n_users)
    np.testing.assert_array_equal(run.scorer.score(users), whole.scorer.score(users))


@pytest.mark.parametrize("alignment", ["none", "l3ae"])
@pytest.mark.parametrize("size", [2, 3])
def test_processes_solve_what_one_solves_to_the_last_bit(tmp_path, monkeypatch, alignment, size):
    """Whole runs, with a ridge and a lean that validation chooses; the last turn has fewer blocks than processes."""
    monkeypatch.setattr(ease_sparse, "_BLOCK", 7)
    data = tiny_dataset()
    options = {"backbone": "ease_sparse", "alignment": alignment, "progress": False}
    options |= {"settings": {"backbone.candidates": 6, "options.threads": 1}}
    options |= {"text": None if alignment == "none" else tiny_text(data)}
    whole = darec.fit(data, **options)

    def work(group):
        with within(group):
            return darec.fit(data, out=tmp_path / "run", **options)

    runs = together(work, size)
    for run in runs:
        assert run.metrics["processes"] == size and "bytes_sent_per_step" not in run.metrics
        assert run.metrics["valid/recall@20"] == whole.metrics["valid/recall@20"]
        for name, array in whole.scorer.arrays().items():
            assert torch.equal(run.scorer.arrays()[name], array), name
    assert runs[0].about["processes"] == size


@pytest.mark.parametrize("sizes", [(2, 1), (1, 3), (3, 2)])
def test_any_number_of_processes_goes_on_from_the_finished_blocks(tmp_path, monkeypatch, sizes):
    monkeypatch.setattr(ease_sparse, "_BLOCK", 4)
    data, columns, save = tiny_dataset(), ease_sparse._Problem.columns, ease_sparse.Blocks.save
    settings = {"backbone.candidates": 6, "backbone.ridge": 10.0, "options.threads": 1}
    solved, stored = [], []

    def counted(problem, items):
        solved.append(items.start // 4)
        return columns(problem, items)

    def until_the_fourth(blocks, number, data):
        if len(stored) == 4:
            raise Killed
        save(blocks, number, data)
        stored.append(number)

    def work(group, **options):
        with within(group):
            return darec.fit(data, out=tmp_path / "run", progress=False, **options)

    monkeypatch.setattr(ease_sparse._Problem, "columns", counted)
    monkeypatch.setattr(ease_sparse.Blocks, "save", until_the_fourth)
    first = partial(work, backbone="ease_sparse", settings=settings)
    with pytest.raises(Killed):
        together(first, sizes[0])
    solved.clear()
    monkeypatch.setattr(ease_sparse.Blocks, "save", save)
    run = together(partial(work, resume=True), sizes[1])[0]
    assert len(stored) == 4 and sorted([*stored, *solved]) == list(range(10))
    whole = darec.fit(data, backbone="ease_sparse", settings=settings, progress=False)
    for name, array in whole.scorer.arrays().items():
        assert torch.equal(run.scorer.arrays()[name], array), name


def test_blocks_of_other_settings_and_damaged_ones_are_solved_again(tmp_path):
    first = solved(options={"folder": tmp_path}, candidates=3)
    (block,) = (tmp_path / "blocks").glob("*/*")
    assert not np.array_equal(solved(options={"folder": tmp_path}, candidates=5), first)
    for structure in STRUCTURES.values():
        found = solved(structure, {"folder": tmp_path}, candidates=3)
        np.testing.assert_array_equal(found, solved(structure, candidates=3))
    np.testing.assert_array_equal(solved(options={"folder": tmp_path}, candidates=3), first)
    block.write_bytes(block.read_bytes()[:40])
    np.testing.assert_array_equal(solved(options={"folder": tmp_path}, candidates=3), first)


def test_bad_systems_and_sizes_are_refused_in_one_line(monkeypatch):
    with pytest.raises(ConfigError, match=r"backbone\.ridge is null"):
        solved(ridge=None)
    with pytest.raises(ConfigError, match=r"ridge 0 leaves a penalty of 0.*raise backbone\.ridge"):
        solved(ridge=0.0)
    monkeypatch.setattr("darec.memory.available_memory", lambda: 1000.0)
    with pytest.raises(ConfigError, match=r"the counts of 23 items .* lower backbone\.candidates"):
        solved()
