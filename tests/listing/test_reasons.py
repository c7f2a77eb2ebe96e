"""Why an item is recommended: parts that add up to the score, what is near, and words that connect."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

import darec
from command_line import call, refused
from darec.backbones.closed_form import matrix_of
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError
from darec.listing.reasons import Words
from darec.run import Run
from darec.scoring import AddedScorer, MatrixScorer, Scorer, TableScorer
from darec.terms import terms
from darec.testing.worlds import tiny_dataset
from darec.types import Tables


@pytest.fixture(scope="module")
def data() -> Dataset:
    return tiny_dataset()


def scorers(data: Dataset) -> dict[str, Scorer]:
    draw = np.random.default_rng(0)
    B = draw.normal(size=(data.n_items, data.n_items)).astype(np.float32)
    torch.manual_seed(0)
    tables = TableScorer(Tables(torch.randn(data.n_users, 4), torch.randn(data.n_items, 4)))
    matrix = MatrixScorer(B, matrix_of(data.train))
    return {
        "tables": tables,
        "matrix": matrix,
        "both": AddedScorer([tables, matrix], [1.0, 0.3]),
    }


@pytest.mark.parametrize("kind", ["tables", "matrix", "both"])
def test_parts_add_up_to_the_score_and_shares_to_one(data: Dataset, kind: str) -> None:
    run = Run(resolve_config(), data, scorers(data)[kind], {})
    for user in ("u1", "u7"):
        scores = run.scorer.score(np.array([data.users.row(user)]))[0]
        for item in ("i3", "i11"):
            why = run.explain(user, item)
            assert why.score == pytest.approx(scores[data.items.row(item)], rel=1e-4, abs=1e-5)
            assert sum(part.adds for part in why.parts) == pytest.approx(why.score, rel=1e-9)
            shares = [part.share for part in why.parts]
            assert sum(share for share in shares if share is not None) == pytest.approx(1)
            sizes = [abs(part.adds) for part in why.parts]
            assert sizes == sorted(sizes, reverse=True)


def test_by_a_matrix_each_item_of_the_user_adds_its_entry(data: Dataset) -> None:
    matrix = scorers(data)["matrix"]
    why = Run(resolve_config(), data, matrix, {}).explain("u3", "i5")
    learned = [data.items.ids[row] for row in data.train.of_user(data.users.row("u3"))]
    assert {part.item_id for part in why.parts} == set(learned)
    for part in why.parts:
        row = data.items.row(str(part.item_id))
        assert part.of == "item" and part.title == data.title(row)
        assert part.adds == pytest.approx(matrix.matrix[row, data.items.row("i5")])  # type: ignore[attr-defined]
    assert not why.nearest


def test_by_tables_the_nearest_stand_beside_the_one_part(data: Dataset) -> None:
    scorer = scorers(data)["tables"]
    run = Run(resolve_config(), data, scorer, {})
    learned = data.train.of_user(data.users.row("u3"))
    for item in (data.items.row("i5"), int(learned[0])):
        why = run.explain("u3", data.items.ids[item])
        assert [(part.of, part.item_id, part.share) for part in why.parts] == [
            ("tables", None, 1.0)
        ]
        others = learned[learned != item]
        cosines = cosine_similarity(run.tables.items[[item]], run.tables.items[others])[0]
        best = np.argsort(-cosines)[:5]
        assert [near.item_id for near in why.nearest] == [data.items.ids[n] for n in others[best]]
        assert [near.cosine for near in why.nearest] == pytest.approx(cosines[best], rel=1e-5)


def test_words_add_up_to_the_cosine_of_the_texts() -> None:
    texts = ["red red pot", "blue pot for tea", None, "red tea", "the the the"]
    words = Words(texts)
    there = [text for text in texts if text]
    vectorizer = TfidfVectorizer(sublinear_tf=True, analyzer=lambda text: terms(text, pairs=False))
    cosines = cosine_similarity(vectorizer.fit_transform(there))
    places = [0, 1, None, 2, 3]
    for one, at in enumerate(places):
        for other, to in enumerate(places):
            expected = 0.0 if at is None or to is None else cosines[at, to]
            assert sum(words.shared(one, other).values()) == pytest.approx(expected)
    assert set(words.shared(0, 1)) == {"pot"} and set(words.shared(3, 1)) == {"tea"}


def test_words_are_of_texts_and_only_where_there_are_some(data: Dataset) -> None:
    run = Run(resolve_config(), data, scorers(data)["both"], {})
    text = dict(zip(data.items.ids, data.catalogue["text"].str.to_lowercase(), strict=True))
    told = {item: run.explain("u3", item).words for item in data.items.ids}
    assert any(told.values())
    for item, words in told.items():
        assert [word.cosine for word in words] == sorted((w.cosine for w in words), reverse=True)
        for word in words:
            assert word.word in text[item] and word.word in text[word.item_id]

    bare = replace(data, catalogue=data.catalogue.with_columns(title=pl.lit(""), text=pl.lit("")))
    assert Run(resolve_config(), bare, run.scorer, {}).explain("u3", "i5").words == ()


def test_a_new_user_is_explained_as_they_are_scored(data: Dataset) -> None:
    for scorer in scorers(data).values():
        run = Run(resolve_config(), data, scorer, {})
        scores = {one.item_id: one.score for one in run.recommend_for(["i2", "i9"], data.n_items)}
        why = run.explain_for(["i2", "i9"], "i5")
        assert why.score == pytest.approx(scores["i5"], rel=1e-4, abs=1e-6)
        assert {part.item_id for part in why.parts} <= {"i2", "i9", None}
    with pytest.raises(ConfigError, match="no liked items"):
        run.explain_for([], "i5")
    with pytest.raises(DataError, match="no user"):
        run.explain("nobody", "i5")
    with pytest.raises(DataError, match="no item is called"):
        run.explain("u3", "nothing at all")


def test_reasons_are_a_table(data: Dataset) -> None:
    run = Run(resolve_config(), data, scorers(data)["both"], {})
    why = next(why for item in data.items.ids if (why := run.explain("u3", item)).words)
    table = why.to_polars()
    assert set(table["kind"]) == {"item", "tables", "nearest", "word"}
    parts = table.filter(table["kind"].is_in(["item", "tables"]))
    assert parts["value"].sum() == pytest.approx(why.score) and parts[
        "share"
    ].sum() == pytest.approx(1)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tiny_dataset().save(tmp_path / "data")
    settings: dict[str, Any] = {"backbone.dim": 4, "beside.weight": 0.4, "beside.alignment": "none"}
    darec.fit(data, epochs=2, settings=settings, out=tmp_path / "run", progress=False)
    run = darec.load_run(tmp_path / "run")
    item = next(row for row, one in enumerate(data.items.ids) if run.explain("u3", one).words)
    words = ["explain", tmp_path / "run", "--item", data.title(item)]
    assert call(*words, "--user", "u3", "-k", 2) == 0
    shown = capsys.readouterr().out
    assert "the score is the sum of these parts" in shown and "not part of the sum" in shown
    assert "more" in shown and "100.0%" in shown and "words in both texts" in shown
    assert call(*words, "--liked", "i2, i9", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(part["adds"] for part in told["parts"]) == pytest.approx(told["score"])
    assert "name either --user" in refused(capsys, *words)
    assert "name either --user" in refused(capsys, *words, "--user", "u1", "--liked", "i2")
    assert "no user 'x'" in refused(capsys, *words, "--user", "x")
    assert "at least 1" in refused(capsys, *words, "--user", "u3", "-k", 0)


def test_a_word_of_most_texts_connects_nothing() -> None:
    """Names of fields stand in front of their values in every text."""
    texts = [f"title: pot {n}; tags: {'camping' if n < 5 else 'city'}" for n in range(20)]
    words = Words(texts)
    assert set(words.shared(0, 1)) == {"camping"}
    assert set(words.shared(0, 9)) == set()
    assert set(Words(texts[:4]).shared(0, 1)) == {"title", "pot", "tags", "camping"}, "of so few"


@settings(deadline=None)  # a loaded machine
@given(text=st.text(st.characters(max_codepoint=127)))
def test_words_of_plain_text_are_found_in_the_short_way(text: str) -> None:
    long_way = [word for word in terms(text + " \u00e9", pairs=False) if not word.startswith("#")]
    assert terms(text, pairs=False) == long_way
