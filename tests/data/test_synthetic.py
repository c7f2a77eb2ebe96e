"""The synthetic catalogue: every dial does what it says, and the files are a shop's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from darec.data.split import split_interactions
from darec.data.synthetic import (
    SyntheticConfig,
    World,
    make_synthetic,
    make_world,
    write_synthetic,
)
from darec.data.vocabulary import (
    N_NUISANCE,
    N_TOPICS,
    PHRASES_PER_NUISANCE,
    SUBTOPICS_PER_TOPIC,
    nuisance_phrases,
    subtopics,
)
from darec.errors import DataError
from darec.testing.worlds import linear_probe_r2, planted_embeddings, tiny_dataset

SMALL = {"n_users": 600, "n_items": 400, "n_topics": 10, "mean_interactions": 15.0}
ONLY = {
    name: SyntheticConfig(
        **{
            **SMALL,
            **{f"{n}_share": float(n == name) for n in ("shared", "specific", "popularity")},
        }
    )
    for name in ("shared", "specific", "popularity")
}


@pytest.fixture(scope="module")
def default() -> World:
    return make_world()


@pytest.fixture(scope="module")
def only() -> dict[str, World]:
    return {name: make_world(config) for name, config in ONLY.items()}


def taken(world: World) -> NDArray[np.float64]:
    """[U, I] 1 where the user took the item."""
    matrix = np.zeros((world.config.n_users, world.config.n_items))
    matrix[world.interactions["user"].to_numpy(), world.interactions["item"].to_numpy()] = 1
    return matrix


def gini(counts: NDArray[Any]) -> float:
    """0 where all counts are equal, near 1 where one has everything."""
    counts = np.sort(counts.astype(float))
    ranks = np.arange(1, len(counts) + 1)
    return float(2 * (ranks * counts).sum() / (len(counts) * counts.sum()) - 1 - 1 / len(counts))


def text_lift(world: World) -> tuple[float, float]:
    """TF-IDF cosine of two items of one user over that of two items of two users, and the second one."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = world.dataset.catalogue["text"].to_list()
    vectors = TfidfVectorizer().fit_transform(texts)
    cosine = (vectors @ vectors.T).toarray()
    rows = taken(world)
    together = rows.T @ rows
    apart = np.outer(rows.sum(0), rows.sum(0)) - together
    np.fill_diagonal(together, 0)
    np.fill_diagonal(apart, 0)
    by_chance = (cosine * apart).sum() / apart.sum()
    return float((cosine * together).sum() / together.sum() / by_chance), float(by_chance)


def test_shares_are_exact(default: World) -> None:
    """Each component has mean 0 and variance 1, none correlates with another: shares are shares of variance."""
    config = default.config
    components = {
        "shared": default.shared_users @ default.shared_items.T,
        "specific": default.specific_users @ default.specific_items.T,
        "popularity": np.broadcast_to(default.popularity, (config.n_users, config.n_items)),
    }
    flat = np.stack([component.ravel() for component in components.values()])
    np.testing.assert_allclose(flat.mean(1), 0, atol=1e-10)
    np.testing.assert_allclose(flat @ flat.T / flat.shape[1], np.eye(3), atol=1e-10)
    utilities = default.utilities()
    assert utilities.std() == pytest.approx(config.sharpness)
    for name, component in components.items():
        share = np.corrcoef(component.ravel(), utilities.ravel())[0, 1] ** 2
        assert share == pytest.approx(getattr(config, f"{name}_share"))
    np.testing.assert_allclose(default.utilities(slice(7, 9)), utilities[7:9])


def test_counts_are_exact(default: World) -> None:
    config = default.config
    log = default.interactions
    counts = np.bincount(log["user"].to_numpy(), minlength=config.n_users)
    assert len(log) == round(config.mean_interactions * config.n_users) == 60_000
    assert counts.min() >= config.min_interactions
    assert counts.max() > 3 * config.mean_interactions  # activity is uneven
    assert not log.select("user", "item").is_duplicated().any()
    dataset = default.dataset
    assert (dataset.n_users, dataset.n_items) == (3000, 2000)
    pairs = len(dataset.train), len(dataset.valid), len(dataset.test)
    assert sum(pairs) == len(log)
    assert pairs[0] / len(log) == pytest.approx(0.6, abs=0.01)
    assert log["split"].equals(split_interactions(log, "random", seed=config.seed))
    assert dataset.train.user_degree.min() >= 3 and dataset.test.user_degree.min() >= 1


@pytest.mark.parametrize("n_items", [80, 97])
def test_counts_are_exact_where_users_run_out_of_items(n_items: int) -> None:
    config = SyntheticConfig(
        n_users=50, n_items=n_items, n_topics=4, mean_interactions=19.5, min_interactions=1
    )
    counts = taken(make_world(config)).sum(1)
    assert counts.sum() == 975
    assert counts.max() <= n_items // 2


def test_one_seed_one_world() -> None:
    config = SyntheticConfig(**SMALL)
    first, second = make_world(config), make_world(config)
    assert first.dataset.fingerprint() == second.dataset.fingerprint()
    assert first.dataset.catalogue.equals(second.dataset.catalogue)
    assert first.interactions.equals(second.interactions)
    assert make_synthetic(config).fingerprint() == first.dataset.fingerprint()
    other = make_world(config.model_copy(update={"seed": 1}))
    assert other.dataset.fingerprint() != first.dataset.fingerprint()


def test_turning_one_dial_leaves_the_rest() -> None:
    """Worlds that differ in a dial can be compared: what does not depend on it is the same."""
    config = SyntheticConfig(**SMALL)
    first = make_world(config)
    text = make_world(config.model_copy(update={"nuisance": 0}))
    assert text.dataset.fingerprint() == first.dataset.fingerprint()
    assert text.dataset.catalogue["title"].equals(first.dataset.catalogue["title"])
    assert not text.dataset.catalogue["text"].equals(first.dataset.catalogue["text"])
    shares = make_world(config.model_copy(update={"shared_share": 0.1, "specific_share": 0.8}))
    np.testing.assert_array_equal(shares.shared_users, first.shared_users)
    np.testing.assert_array_equal(shares.specific_items, first.specific_items)
    assert shares.dataset.catalogue.equals(first.dataset.catalogue)
    assert shares.dataset.fingerprint() != first.dataset.fingerprint()


def test_choices_follow_the_softmax_of_the_utility() -> None:
    """First choices against the probabilities of the definition, summed over users by decile of probability."""
    world = make_world(SyntheticConfig(**{**SMALL, "n_users": 2000}))
    utility = world.utilities()
    chance = np.exp(utility - utility.max(1, keepdims=True))
    chance /= chance.sum(1, keepdims=True)
    first = world.interactions.group_by("user", maintain_order=True).first()["item"].to_numpy()
    chosen = np.zeros_like(chance)
    chosen[np.arange(len(chosen)), first] = 1
    bins = np.digitize(chance, [1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1])
    for b in range(7):
        expected = chance[bins == b].sum()
        variance = (chance * (1 - chance))[bins == b].sum()
        assert expected > 20
        assert abs(chosen[bins == b].sum() - expected) < 4 * np.sqrt(variance)


def test_interactions_come_from_the_planted_utility(only: dict[str, World]) -> None:
    for name, world in only.items():
        rows = taken(world).ravel()
        own = np.corrcoef(rows, world.utilities().ravel())[0, 1]
        assert own > 0.3
        # Tastes of the other kind are there, but nobody acts on them.
        for other in {"shared", "specific"} - {name}:
            users, items = (getattr(world, f"{other}_{side}") for side in ("users", "items"))
            assert abs(np.corrcoef(rows, (users @ items.T).ravel())[0, 1]) < 0.02


def test_only_shared_tastes_show_in_the_text(only: dict[str, World]) -> None:
    """The lift of text similarity is large with shared tastes, and 1 within its noise over seeds without."""
    lift, by_chance = text_lift(only["shared"])
    assert lift > 1.8 and by_chance > 0
    for name in ("specific", "popularity"):
        lifts = [
            text_lift(make_world(ONLY[name].model_copy(update={"seed": seed})))[0]
            for seed in range(5)
        ]
        assert abs(np.mean(lifts) - 1) < 0.03, (name, lifts)


def test_only_popularity_makes_popular_items(only: dict[str, World]) -> None:
    degrees = {name: np.sort(taken(world).sum(0))[::-1] for name, world in only.items()}
    assert gini(degrees["popularity"]) > 0.6
    assert gini(degrees["shared"]) < 0.25
    assert gini(degrees["specific"]) < 0.3
    # A tenth of the items takes most of the interactions, against little more than its part.
    top = {name: degree[:40].sum() / degree.sum() for name, degree in degrees.items()}
    assert top["popularity"] > 0.5 and top["shared"] < 0.2 and top["specific"] < 0.2
    planted = only["popularity"].popularity
    assert np.corrcoef(planted, np.log1p(taken(only["popularity"]).sum(0)))[0, 1] > 0.9


def test_text_tells_shared_factors_and_no_others(default: World) -> None:
    """A linear probe of the TF-IDF vectors finds topics, and neither specific traits nor popularity."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer().fit_transform(default.dataset.catalogue["text"].to_list())
    vectors = TruncatedSVD(64, random_state=0).fit_transform(counts)
    assert linear_probe_r2(vectors, default.shared_items[:, :N_TOPICS]) > 0.9
    assert linear_probe_r2(vectors, default.specific_items) < 0.02
    assert linear_probe_r2(vectors, default.popularity) < 0.02


def test_texts_name_the_topic_and_the_nuisance(default: World) -> None:
    words, phrases = subtopics(), list(nuisance_phrases().values())
    catalogue = default.dataset.catalogue
    assert catalogue["title"].is_unique().all()
    for row in range(default.config.n_items):
        text, title = catalogue["text"][row], catalogue["title"][row]
        part = words[default.subtopic[row]]
        assert f"Tags: {part.topic}, {part.name}." in text
        assert any(title.endswith(noun) for noun in part.nouns)
        assert sum(f"{sentence}." in text for sentence in part.sentences) == 2
        shown = [phrase for options in phrases for phrase in options if f"{phrase}." in text]
        assert shown == [phrases[k][v] for k, v in enumerate(default.nuisance[row])]
        assert len(shown) == default.config.nuisance
    sizes = np.bincount(default.subtopic)
    assert len(sizes) == 56 and sizes.max() - sizes.min() <= 1


def test_titles_stay_distinct_when_words_run_out() -> None:
    config = SyntheticConfig(n_users=20, n_items=450, n_topics=1, mean_interactions=5)
    titles = make_synthetic(config).catalogue["title"]
    assert titles.is_unique().all()
    assert titles.str.ends_with(", model 3").any()


def test_the_vocabulary_is_whole() -> None:
    parts = subtopics()
    assert len(parts) == N_TOPICS * SUBTOPICS_PER_TOPIC
    for number, part in enumerate(parts):
        assert part.topic == parts[number - number % SUBTOPICS_PER_TOPIC].topic
        assert len(set(part.modifiers)) == len(set(part.nouns)) == 7
        assert len(set(part.sentences)) == 4
    assert len({part.topic for part in parts}) == N_TOPICS
    assert len({part.name for part in parts}) == len(parts)
    phrases = nuisance_phrases().values()
    assert [len(set(options)) for options in phrases] == [PHRASES_PER_NUISANCE] * N_NUISANCE


def test_the_files_are_a_shops_files(tmp_path: Path) -> None:
    config = SyntheticConfig(**SMALL)
    world = write_synthetic(tmp_path / "shop", config)
    log = pl.read_csv(tmp_path / "shop" / "interactions.csv")
    assert log.columns == ["user_id", "item_id", "timestamp"]
    dataset = world.dataset
    pairs = np.array([dataset.users.rows(log["user_id"]), dataset.items.rows(log["item_id"])])
    np.testing.assert_array_equal(pairs, world.interactions["user", "item"].to_numpy().T)
    in_order = log.group_by("user_id").agg((pl.col("timestamp").diff().drop_nulls() > 0).all())
    assert in_order["timestamp"].all()
    assert log["timestamp"].min() >= 1_672_531_200
    items = [json.loads(line) for line in (tmp_path / "shop/items.jsonl").open(encoding="utf-8")]
    assert [item["item_id"] for item in items] == dataset.items.ids
    assert set(items[0]) == {"item_id", "title", "description", "tags"}
    assert [item["title"] for item in items] == dataset.catalogue["title"].to_list()

    before = (tmp_path / "shop/items.jsonl").read_bytes()
    with pytest.raises(DataError, match="exists already"):
        write_synthetic(tmp_path / "shop", config.model_copy(update={"seed": 1}))
    assert (tmp_path / "shop/items.jsonl").read_bytes() == before
    write_synthetic(tmp_path / "shop", config.model_copy(update={"seed": 1}), overwrite=True)
    assert (tmp_path / "shop/items.jsonl").read_bytes() != before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shared_share": 0.9}, "add up to 1.4, not 1"),
        ({"n_items": 200}, "14 topics need 280 items"),
        ({"n_users": 100}, "14 topics need 140 users"),
        ({"mean_interactions": 3.0}, "must lie between min_interactions"),
        ({"mean_interactions": 501.0}, "a quarter of the items"),
        ({"n_topics": 15}, "less than or equal to 14"),
        ({"nuisanse": 1}, "Extra inputs are not permitted"),
        ({"sharpness": float("nan")}, "finite number"),
    ],
)
def test_dials_out_of_range_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SyntheticConfig(**settings)


def test_every_dial_is_documented() -> None:
    for name, field in SyntheticConfig.model_fields.items():
        assert field.description, name


def test_planted_embeddings_hold_their_factors() -> None:
    world = planted_embeddings(n=300, d_shared=3, d_specific=2, dim=8, seed=3, noise=0.1)
    assert world.collaborative.shape == (300, 8) and world.language.shape == (300, 16)
    assert linear_probe_r2(world.collaborative, world.shared) > 0.97
    assert linear_probe_r2(world.language, world.shared) > 0.97
    assert linear_probe_r2(world.collaborative, world.collaborative_specific) > 0.97
    assert linear_probe_r2(world.language, world.language_specific) > 0.97
    assert linear_probe_r2(world.collaborative, world.language_specific) < 0.05
    assert linear_probe_r2(world.language, world.collaborative_specific) < 0.05
    noiseless = planted_embeddings(n=50, d_shared=3, d_specific=2, dim=5, noise=0.0)
    factors = np.concatenate([noiseless.shared, noiseless.collaborative_specific], axis=1)
    gram = noiseless.collaborative @ noiseless.collaborative.T
    np.testing.assert_allclose(gram, factors @ factors.T, atol=1e-4)
    with pytest.raises(ValueError, match="cannot hold 8 factors"):
        planted_embeddings(dim=7)


def test_the_probe_gives_the_r2_of_a_known_mixture() -> None:
    """y = x + noise of the same variance: half of it can be known."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3))
    y = x[:, 0] + rng.normal(size=4000)
    assert linear_probe_r2(x, y) == pytest.approx(0.5, abs=0.04)
    assert linear_probe_r2(x[:, 1:], y) == pytest.approx(0, abs=0.01)


def test_the_tiny_dataset_is_small_connected_and_split() -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    for seed in range(5):
        data = tiny_dataset(seed=seed, missing_text=2)
        for name, count in (("train", 6), ("valid", 2), ("test", 2)):
            assert (data.split(name).user_degree == count).all()
        nodes = data.n_users + data.n_items
        edges = (np.ones(len(data.train)), (data.train.users, data.train.items + data.n_users))
        assert connected_components(coo_array(edges, (nodes, nodes)), directed=False)[0] == 1
        own = (data.train.users % 4 == data.train.items % 4).mean()
        assert 0.5 < own < 0.8
        assert data.catalogue["text"].null_count() == 2
    assert tiny_dataset().fingerprint() == tiny_dataset().fingerprint()
