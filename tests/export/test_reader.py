"""A bundle reads new texts as its run does: the same vectors, rows and neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_bundle import scorers, shop

import darec
from darec.config import resolve_config
from darec.errors import TextError
from darec.export.bundle import Bundle
from darec.export.lexicon import Lexicon
from darec.export.reader import TextReader
from darec.run import Run
from darec.text.encoders.tfidf import TfidfConfig, TfidfEncoder

NEW = ["word1 and more", "word2 word3 word2", "MORE! Word0, wörd1"]


def reader_of(bundle: Bundle) -> TextReader:
    return TextReader(bundle.path, bundle.manifest["new_text"], bundle.item_vectors())


@pytest.mark.parametrize("kind", ["tables", "dense", "both"])
@pytest.mark.parametrize("reduced", [{}, {"pca": 3}, {"dimensions": 4}], ids=str)
def test_it_reads_as_the_run_does(kind: str, reduced: dict[str, int], tmp_path: Path) -> None:
    data = shop()
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 6}, **reduced)  # type: ignore[arg-type]
    run = Run(resolve_config(), data, scorers(data)[kind], {})
    cold = darec.ColdStart(run).fit()
    reader = reader_of(darec.export_bundle(run, tmp_path / "b"))
    vectors = reader.encode(NEW)
    expected, _ = cold.text_.encode(NEW, NEW)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    rows = reader.rows(vectors)
    if kind == "dense":
        assert rows is None
    else:
        np.testing.assert_allclose(rows, cold.transform(NEW), atol=1e-4)
    weights = reader.weights(vectors).toarray()
    np.testing.assert_allclose(weights, cold._weights(expected).toarray(), atol=1e-4)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    with pytest.raises(TextError, match=r"finds no known word in '\.\.\.'"):
        reader.encode(["word1", "..."])
    with pytest.raises(TextError, match="finds no known word"):
        reader.encode([""])


def test_a_lexicon_encodes_as_the_encoder_that_learned_it() -> None:
    corpus = ["Größe der Töpfe", "a pot, a POT and a lid", "露营 帐篷 for two", "lid lid lid", "x"]
    for pairs in (True, False):
        encoder = TfidfEncoder(TfidfConfig(dim=3, pairs=pairs, max_terms=20))
        words, idf, axes = encoder.learned(corpus)
        assert len(words) <= 20
        texts = [*corpus, "pot and größe", "unknown zzzz", "帐篷"]
        made = Lexicon(words, idf, axes, pairs=pairs).encode(texts)
        np.testing.assert_allclose(made, encoder.encode(texts, corpus), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"vectors": False}, "holds no language vectors"), ({}, "holds no language vectors")],
)
def test_a_bundle_says_why_it_reads_no_texts(options: Any, says: str, tmp_path: Path) -> None:
    data = shop()
    if options:
        darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 6})
    run = Run(resolve_config(), data, scorers(data)["both"], {})
    bundle = darec.export_bundle(run, tmp_path / "b", **options)
    assert says in bundle.manifest["new_text"]["why"]
    assert "reader.safetensors" not in bundle.manifest["files"]


def test_vectors_of_ids_read_no_texts(tmp_path: Path) -> None:
    data = shop().save(tmp_path / "data")
    np.save(tmp_path / "v.npy", np.random.default_rng(0).random((30, 5)).astype(np.float32))
    (tmp_path / "v.ids.txt").write_text("".join(f"i{n}\n" for n in range(30)))
    darec.encode_dataset(data, f"file:{tmp_path / 'v.npy'}", progress=False)
    run = Run(
        resolve_config(),
        data,
        scorers(data)["both"],
        {},
    )
    bundle = darec.export_bundle(run, tmp_path / "b")
    assert "looks vectors up and cannot encode new texts" in bundle.manifest["new_text"]["why"]
