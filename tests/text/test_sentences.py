"""A small sentence-transformers model, made here: batches, exact counts, vectors that no batch changes; on Ray too."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.data.dataset import Dataset
from darec.text import encode_dataset
from darec.text.batching import token_batches
from darec.text.inputs import make_encoder
from darec.text.store import TextStore

needs_models = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None,
    reason="the extra 'text' is not installed",
)
WORDS = [f"w{n}" for n in range(60)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Spec of a two-layer BERT with random weights that knows sixty words and cuts after 12 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    (folder / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=65,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=12)
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save(
        str(folder / "whole")
    )
    return f"sentence-transformers:{folder / 'whole'}"


def sentences(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 15))) for _ in range(n)]


@given(
    st.lists(st.integers(1, 9), max_size=40), st.integers(1, 30), st.integers(1, 8), st.booleans()
)
def test_every_text_is_in_one_batch_that_keeps_to_the_budget(
    lengths: list[int], budget: int, most: int, padded: bool
) -> None:
    tokens = np.array(lengths, np.int64)
    batches = token_batches(tokens, budget, most, padded=padded)
    assert sorted(np.concatenate([*batches, np.empty(0, np.int64)]).tolist()) == [
        *range(len(lengths))
    ]
    for rows in batches:
        assert len(rows) <= most
        assert len(rows) == 1 or len(rows) * tokens[rows].max() <= budget
        assert padded or len(set(tokens[rows])) == 1


@needs_models
def test_vectors_are_the_models_own_and_do_not_depend_on_the_batch(model: str) -> None:
    texts = sentences(120)
    encoder, _ = make_encoder(model)
    together = encoder.encode(texts)
    theirs = encoder.model().encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(together, theirs, atol=1e-6)
    order = np.random.default_rng(1).permutation(120)
    for rows in (*np.array_split(order, 9), [7]):
        np.testing.assert_array_equal(encoder.encode([texts[row] for row in rows]), together[rows])


@needs_models
def test_padded_batches_agree_to_rounding(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = sentences(60)
    exact = make_encoder(model)[0].encode(texts)
    padded = make_encoder(model, {"batch_tokens": 100}, device="cpu:0")[0].encode(texts)
    np.testing.assert_allclose(padded, exact, atol=1e-6)


@needs_models
def test_cut_texts_are_counted_by_the_models_own_tokenizer(
    model: str, make_dataset: Callable[..., Dataset]
) -> None:
    texts = [" ".join(WORDS[:n]) for n in range(1, 15)]  # a token a word, and two for the ends
    report = encode_dataset(make_dataset(texts, [(0, 0)]), model, progress=False)
    assert (report.limit, report.truncated) == (12, 4)
    encoder, _ = make_encoder(model)
    np.testing.assert_array_equal(encoder.count_tokens(texts), np.arange(3, 17))
    vectors = encoder.encode(texts)
    np.testing.assert_allclose(vectors[9], vectors[13], atol=1e-6)  # what is cut is not read


@needs_models
def test_shards_with_a_real_model_are_the_single_run_to_the_bit(
    model: str, make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    for name in ("single", "parts"):
        make_dataset(sentences(300), [(0, 0)]).save(tmp_path / name)
    encode_dataset(tmp_path / "single", model, precision="float32", progress=False)
    for number in (1, 2, 3):
        encode_dataset(
            tmp_path / "parts", model, precision="float32", shard=f"{number}/3", progress=False
        )
    encode_dataset(tmp_path / "parts", model, precision="float32", merge=True, progress=False)
    assert len({_vectors(tmp_path / name).tobytes() for name in ("single", "parts")}) == 1


@needs_models
@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed"
)
def test_a_ray_job_gives_the_single_run_to_the_bit_and_says_what_failed(
    model: str,
    make_dataset: Callable[..., Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray

    from darec.errors import TextError
    from darec.text.ray_job import RayBatches

    for name in ("single", "cluster"):
        make_dataset(sentences(3000), [(0, 0)]).save(tmp_path / name)
    single = encode_dataset(tmp_path / "single", model, progress=False)
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    try:
        report = encode_dataset(tmp_path / "cluster", model, ray=2, progress=False)
        assert (report.new, report.truncated) == (single.new, single.truncated)
        assert single.new > 2500
        assert len({_vectors(tmp_path / name).tobytes() for name in ("single", "cluster")}) == 1
        with pytest.raises(TextError, match=r"a Ray worker failed .*install the same on all"):
            list(RayBatches(model, {}, "cpu", "other weights", 1)([["w1 w2"]]))
    finally:
        ray.shutdown()


def _vectors(folder: Path) -> np.ndarray:
    store = next((folder / "text").glob("sentence-transformers-*/meta.json")).parent
    stored = TextStore(store).read()
    assert stored is not None
    return np.array(stored.full)
