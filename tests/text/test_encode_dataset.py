"""encode_dataset, load_text and embed: what is encoded, what is reused, what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from darec.data.dataset import Dataset
from darec.errors import ConfigError, TextError
from darec.ids.idmap import IdMap
from darec.text import embed, encode_dataset, load_text, stored_encoders
from darec.types import TextTable


def vector(text: str) -> np.ndarray:
    return (
        np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], np.uint8).astype(np.float32) + 1
    )


def retext(dataset: Dataset, texts: list[str | None]) -> Dataset:
    catalogue = dataset.catalogue.with_columns(pl.Series("text", texts, pl.String))
    catalogue.write_parquet(dataset.path / "items.parquet")
    return replace(dataset, catalogue=catalogue)


def assert_equal(a: TextTable, b: TextTable) -> None:
    for name in ("users", "items", "user_mask", "item_mask"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.name == b.name


def test_vectors_masks_counts_and_what_load_gives_back(
    shop: Dataset, fake: type, tmp_path: Path
) -> None:
    shop = shop.save(tmp_path / "shop")
    report = encode_dataset(shop, "fake", progress=False)
    assert (report.texts, report.new, report.reused, report.dim) == (4, 4, 0, 8)
    assert (report.items, report.missing_items, report.users) == (6, 2, 0)
    table = load_text(tmp_path / "shop")
    assert table.name == "fake" and table.dim == 8
    assert table.item_mask.tolist() == [True, True, True, False, False, True]
    texts = shop.catalogue["text"].to_list()
    present = np.stack([vector(texts[i]) for i in (0, 1, 2, 5)])
    np.testing.assert_array_equal(table.items[[0, 1, 2, 5]], present)
    np.testing.assert_allclose(table.items[[3, 4]], [present.mean(axis=0)] * 2, rtol=1e-6)
    assert table.user_mask.tolist() == [True, True, False, False]
    assert_equal(table, embed(shop, "fake", progress=False))


def test_provenance_is_kept(shop: Dataset, fake: type, tmp_path: Path) -> None:
    shop = replace(shop, manifest={"options": {"template": "{title}"}}).save(tmp_path / "shop")
    report = encode_dataset(shop, "fake", options={"shade": 2}, progress=False)
    assert report.path is not None
    meta = json.loads((report.path / "meta.json").read_text())
    assert (meta["encoder"], meta["revision"], meta["options"]) == ("fake", "1", {"shade": 2})
    assert meta["import"] == {"template": "{title}"}
    index = pl.read_parquet(next(report.path.glob("index-*.parquet")))
    texts = shop.catalogue["text"].to_list()
    assert index["id"].to_list() == shop.items.ids
    hashes = [hashlib.sha256(t.encode()).hexdigest() if t and t.strip() else None for t in texts]
    assert index["sha256"].to_list() == hashes


def test_only_new_and_changed_texts_are_encoded(shop: Dataset, fake: type, tmp_path: Path) -> None:
    shop = shop.save(tmp_path / "shop")
    encode_dataset(shop, "fake", progress=False)
    texts = shop.catalogue["text"].to_list()
    texts[0], texts[3] = "green train", texts[1]  # one changed, one new that equals another
    shop = retext(shop, texts)
    with pytest.raises(TextError, match=r"1 item of .* is new or has other text .*'i0'"):
        load_text(shop)
    fake.calls.clear()
    report = encode_dataset(shop, "fake", progress=False)
    assert fake.calls == [["green train"]]
    assert (report.texts, report.new, report.reused, report.missing_items) == (4, 1, 3, 1)
    np.testing.assert_array_equal(load_text(shop).items[0], vector("green train"))
    fake.calls.clear()
    assert encode_dataset(shop, "fake", progress=False).new == 0
    assert fake.calls == []


def test_importing_again_keeps_the_vectors_of_texts_that_stay(
    shop: Dataset, fake: type, make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    encode_dataset(shop.save(tmp_path / "shop"), "fake", progress=False)
    texts = ["board game", "a new kite", "red wooden train"]
    again = make_dataset(texts, [(0, 0), (1, 2)]).save(tmp_path / "shop", overwrite=True)
    report = encode_dataset(again, "fake", progress=False)
    assert (report.new, report.reused) == (1, 2)
    np.testing.assert_array_equal(load_text(again).items, np.stack([vector(t) for t in texts]))
    assert [p.name for p in tmp_path.iterdir()] == ["shop"]


def test_another_revision_or_setting_makes_everything_anew(
    shop: Dataset, fake: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop.save(tmp_path / "shop")
    encode_dataset(shop, "fake", progress=False)
    assert encode_dataset(shop, "fake", options={"shade": 1}, progress=False).new == 4
    monkeypatch.setattr(fake, "version", "2")
    assert encode_dataset(shop, "fake", options={"shade": 1}, progress=False).new == 4
    assert encode_dataset(shop, "fake", options={"shade": 1}, progress=False).new == 0


def test_longest_texts_go_first_each_distinct_one_once(
    make_dataset: Callable[..., Dataset], fake: type
) -> None:
    dataset = make_dataset(["bb", "a", "ccc", "a", "bb"], [(0, 0)])
    report = encode_dataset(dataset, "fake", progress=False)
    assert fake.calls == [["ccc", "bb", "a"]]
    assert report.path is None
    np.testing.assert_array_equal(report.vectors.items[3], vector("a"))
    np.testing.assert_array_equal(load_text(dataset).items, report.vectors.items)


def test_tfidf_is_made_again_as_a_whole(shop: Dataset, tmp_path: Path) -> None:
    shop = shop.save(tmp_path / "shop")
    assert encode_dataset(shop, "tfidf", progress=False).new == 4
    assert encode_dataset(shop, "tfidf", progress=False).new == 0
    texts = [*shop.catalogue["text"].to_list()[:5], "card game"]
    shop = retext(shop, texts)
    report = encode_dataset(shop, "tfidf", progress=False)
    assert (report.new, report.reused) == (4, 0)
    assert_equal(load_text(shop), embed(shop, "tfidf", progress=False))


def test_a_text_in_which_nothing_is_found_counts_as_missing(
    make_dataset: Callable[..., Dataset],
) -> None:
    dataset = make_dataset(["red train", "!!", "red boat"], [(0, 0), (0, 1), (1, 1)])
    report = encode_dataset(dataset, "tfidf", progress=False)
    assert report.missing_items == 1
    assert any(
        "the encoder found nothing in 1 text (first: item 'i1')" in n for n in report.notices
    )
    table = embed(dataset, "tfidf", progress=False)
    assert table.item_mask.tolist() == [True, False, True]
    assert table.user_mask.tolist() == [True, False, False, False]


def test_users_texts_are_encoded_by_the_same_encoder(
    shop: Dataset, fake: type, tmp_path: Path
) -> None:
    shop = shop.save(tmp_path / "shop")
    file = tmp_path / "users.jsonl"
    rows = [("u3", "likes trains"), ("u0", "board game"), ("u1", None), ("stranger", "x")]
    file.write_text("".join(json.dumps({"user_id": u, "text": t}) + "\n" for u, t in rows))
    report = encode_dataset(shop, "fake", users=file, progress=False)
    assert (report.users, report.missing_users, report.texts) == (4, 2, 5)
    assert any(
        "1 of 4 user texts is about users who are not in the dataset" in notice
        for notice in report.notices
    )
    table = load_text(shop)
    assert table.user_mask.tolist() == [True, False, False, True]
    known = np.stack([vector("board game"), vector("likes trains")])
    np.testing.assert_array_equal(table.users[[0, 3]], known)
    np.testing.assert_allclose(table.users[1], known.mean(axis=0), rtol=1e-6)
    assert_equal(table, embed(shop, "fake", users=dict(rows), progress=False))
    fake.calls.clear()
    encode_dataset(shop, "fake", progress=False)
    assert fake.calls == []
    assert_equal(load_text(shop), embed(shop, "fake", progress=False))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b'{"user_id": "u0", "text": 3}', "line 1: 'text' must be a string or null, not 3"),
        (b'{"user_id": "u0"}\n{"user_id": "u0"}', "line 2: user 'u0' already has a line"),
        (b'{"text": "x"}', "line 1: 'user_id' must be a string"),
        (b'{"user_id": "u0", "text": "\\ud800"}', "line 1: 'text' has half of a surrogate"),
        (b'{"user_id": "u0", "te', "line 1: not JSON"),
        (b'{"user_id": "U0", "text": "x"}', r"none of the users in .*users.jsonl \('U0', ...\)"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_bad_user_texts_are_refused(
    shop: Dataset, fake: type, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "users.jsonl").write_bytes(content)
    with pytest.raises(TextError, match=message):
        encode_dataset(shop, "fake", users=tmp_path / "users.jsonl", progress=False)


def test_options_that_do_not_go_together_are_refused(shop: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ids are only for file:VECTORS\.npy"):
        encode_dataset(shop, "tfidf", ids=tmp_path / "ids.txt", progress=False)
    with pytest.raises(ConfigError, match="cannot encode texts of users"):
        encode_dataset(shop, "file:x.npy", users={"u0": "x"}, progress=False)


def test_a_shop_without_text_is_refused(make_dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(TextError, match="no item of the dataset has text"):
        encode_dataset(make_dataset([None, " "], [(0, 0)]), "tfidf", progress=False)


def test_a_failing_encoder_leaves_the_stored_vectors_in_force(
    shop: Dataset, fake: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop.save(tmp_path / "shop")
    encode_dataset(shop, "fake", progress=False)
    before = load_text(shop)
    monkeypatch.setattr(fake, "version", "2")
    for bad, message in (
        (np.nan, "NaN or infinity of the text of item 'i2'"),
        (0, "found nothing"),
    ):
        monkeypatch.setattr(
            fake, "encode", lambda self, texts, corpus=None, x=bad: np.full((len(texts), 8), x)
        )
        with pytest.raises(TextError, match=message):
            encode_dataset(shop, "fake", progress=False)
        assert_equal(load_text(shop), before)


def test_load_takes_the_latest_or_the_named_and_says_what_there_is(
    shop: Dataset, fake: type, tmp_path: Path
) -> None:
    shop = shop.save(tmp_path / "shop")
    with pytest.raises(TextError, match=r"no language vectors in .*run darec\.encode_dataset"):
        load_text(shop)
    encode_dataset(shop, "tfidf", progress=False)
    encode_dataset(shop, "fake", progress=False)
    assert stored_encoders(shop) == ["fake", "tfidf"]
    assert load_text(shop).name == "fake"
    assert load_text(shop, "tfidf").name == "tfidf"
    encode_dataset(shop, "tfidf", progress=False)
    assert load_text(shop).name == "tfidf"
    (tmp_path / "shop/text/fake/meta.json").write_text("{")
    assert load_text(shop, "tfidf").name == "tfidf"  # another one's damage is not in the way
    with pytest.raises(TextError, match="damaged"):
        load_text(shop, "fake")
    with pytest.raises(TextError, match=r"it has tfidf.*darec\.encode_dataset.*encoder='minilm'"):
        load_text(shop, "minilm")


def test_the_real_vectors_come_back_by_id_in_the_datasets_own_order(
    shared_data: Callable[[str], Path], make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    folder = shared_data("steam")
    ids = [json.loads(line)["item_id"] for line in (folder / "items.jsonl").open()]
    dataset = make_dataset(["text"] * 3, [(0, 0)])
    chosen = [4000, 7, 123]
    dataset = replace(dataset, items=IdMap("item", [ids[n] for n in chosen])).save(
        tmp_path / "steam"
    )
    spec = f"file:{folder / 'item_embeddings_minilm.npy'}"
    report = encode_dataset(dataset, spec, progress=False)
    expected = np.load(folder / "item_embeddings_minilm.npy")[chosen].astype(np.float32)
    np.testing.assert_array_equal(load_text(dataset, spec).items, expected)
    assert any(
        f"{len(ids) - 3} of {len(ids)} vectors are left out because the dataset" in n
        for n in report.notices
    )
