"""Half precision, mapped files, fewer dimensions, counted cuts and shards, against known answers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from darec.data.dataset import Dataset
from darec.errors import ConfigError, TextError
from darec.registry import ENCODERS
from darec.text import EncodeReport, embed, encode_dataset, load_text
from darec.text.encoders.base import Encoder
from darec.text.reduce import Reduction
from darec.text.shards import Shard
from darec.text.store import TextStore
from darec.text.table import spread

TEXTS = [f"text {n} {'long ' * (n % 7)}" for n in range(40)] + ["text 3 long long long ", None]


@pytest.fixture
def saved(make_dataset: Callable[..., Dataset], tmp_path: Path) -> Dataset:
    make_dataset(TEXTS, [(0, 0), (1, 1), (2, 40)]).save(tmp_path / "shop")
    return Dataset.load(tmp_path / "shop")


def is_mapped(table: np.ndarray) -> bool:
    base: object = table
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False


def fake_vector(text: str) -> np.ndarray:
    """What the fixture ``fake`` makes of a text."""
    first = hashlib.sha256(text.encode()).digest()[:8]
    return np.frombuffer(first, np.uint8).astype(np.float32) + 1


def encode(dataset: Dataset, **arguments: object) -> EncodeReport:
    return encode_dataset(dataset, "fake", progress=False, **arguments)  # type: ignore[arg-type]


# --- precision and mapping


def test_float16_halves_the_file_and_a_higher_precision_is_encoded_anew(
    saved: Dataset, fake: type[Encoder]
) -> None:
    encode(saved, precision="float16")
    store = TextStore(saved.path / "text" / "fake")
    assert store.read().vectors.dtype == np.float16
    assert load_text(saved, "fake").items.dtype == np.float32
    assert encode(saved, precision="float16").new == 0
    assert encode(saved, precision="float32").new == 40
    assert encode(saved, precision="float16").new == 0  # float32 is rounded, not made again


def test_what_is_in_memory_is_what_a_later_run_reads(
    saved: Dataset, fake: type[Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fake,
        "encode",
        lambda self, texts, corpus=None: np.stack([fake_vector(t) / 7 for t in texts]),
    )
    held = embed(saved, "fake", precision="float16", progress=False)
    encode(saved, precision="float16")
    np.testing.assert_array_equal(load_text(saved, "fake").items, held.items)
    exact = np.stack([fake_vector(text) / 7 for text in TEXTS[:40]])
    np.testing.assert_allclose(held.items[:40], exact, rtol=2**-11)
    assert (held.items[:40] != exact).any()


def test_numbers_beyond_float16_are_refused(
    saved: Dataset, fake: type[Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fake, "encode", lambda self, texts, corpus=None: np.full((len(texts), 2), 7e4)
    )
    with pytest.raises(TextError, match="precision='float32'"):
        encode(saved, precision="float16")


def test_a_float32_store_in_the_datasets_order_is_mapped_and_not_copied(
    make_dataset: Callable[..., Dataset], tmp_path: Path, fake: type[Encoder]
) -> None:
    make_dataset(TEXTS[:40], [(0, 0)]).save(tmp_path / "shop")
    data = Dataset.load(tmp_path / "shop")
    encode(data)
    table = load_text(data, "fake")
    assert is_mapped(table.items)
    table.items[0] = 0  # a private page: the file keeps what it has
    np.testing.assert_array_equal(load_text(data, "fake").items[0], fake_vector(TEXTS[0]))


def test_spread_puts_rows_where_they_belong() -> None:
    matrix = np.arange(8, dtype=np.float16).reshape(4, 2)
    table, mask = spread(matrix, np.array([3, -1, 0, 1, 1]))
    np.testing.assert_array_equal(table, [[6, 7], [0, 0], [0, 1], [2, 3], [2, 3]])
    np.testing.assert_array_equal(mask, [True, False, True, True, True])


def test_a_store_of_format_1_is_read_and_reused(saved: Dataset, fake: type[Encoder]) -> None:
    encode(saved)
    before, folder = load_text(saved, "fake"), saved.path / "text" / "fake"
    stored = TextStore(folder).read()
    meta = {key: value for key, value in stored.meta.items() if key not in ("format", "files")}
    TextStore(folder).commit(meta, stored.index.drop("tokens"), np.array(stored.full))
    written = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**written, "format": 1}))
    np.testing.assert_array_equal(load_text(saved, "fake").items, before.items)
    assert encode(saved).new == 0


# --- fewer dimensions


def test_pca_equals_scikit_learns_on_the_distinct_item_texts(
    saved: Dataset, fake: type[Encoder]
) -> None:
    from sklearn.decomposition import PCA

    report = encode(saved, pca=3)
    full = np.stack([fake_vector(text) for text in TEXTS[:40]])
    pca = PCA(3, svd_solver="full").fit(full)
    ours, theirs = load_text(saved, "fake").items[:40], pca.transform(full)
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours * signs, theirs, rtol=1e-4, atol=1e-3)
    assert report.explained == pytest.approx(pca.explained_variance_ratio_.sum())
    reduction = TextStore(saved.path / "text" / "fake").meta()["reduction"]
    np.testing.assert_allclose(reduction["ratios"], pca.explained_variance_ratio_, rtol=1e-6)


def test_the_first_dimensions_keep_each_rows_length_and_going_back_costs_nothing(
    saved: Dataset, fake: type[Encoder]
) -> None:
    assert encode(saved, dimensions=3).new == 40
    full = fake_vector(TEXTS[5])
    expected = full[:3] / np.linalg.norm(full[:3]) * np.linalg.norm(full)
    np.testing.assert_allclose(load_text(saved, "fake").items[5], expected, rtol=1e-6)
    report = encode(saved)
    assert (report.new, report.dim) == (0, 8)
    np.testing.assert_array_equal(load_text(saved, "fake").items[5], full)


def test_rows_of_zeros_stay_zeros_and_are_not_fitted_on() -> None:
    matrix = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    padded = np.concatenate([matrix, np.zeros((9, 5), np.float32)])
    alone, _ = Reduction("pca", 2).apply(matrix, np.ones(30, bool))
    table, _ = Reduction("pca", 2).apply(padded, np.ones(39, bool))
    np.testing.assert_array_equal(table[:30], alone)
    assert not table[30:].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pca": 9}, "9 dimensions of 8"),
        ({"dimensions": 0}, "at least 1 dimension"),
        ({"dimensions": 2, "pca": 2}, "cannot be combined"),
        ({"dimensions": 2, "shard": "1/2"}, "reduced with merge"),
        ({"shard": "1/2", "merge": True}, "cannot be combined"),
        ({"shard": "3/2"}, "write it like 2/8"),
    ],
)
def test_what_does_not_go_together_is_refused(
    saved: Dataset, fake: type[Encoder], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        encode(saved, **options)


def test_pca_beyond_what_the_texts_span_is_refused() -> None:
    flat = np.outer(np.arange(1, 6), np.ones(4)).astype(np.float32)
    with pytest.raises(ConfigError, match="span 1 dimensions"):
        Reduction("pca", 2).apply(flat, np.ones(5, bool))


# --- tokens


def test_cut_texts_are_counted_over_reuse_and_encoded_longest_first(
    saved: Dataset, fake: type[Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(fake):  # type: ignore[valid-type, misc]
        """A word is a token."""

        limit = 4

        def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
            return np.array([len(text.split()) for text in texts])

    monkeypatch.setitem(ENCODERS._parts, "fake", Counting)
    report = encode(saved)
    expected = sum(len(text.split()) > 4 for text in TEXTS[:40])
    assert (report.truncated, report.limit) == (expected, 4)
    assert f"{expected} of 40 texts are cut to 4 tokens." in report.notices
    words = [len(text.split()) for batch in Counting.calls for text in batch]
    assert words == sorted(words, reverse=True)
    monkeypatch.setattr(Counting, "count_tokens", None)  # not asked again
    assert encode(saved).truncated == expected
    meta = TextStore(saved.path / "text" / "fake").meta()
    assert (meta["truncated"], meta["limit"]) == (expected, 4)


# --- shards


def test_merged_shards_equal_the_single_run(
    saved: Dataset, fake: type[Encoder], tmp_path: Path
) -> None:
    shutil.copytree(saved.path, tmp_path / "single")
    encode(Dataset.load(tmp_path / "single"))
    calls = []
    for number in (3, 1, 2):
        fake.calls.clear()
        report = encode(saved, shard=f"{number}/3")
        calls += [text for batch in fake.calls for text in batch]
        assert (report.shard, report.missing_items) == (f"{number}/3", 0)
    assert sorted(calls) == sorted({text for text in TEXTS if text})  # each once, none twice
    fake.calls.clear()
    merged = encode(saved, merge=True)
    assert (merged.new, merged.texts, fake.calls) == (0, 40, [])
    for stem in ("vectors-*.npy", "index-*.parquet"):  # the names hold the contents' hashes
        ours, single = (
            sorted(path.name for path in (folder / "text" / "fake").glob(stem))
            for folder in (saved.path, tmp_path / "single")
        )
        assert ours == single


def test_a_shard_without_texts_does_no_harm(
    make_dataset: Callable[..., Dataset], tmp_path: Path, fake: type[Encoder]
) -> None:
    make_dataset(["one", "two"], [(0, 0)]).save(tmp_path / "shop")
    data = Dataset.load(tmp_path / "shop")
    reports = [encode(data, shard=f"{number}/5") for number in range(1, 6)]
    assert sorted(report.texts for report in reports)[:3] == [0, 0, 0]
    assert encode(data, merge=True).texts == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda place, data: shutil.rmtree(place / "2-of-3"), r"lacks shard 2/3: .*shard 2/3"),
        (lambda place, data: shutil.rmtree(place), r"no shards in .*shard 1/N"),
        (lambda place, data: encode(data, shard="1/2"), "shards of 2 and of 3, which overlap"),
        (
            lambda place, data: (
                shutil.rmtree(place / "2-of-3"),
                shutil.copytree(place / "1-of-3", place / "2-of-3"),
            ),
            "has shard 1/3, so two shards overlap",
        ),
        (
            lambda place, data: encode(data, shard="2/3", options={"shade": 1}),
            "2-of-3 was made with other settings",
        ),
        (
            lambda place, data: next((place / "1-of-3").glob("vectors-*")).write_bytes(b"x"),
            "is damaged",
        ),
    ],
)
def test_shards_that_make_no_whole_are_refused(
    saved: Dataset,
    fake: type[Encoder],
    spoil: Callable[[Path, Dataset], object],
    message: str,
) -> None:
    for number in (1, 2, 3):
        encode(saved, shard=f"{number}/3")
    spoil(saved.path / "text" / "fake.shards", saved)
    with pytest.raises(TextError, match=message):
        encode(saved, merge=True)
    assert not (saved.path / "text" / "fake" / "meta.json").exists()


def test_shards_of_other_texts_are_refused(
    saved: Dataset,
    make_dataset: Callable[..., Dataset],
    fake: type[Encoder],
    tmp_path: Path,
) -> None:
    other = make_dataset([*TEXTS[:-1], "something new"], [(0, 0)])
    other.save(tmp_path / "other")
    for number in (1, 2):
        encode(Dataset.load(tmp_path / "other"), shard=f"{number}/2")
    shutil.copytree(tmp_path / "other/text/fake.shards", saved.path / "text" / "fake.shards")
    with pytest.raises(TextError, match="holds 1 that are not in it"):
        encode(saved, merge=True)


def test_encoders_that_need_all_texts_are_not_sharded(saved: Dataset) -> None:
    with pytest.raises(ConfigError, match="'tfidf' needs all texts at once"):
        encode_dataset(saved, "tfidf", shard="1/2", progress=False)


def test_a_shard_holds_what_its_hash_says() -> None:
    keys = [f"{n:016x}ff" for n in range(20)]
    held = [[key for key in keys if Shard(i, 3).holds(key)] for i in (1, 2, 3)]
    assert [len(part) for part in held] == [7, 7, 6]
    assert sorted(key for part in held for key in part) == keys
