"""A dataset that is written or overwritten is the old one or the new one after a kill at any moment."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from darec.api import load_dataset
from darec.data.build import import_dataset
from darec.data.dataset import Dataset
from darec.errors import DataError, FolderError
from darec.lock import locked
from darec.swap import NEXT
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

PAID = "profiles/m/answers.jsonl"
STEPS = [
    (Path, "rename"), (Path, "replace"), (Path, "unlink"), (Path, "rmdir"), (Path, "mkdir"), (os, "fsync"),
    (shutil, "rmtree"),
]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def kills(root: Path, work: Callable[[], object], patch: pytest.MonkeyPatch) -> list[Path]:
    """Do the work in ``root`` and give copies of it from before and after each step: what a kill there leaves."""
    copies: list[Path] = []

    def copy() -> None:
        copies.append(root.with_name(f"{root.name}-{len(copies)}"))
        shutil.copytree(root, copies[-1])

    def spied(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            with patch.context() as bare:
                for kind, name in STEPS:
                    bare.setattr(kind, name, originals[kind, name])
                copy()
                result = original(*args, **kwargs)
                copy()
            return result

        return call

    originals = {(kind, name): getattr(kind, name) for kind, name in STEPS}
    with patch.context() as spy:
        for (kind, name), original in originals.items():
            spy.setattr(kind, name, spied(original))
        work()
    return copies


def test_a_kill_at_every_step_of_an_overwrite_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (tiny_dataset(seed=seed) for seed in (0, 1))
    assert old.fingerprint() != new.fingerprint()
    root = tmp_path / "here"
    stored = old.save(root / "shop")
    encode_dataset(stored, "tfidf", options={"dim": 4}, progress=False)
    vectors = contents(root / "shop/text")
    assert vectors
    (root / "shop" / PAID).parent.mkdir(parents=True)
    (root / "shop" / PAID).write_text("paid for\n")
    (root / "shop" / "notes.txt").write_text("mine\n")

    copies = kills(root, lambda: new.save(root / "shop", overwrite=True), monkeypatch)
    assert len(copies) > 30
    found = []
    for copy in copies:
        # Every command begins with one of these two; each gets a copy of its own.
        shutil.copytree(copy, again := copy.with_name(f"{copy.name}-again"))
        dataset = load_dataset(copy / "shop")
        found.append(dataset.fingerprint() == new.fingerprint())
        assert dataset.fingerprint() in (old.fingerprint(), new.fingerprint())
        old.save(again / "shop", overwrite=True)
        assert Dataset.load(again / "shop").fingerprint() == old.fingerprint()
        for path in (copy, again):
            assert (path / "shop" / PAID).read_text() == "paid for\n"
            assert (path / "shop" / "notes.txt").read_text() == "mine\n"
            assert contents(path / "shop/text") == vectors
            assert not (path / "shop" / NEXT).exists()
            assert [entry.name for entry in path.iterdir()] == ["shop"]
    assert found == sorted(found) and len(set(found)) == 2  # at one moment, and never back


def test_a_kill_at_every_step_of_a_first_import_leaves_all_or_a_free_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, root = tiny_dataset(), tmp_path / "here"
    root.mkdir()
    copies = kills(root, lambda: dataset.save(root / "shop"), monkeypatch)
    loaded = 0
    for copy in copies:
        try:
            assert Dataset.load(copy / "shop").fingerprint() == dataset.fingerprint()
            loaded += 1
        except DataError:
            dataset.save(copy / "shop")
            assert Dataset.load(copy / "shop").fingerprint() == dataset.fingerprint()
    assert 0 < loaded < len(copies)


def test_cold_items_of_the_dataset_before_are_gone(tmp_path: Path) -> None:
    world = tiny_dataset()
    pairs = zip(world.train.users.tolist(), world.train.items.tolist(), strict=True)
    import_dataset(list(pairs), split="cold-items", cold_share=0.3, out=tmp_path / "shop")
    assert Dataset.load(tmp_path / "shop").cold
    world.save(tmp_path / "shop", overwrite=True)
    assert not Dataset.load(tmp_path / "shop").cold
    assert not list((tmp_path / "shop").glob("cold-*"))


def test_a_reader_sees_one_of_the_two_while_it_is_overwritten(tmp_path: Path) -> None:
    both = [tiny_dataset(seed=seed) for seed in (0, 1)]
    prints = {dataset.fingerprint() for dataset in both}
    both[0].save(tmp_path / "shop")

    def write() -> None:
        for turn in range(20):
            both[turn % 2].save(tmp_path / "shop", overwrite=True)

    seen = set()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            seen.add(Dataset.load(tmp_path / "shop").fingerprint())
        writing.result()
    assert seen <= prints


def test_a_writer_waits_for_a_reader_that_finishes_a_replacement(tmp_path: Path) -> None:
    tiny_dataset().save(tmp_path / "shop")
    new = tiny_dataset(seed=1)
    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path / "shop"):
            writing = pool.submit(lambda: new.save(tmp_path / "shop", overwrite=True))
            time.sleep(0.1)
            assert not writing.done()
        writing.result()
    assert Dataset.load(tmp_path / "shop").fingerprint() == new.fingerprint()


def test_two_writers_are_one_and_a_refusal(tmp_path: Path) -> None:
    tiny_dataset().save(tmp_path / "shop")
    before = (tmp_path / "shop/manifest.json").read_bytes()
    with locked(tmp_path / "shop"), pytest.raises(FolderError, match="being written by process"):
        tiny_dataset(seed=1).save(tmp_path / "shop", overwrite=True)
    assert (tmp_path / "shop/manifest.json").read_bytes() == before
    (tmp_path / "shop/manifest.json").rename(tmp_path / "shop/x")
    with pytest.raises(DataError, match="is not a dataset"):
        tiny_dataset(seed=1).save(tmp_path / "shop", overwrite=True)
