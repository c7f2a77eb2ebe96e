"""Texts that came after a dataset was encoded: the same vectors as if they had been there, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from darec.data.dataset import Dataset
from darec.errors import TextError
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset, load_text
from darec.text.new import NewTexts


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    saved = tiny_dataset(missing_text=2).save(tmp_path / "data")
    encode_dataset(saved, "tfidf", options={"dim": 6}, progress=False)
    return saved


def test_known_texts_get_their_stored_vectors(data: Dataset) -> None:
    stored = load_text(data, "tfidf")
    vectors, found = NewTexts(data).encode(data.catalogue["text"].to_list())
    assert (found == stored.item_mask).all() and not found[-2:].any()
    assert vectors[found] == pytest.approx(stored.items[found], abs=1e-5)


@pytest.mark.parametrize("reduction", [{"pca": 3}, {"dimensions": 3}])
def test_known_texts_get_their_reduced_vectors(data: Dataset, reduction: dict[str, int]) -> None:
    encode_dataset(data, "tfidf", options={"dim": 6}, progress=False, **reduction)
    stored = load_text(data, "tfidf")
    vectors, found = NewTexts(data).encode(data.catalogue["text"].to_list())
    assert vectors.shape == (data.n_items, 3)
    assert vectors[found] == pytest.approx(stored.items[found], abs=1e-5)


def test_a_new_text_is_told_by_the_fitted_vocabulary(data: Dataset) -> None:
    text = str(data.catalogue["text"][0])
    encoder = NewTexts(data, "tfidf")
    vectors, found = encoder.encode([text, text + " невиданное", "совсем иное", None, " "])
    assert found.tolist() == [True, True, False, False, False]
    assert vectors[1] == pytest.approx(vectors[0], abs=1e-6)  # new terms count for nothing
    assert not vectors[2:].any()


def test_encoders_that_cannot_encode_are_refused(data: Dataset, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(40, dtype=np.float32))
    (tmp_path / "v.ids.json").write_text(json.dumps(data.items.ids))
    encode_dataset(data, f"file:{tmp_path / 'v.npy'}", progress=False)
    with pytest.raises(TextError, match="looks vectors up and cannot encode new texts"):
        NewTexts(data, f"file:{tmp_path / 'v.npy'}")
    with pytest.raises(TextError, match="cannot be made for new items"):
        NewTexts(data, source="profiles")
    with pytest.raises(TextError, match=r"run darec\.encode_dataset"):
        NewTexts(data, "minilm")


def test_an_encoder_that_has_changed_is_refused(data: Dataset) -> None:
    """Other texts were fitted on than the dataset holds now, though each has its vector."""
    kept = np.arange(0, 40, 2)
    fewer = Dataset(
        data.users, data.items, data.train, data.valid, data.test,
        data.catalogue.with_row_index().with_columns(
            data.catalogue["text"].gather((kept.repeat(2)).tolist()).alias("text")
        ).drop("index"),
        path=data.path,
    )  # fmt: skip
    with pytest.raises(TextError, match="no longer makes the vectors"):
        NewTexts(fewer).encode(["theme1"])
