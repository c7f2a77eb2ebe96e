"""New items and new users by a finished run, in a world where text decides everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

import darec
from darec.cold import ColdStart
from darec.config import resolve_config
from darec.data.build import import_dataset
from darec.errors import ConfigError, DataError, RunError, TextError
from darec.run import Run
from darec.scoring import MatrixScorer, TableScorer
from darec.scoring.extending import extended, new_items
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset
from darec.types import Tables

NEW = pl.DataFrame(
    {
        "item_id": [f"new{g}" for g in range(4)],
        "title": [f"New of {g}" for g in range(4)],
        "text": [f"theme{g} word{g}a word{g}b" for g in range(4)],
    }
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Users and items lie on the axis of their group, so a new item's row is known from its text's theme."""
    data = tiny_dataset().save(tmp_path_factory.mktemp("cold") / "data")
    # Themes differ by a digit alone, so pairs of characters would make them alike.
    encode_dataset(data, "tfidf", options={"pairs": False}, progress=False)
    axes = 3 * torch.eye(4)
    users, items = (torch.arange(n) % 4 for n in (data.n_users, data.n_items))
    return Run(
        resolve_config(),
        data,
        TableScorer(Tables(axes[users], axes[items]), data.items.tie_order),
        {},
    )


@pytest.mark.parametrize("how", ["ridge", "neighbours", "shared"])
def test_a_new_item_is_for_the_users_of_its_group(run: Run, how: str) -> None:
    cold = ColdStart(run, how=how).fit(NEW)
    assert cold.rows_ == pytest.approx(3 * np.eye(4), abs=0.3)
    assert cold.map_.explained_ > 0.9
    for user in range(8):
        listed = cold.recommend(f"u{user}")
        assert [item.rank for item in listed] == [1, 2, 3, 4]  # as many as there are
        assert listed[0].item_id == f"new{user % 4}" and listed[0].title == f"New of {user % 4}"
        scores = cold.rows_ @ run.tables.users[user].numpy()
        assert [item.score for item in listed] == pytest.approx(sorted(scores)[::-1], abs=1e-5)


def test_new_items_among_the_catalogue(run: Run) -> None:
    cold = ColdStart(run).fit(NEW)
    n = run.dataset.n_items
    everything = cold.recommend("u1", n + 4, with_warm=True, exclude_seen=False)
    table = np.concatenate([run.tables.items.numpy(), cold.rows_])
    scores = table @ run.tables.users[1].numpy()
    ids = [*run.dataset.items.ids, *NEW["item_id"]]
    assert {item.item_id: item.score for item in everything} == pytest.approx(
        dict(zip(ids, scores.tolist(), strict=True)), abs=1e-5
    )
    assert {item.item_id for item in everything if item.new} == set(NEW["item_id"])
    known = cold.recommend("u1", 5, with_warm=True)
    seen = {run.dataset.items.ids[i] for i in run.dataset.train.of_user(1)}
    assert not seen & {item.item_id for item in known}
    with pytest.raises(ConfigError, match="larger than the list of candidates"):
        cold.recommend("u1", n + 5, with_warm=True)


def test_users_known_by_items_old_and_new_or_by_words(run: Run) -> None:
    cold = ColdStart(run).fit(NEW)
    assert cold.recommend_for(["i2", "i6"], 1)[0].item_id == "new2"
    listed = cold.recommend_for(["new2"], 9, with_warm=True)
    assert "new2" not in {item.item_id for item in listed}
    assert all(int(item.item_id[1:]) % 4 == 2 for item in listed)
    both = cold.recommend_for(["new1", "i3"], 4, exclude_seen=False)
    assert {item.item_id for item in both[:2]} == {"new1", "new3"}
    assert cold.recommend_about("word3a theme3", 1)[0].item_id == "new3"
    catalogue = ColdStart(run).fit().recommend_about("word3a theme3", 3)
    assert all(int(item.item_id[1:]) % 4 == 3 and not item.new for item in catalogue)


def test_without_new_items_liked_ones_are_recommended_for_as_ever(run: Run) -> None:
    ours = ColdStart(run).fit().recommend_for(["i2", "i5"], 6)
    theirs = run.recommend_for(["i2", "i5"], 6)
    assert [(item.item_id, item.title) for item in ours] == [
        (item.item_id, item.title) for item in theirs
    ]


def test_rows_of_a_run_that_scores_by_cosine_are_as_long_as_its_own(run: Run) -> None:
    unit = torch.nn.functional.normalize(torch.randn(40, 4), dim=1)
    cold = ColdStart(
        Run(run.config, run.dataset, TableScorer(Tables(run.tables.users, unit)), {})
    ).fit(NEW)
    assert np.linalg.norm(cold.rows_, axis=1) == pytest.approx(np.ones(4), rel=1e-5)
    assert cold.relative_length_ == pytest.approx(1, rel=1e-5)


def test_items_without_interactions_or_text_do_not_teach_the_map(run: Run) -> None:
    """Their rows are what training never touched: making them absurd must change nothing."""
    data = tiny_dataset(missing_text=3).save(run.dataset.path.parent / "gaps")  # type: ignore[union-attr]
    encode_dataset(data, "tfidf", progress=False)
    rows = 3 * torch.eye(4)[torch.arange(40) % 4]
    absurd = rows.clone()
    absurd[-3:] = 1e4
    made = [
        ColdStart(Run(run.config, data, TableScorer(Tables(run.tables.users, table)), {}))
        .fit(NEW)
        .rows_
        for table in (rows, absurd)
    ]
    assert made[0] == pytest.approx(made[1])


def test_what_is_asked_before_fit_is_answered_as_after_it(run: Run) -> None:
    about = str(run.dataset.catalogue["text"][0])
    fitted = ColdStart(run).fit()
    assert ColdStart(run).recommend_about(about, 3) == fitted.recommend_about(about, 3)
    assert ColdStart(run).recommend("u1", 3) == fitted.recommend("u1", 3)
    title = run.dataset.title(3)
    assert ColdStart(run).recommend_for([title], 3) == fitted.recommend_for(["i3"], 3)
    assert ColdStart(run).transform([about]) == pytest.approx(fitted.transform([about]))


def test_new_items_are_named_by_title_too(run: Run) -> None:
    cold = ColdStart(run).fit({"n1": "word1a word1b", "n2": "word0a word0b"})
    assert cold.recommend_for(["WORD0A word0b"], 2) == cold.recommend_for(["n2"], 2)


def test_refusals(run: Run) -> None:
    with pytest.raises(ConfigError, match="did you mean 'ridge'"):
        ColdStart(run, how="rigde")
    with pytest.raises(TextError, match="finds no known word in 'xyzzy'"):
        ColdStart(run).fit(pl.DataFrame({"item_id": ["x"], "text": ["xyzzy"]}))
    cold = ColdStart(run).fit(NEW)
    with pytest.raises(ConfigError, match="at least 1"):
        cold.recommend("u1", 0)
    with pytest.raises(ConfigError, match="no liked items"):
        cold.recommend_for([])
    with pytest.raises(DataError, match="no user 'u999'"):
        cold.recommend("u999")
    with pytest.raises(DataError, match="import it with split='cold-items'"):
        cold.evaluate()
    in_memory = Run(run.config, tiny_dataset(), run.scorer, {})
    with pytest.raises(TextError, match=r"call darec.encode_dataset\(data, 'tfidf'\)"):
        ColdStart(in_memory).fit()
    data = tiny_dataset(missing_text=38).save(run.dataset.path.parent / "two")  # type: ignore[union-attr]
    encode_dataset(data, "tfidf", progress=False)
    with pytest.raises(RunError, match="too few to learn"):
        ColdStart(Run(run.config, data, run.scorer, {})).fit()


def test_evaluate_ranks_each_part_among_itself(tmp_path: Path) -> None:
    whole = tiny_dataset(n_users=80, n_items=60)
    pairs = whole.train.union(whole.valid).union(whole.test)
    log = pl.DataFrame(
        {"user_id": np.char.add("u", pairs.users.astype(str)), "item_id": np.char.add("i", pairs.items.astype(str))}
    )  # fmt: skip
    data = import_dataset(
        log, items=whole.catalogue, text_fields=("text",), split="cold-items", cold_share=0.4,
        out=tmp_path / "d",
    )  # fmt: skip
    encode_dataset(data, "tfidf", progress=False)
    run = darec.fit(data, backbone="lightgcn", epochs=8, out=tmp_path / "run", progress=False)
    assert len(run.tables.items) == 36
    again = ColdStart(Run.load(tmp_path / "run")).fit()
    evaluation = again.evaluate("test", ks=(3,))
    part = data.cold["test"]
    rows = again.transform(part.catalogue["text"].to_list())
    scores = run.tables.users.numpy() @ rows.T
    values = []
    for user in evaluation.users:
        best, liked = np.argsort(-scores[user])[:3], set(part.pairs.of_user(user).tolist())
        values.append(len(liked & set(best.tolist())) / len(liked))
    assert evaluation.values("recall@3") == pytest.approx(values)
    assert len(values) == (part.pairs.user_degree > 0).sum()
    assert {name for name in again.evaluate("valid").per_user if "recall" in name} == {
        "recall@5",
        "recall@10",
    }  # of 5, 10 and 20, what twelve items allow
    with pytest.raises(ConfigError, match="K = 13 is larger"):
        again.evaluate("test", ks=(13,))
    # A user's own group is a quarter of the items and most of what they like: text must find it.
    assert np.mean(values) > 1.3 * 3 / len(part.catalogue)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Items of four themes, each user of one, some items held out."""
    folder = tmp_path_factory.mktemp("matrix")
    rng = np.random.default_rng(0)
    pairs = [(u, i) for u in range(80) for i in range(60) if u % 4 == i % 4 and rng.random() < 0.5]
    log = pl.DataFrame(
        {"user_id": [f"u{u}" for u, _ in pairs], "item_id": [f"i{i}" for _, i in pairs]}
    )
    words = ("garden spade soil", "camera lens flash", "guitar string amp", "novel poem shelf")
    items = pl.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(60)],
            "title": [f"{words[i % 4]} {i}" for i in range(60)],
        }
    )
    data = darec.load_dataset(log, items=items, split="cold-items", out=folder / "data")
    encode_dataset(data, "tfidf", progress=False)
    return data


MATRICES: list[dict[str, Any]] = [
    {"backbone": "ease", "alignment": "l3ae"},
    {"backbone": "itemknn"},
    {"backbone": "mf", "alignment": "none", "beside.weight": 0.9, "train.epochs": 3},
]


@pytest.mark.parametrize("settings", MATRICES)
@pytest.mark.parametrize("how", ["ridge", "shared"])
def test_runs_that_score_by_a_matrix_know_new_items_by_their_text(
    split: Any, settings: dict[str, Any], how: str
) -> None:
    run = darec.fit(split, settings={"evaluation.ks": [5], **settings}, progress=False)
    cold = ColdStart(run, how=how).fit(
        pl.DataFrame({"item_id": ["n0", "n1"], "title": ["garden soil", "camera flash"]})
    )
    gardener = split.users.texts.index("u0"), split.users.texts.index("u1")
    names = [split.users.ids[row] for row in gardener]
    assert [item.item_id for item in cold.recommend(names[0], 2)] == ["n0", "n1"]
    assert [item.item_id for item in cold.recommend(names[1], 2)] == ["n1", "n0"]
    about = cold.recommend_about("guitar amp", 5, with_warm=True)
    assert [item.title.split()[0] for item in about] == ["guitar"] * 5
    liked = cold.recommend_for(["n1"], 5, with_warm=True)
    assert [item.title.split()[0] for item in liked] == ["camera"] * 5
    found = cold.evaluate("test", ks=[3]).summary()["recall@3"]
    assert found > 0.6  # at random: 3 of 12


def test_a_matrix_is_extended_as_by_hand() -> None:
    B = np.array([[0, 2, 0], [1, 0, 4], [0, 3, 0]], np.float32)
    X = sparse.csr_array(np.array([[1, 0, 1], [0, 1, 0]], np.float32))
    W = sparse.csr_array(np.array([[0.5, 0.5, 0]], np.float32))
    left = np.vstack([np.eye(3), W.toarray()])
    for form in (B, sparse.csr_array(B)):
        whole = extended(MatrixScorer(form, X), None, W, np.arange(4))
        expected = X.toarray() @ (left @ B @ left.T)[:3]
        np.testing.assert_allclose(whole.score(np.array([0, 1])), expected, atol=1e-6)
        alone = new_items(MatrixScorer(form, X), None, W, np.arange(1))
        np.testing.assert_allclose(alone.score(np.array([0, 1])), expected[:, 3:], atol=1e-6)
        liked = sparse.csr_array(np.array([[0, 0, 0, 1]], np.float32))
        np.testing.assert_allclose(
            whole.score_histories(liked), (left @ B @ left.T)[[3]], atol=1e-6
        )


def test_words_add_the_likeness_of_texts_to_what_was_learned(run: Run) -> None:
    cold, words, n = ColdStart(run).fit(), "theme2 word2a word1c", run.dataset.n_items

    def listed(weight: float) -> dict[Any, float]:
        found = cold.recommend_about(words, n, text_weight=weight)
        scores = [item.score for item in found]
        assert len(found) == n and np.all(np.diff(scores) < 1e-5)
        return {item.item_id: item.score for item in found}

    texts = cold.text_.items
    vector = cold.text_.encode([words], [words])[0][0]
    cosines = texts @ vector / np.linalg.norm(texts, axis=1) / np.linalg.norm(vector)
    learned, alone = listed(0), listed(1)
    ids = run.dataset.items.ids
    s = np.array([learned[one] for one in ids])
    # Users lie on the axes of their groups, so only the theme's items are scored high by what was learned.
    assert s[2::4].min() > s[[row for row in range(n) if row % 4 != 2]].max()
    ratio = s.std() / cosines.std()
    np.testing.assert_allclose([alone[one] for one in ids], ratio * cosines, rtol=1e-3, atol=1e-4)
    both = listed(0.7)
    expected = 0.3 * s + 0.7 * ratio * cosines
    np.testing.assert_allclose([both[one] for one in ids], expected, rtol=1e-3, atol=1e-4)
    assert cold.recommend_about(words, n) == cold.recommend_about(words, n, text_weight=0.7)
    with pytest.raises(ConfigError, match=r"text_weight 1\.5: must be from 0 to 1"):
        cold.recommend_about(words, 3, text_weight=1.5)


def test_words_find_new_items_and_leave_items_without_text_behind() -> None:
    data = tiny_dataset(missing_text=4)
    encode_dataset(data, "tfidf", options={"pairs": False}, progress=False)
    axes = 3 * torch.eye(4)
    users, items = (torch.arange(n) % 4 for n in (data.n_users, data.n_items))
    one = Run(resolve_config(), data, TableScorer(Tables(axes[users], axes[items])), {})
    cold = ColdStart(one).fit(NEW)
    best = cold.recommend_about("theme1 word1a", 4, with_warm=True, text_weight=1.0)
    assert "new1" in [item.item_id for item in best]
    everything = cold.recommend_about("theme1 word1a", 44, with_warm=True, text_weight=1.0)
    silent = [item.score for item in everything if item.item_id in {"i36", "i37", "i38", "i39"}]
    assert silent == [0.0] * 4
