"""Encoding a dataset that is nowhere on disk, and writing both out afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.testing.worlds import tiny_dataset
from darec.text import embed, encode_dataset, load_text, stored_encoders
from darec.text.new import NewTexts


def test_vectors_in_memory_are_those_on_disk(tmp_path: Path) -> None:
    data, saved = tiny_dataset(), tiny_dataset().save(tmp_path / "data")
    for dataset in (data, saved):
        encode_dataset(dataset, "tfidf", progress=False, options={"dim": 4})
        encode_dataset(dataset, "tfidf", source="titles", progress=False, options={"dim": 3})
    assert not data.path and sorted(data.vectors) == ["tfidf", "tfidf@titles"]
    for sources in (["text"], ["titles"], ["text", "titles"]):
        mine, theirs = (load_text(one, "tfidf", sources=sources) for one in (data, saved))
        assert mine.fingerprint() == theirs.fingerprint()
    texts = ["something about item 3", None]
    mine, theirs = (NewTexts(one, "tfidf").encode(texts)[0] for one in (data, saved))
    assert np.array_equal(mine, theirs)


def test_saving_a_dataset_writes_its_vectors(tmp_path: Path) -> None:
    data = tiny_dataset()
    encode_dataset(data, "tfidf", progress=False, options={"dim": 4}, pca=2)
    saved = data.save(tmp_path / "data")
    assert saved.vectors == {} and stored_encoders(saved) == stored_encoders(data) == ["tfidf"]
    assert load_text(Dataset.load(tmp_path / "data")).fingerprint() == load_text(data).fingerprint()
    assert encode_dataset(saved, "tfidf", progress=False, options={"dim": 4}).reused
    # What an earlier dataset there had is kept, unless the new one has the same.
    encode_dataset(saved, "tfidf", source="titles", progress=False, options={"dim": 3})
    again = data.save(tmp_path / "data", overwrite=True)
    assert load_text(again).dim == 2
    assert load_text(again, sources=["titles"]).dim == 3


def test_the_latest_of_several_is_read() -> None:
    data = tiny_dataset()
    encode_dataset(data, "tfidf", progress=False, options={"dim": 4})
    encode_dataset(data, "tfidf", progress=False, options={"dim": 3})
    assert load_text(data).dim == 3


def test_embedding_leaves_no_trace() -> None:
    data = tiny_dataset()
    embed(data, "tfidf", progress=False, options={"dim": 4})
    assert data.vectors == {}


def test_what_is_missing_is_named_in_python() -> None:
    data = tiny_dataset()
    with pytest.raises(
        TextError, match=r"this dataset: call darec.encode_dataset\(data, 'tfidf'\)"
    ):
        load_text(data)
    encode_dataset(data, "tfidf", progress=False, options={"dim": 4})
    with pytest.raises(TextError, match=r"it has tfidf.*\(data, 'minilm'\)"):
        load_text(data, "minilm")
    with pytest.raises(TextError, match=r"call .*\(data, 'tfidf', source='titles'\)"):
        load_text(data, sources=["titles"])
    texts = data.catalogue.with_columns(text=data.catalogue["text"] + " new")
    with pytest.raises(TextError, match=r"have other text since 'tfidf' was encoded.*call darec"):
        load_text(replace(data, catalogue=texts))
