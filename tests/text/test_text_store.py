"""The store: killed at any moment it loses no finished batch, and damage is noticed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy

from darec.data.dataset import Dataset
from darec.errors import FolderError, TextError
from darec.lock import locked
from darec.text import embed, encode_dataset, load_text
from darec.text.store import TextStore

N_TEXTS, BATCH = 40, 4
KEPT = "darec.text.encoding.KEPT_AT_ONCE"

# Imports once, then runs a child for every line it is told to; a child's moment of death is the test's business.
NURSERY = """
import os, signal, sys, time, warnings
import numpy as np
from pathlib import Path
import darec.text.encoding
from darec.registry import ENCODERS
from darec.text import encode_dataset
from darec.text.encoders.base import Encoder

class Slow(Encoder):
    revision = "1"

    def encode(self, texts, corpus=None):
        time.sleep(0.03)
        with open(sys.argv[2], "a") as log:
            log.write("".join(text + "\\n" for text in texts))
        return np.array([[len(text), int(text.split()[1]) + 1] for text in texts], np.float32)

warnings.simplefilter("ignore")  # about forking with threads: none has been started yet
darec.text.encoding.KEPT_AT_ONCE = int(sys.argv[3])
ENCODERS.add("slow", Slow)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        encode_dataset(Path(sys.argv[1]), "slow", progress=False)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def many(make_dataset: Callable[..., Dataset], n: int = N_TEXTS) -> Dataset:
    return make_dataset([f"text {i} {'long ' * (i % 7)}" for i in range(n)], [(0, 0), (1, 1)])


def finished_texts(folder: Path, dataset: Dataset) -> set[str]:
    """The texts of the batches on disk, read without the store's own code for it."""
    by_key = {hashlib.sha256(t.encode()).digest(): t for t in dataset.catalogue["text"]}
    return {
        by_key[row.tobytes()]
        for file in folder.glob("pending-*/*.safetensors")
        for row in safetensors.numpy.load_file(file)["keys"]
    }


def test_kill_9_at_random_moments_loses_no_finished_batch(
    make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    dataset = many(make_dataset).save(tmp_path / "shop")
    log, store = tmp_path / "log", tmp_path / "shop" / "text" / "slow"
    chance = random.Random()  # moments differ from run to run; what is asserted does not
    statuses, kept = [], []
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(dataset.path), str(log), str(BATCH)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nursery:
        assert nursery.stdin and nursery.stdout
        while 0 not in statuses:
            finished = finished_texts(store, dataset)
            kept.append(len(finished))
            log.write_text("")
            nursery.stdin.write("go\n")
            nursery.stdin.flush()
            child = int(nursery.stdout.readline())
            if len(statuses) < 5:
                while len(statuses) < 2 and len(finished_texts(store, dataset)) == len(finished):
                    time.sleep(0.005)  # so that there is something to lose
                time.sleep(chance.uniform(0, 0.1))
                with contextlib.suppress(ProcessLookupError):  # it was quicker
                    os.kill(child, signal.SIGKILL)
            statuses.append(int(nursery.stdout.readline()))
            assert statuses[-1] in (0, -signal.SIGKILL)
            again = finished.intersection(log.read_text().splitlines())
            assert not again, f"encoded twice: {again}"
            assert finished <= finished_texts(store, dataset) or statuses[-1] == 0
        nursery.stdin.close()
    assert -signal.SIGKILL in statuses and max(kept) > 0
    expected = [[len(t), int(t.split()[1]) + 1] for t in dataset.catalogue["text"]]
    np.testing.assert_array_equal(load_text(dataset, "slow").items, expected)
    kinds = [p.name.partition("-")[0] for p in sorted(store.iterdir())]
    assert kinds == ["index", "meta.json", "vectors"]


def test_a_kill_at_every_single_step_leaves_old_or_new_and_goes_on(
    make_dataset: Callable[..., Dataset],
    fake: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is copied before and after each rename and deletion: what a kill there would leave."""
    monkeypatch.setattr(KEPT, BATCH)
    dataset = many(make_dataset, 12).save(tmp_path / "shop")
    encode_dataset(dataset, "fake", progress=False)
    old = load_text(dataset)
    texts = [f"other {i}" for i in range(12)]
    catalogue = dataset.catalogue.with_columns(pl.Series("text", texts))
    catalogue.write_parquet(tmp_path / "shop" / "items.parquet")
    new = embed(tmp_path / "shop", "fake", progress=False)

    copies: list[Path] = []

    def copy() -> None:
        copies.append(tmp_path / f"copy{len(copies)}")
        shutil.copytree(tmp_path / "shop", copies[-1])

    def spied(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            copy()
            result = original(*args, **kwargs)
            copy()
            return result

        return call

    with monkeypatch.context() as patch:
        for method in ("replace", "unlink"):
            patch.setattr(Path, method, spied(getattr(Path, method)))
        encode_dataset(tmp_path / "shop", "fake", progress=False)
    assert len(copies) > 20
    states = set()
    for path in copies:
        state = TextStore(path / "text" / "fake").read()
        assert state is not None
        assert state.vectors.tobytes() in (old.items.tobytes(), new.items.tobytes())
        states.add(state.vectors.tobytes())
        encode_dataset(path, "fake", progress=False)
        np.testing.assert_array_equal(load_text(path).items, new.items)
        assert not list((path / "text" / "fake").glob("*partial*"))
    assert len(states) == 2


def test_a_run_that_breaks_off_goes_on_with_what_it_has(
    make_dataset: Callable[..., Dataset],
    fake: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(KEPT, BATCH)
    dataset = many(make_dataset).save(tmp_path / "shop")
    break_off(dataset, fake, monkeypatch, after=3)
    assert len(finished_texts(tmp_path / "shop/text/fake", dataset)) == 3 * BATCH
    with pytest.raises(TextError, match="no language vectors"):
        load_text(dataset)
    done = {text for batch in fake.calls for text in batch}
    fake.calls.clear()
    report = encode_dataset(dataset, "fake", progress=False)
    assert (report.new, report.reused) == (N_TEXTS - 3 * BATCH, 3 * BATCH)
    assert f"{3 * BATCH} texts come from an interrupted run." in report.notices
    assert not done & {text for batch in fake.calls for text in batch}
    np.testing.assert_array_equal(
        load_text(dataset).items, embed(dataset, "fake", progress=False).items
    )


def break_off(dataset: Dataset, fake: type, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    original = fake.encode

    def encode(self: object, texts: list[str], corpus: object = None) -> np.ndarray:
        if len(fake.calls) == after:
            raise KeyboardInterrupt
        return original(self, texts)

    with monkeypatch.context() as patch:
        patch.setattr(fake, "encode", encode)
        with pytest.raises(KeyboardInterrupt):
            encode_dataset(dataset, "fake", progress=False)


def truncate(data: bytes) -> bytes:
    return data[:-5]


def flip(data: bytes) -> bytes:
    return data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]


@pytest.mark.parametrize("damage", [truncate, flip, lambda data: b""], ids=["cut", "flip", "empty"])
def test_a_damaged_batch_is_noticed_and_made_again(
    make_dataset: Callable[..., Dataset],
    fake: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr(KEPT, BATCH)
    dataset = many(make_dataset).save(tmp_path / "shop")
    break_off(dataset, fake, monkeypatch, after=3)
    victim = sorted((tmp_path / "shop/text/fake").glob("pending-*/*.safetensors"))[1]
    victim.write_bytes(damage(victim.read_bytes()))
    report = encode_dataset(dataset, "fake", progress=False)
    assert report.reused == 2 * BATCH
    assert any(notice.startswith("1 damaged batch") for notice in report.notices)
    np.testing.assert_array_equal(
        load_text(dataset).items, embed(dataset, "fake", progress=False).items
    )


@pytest.mark.parametrize("name", ["vectors-*.npy", "index-*.parquet", "meta.json"])
@pytest.mark.parametrize("damage", [truncate, flip], ids=["cut", "flip"])
def test_damaged_results_are_refused_on_loading_and_made_again_by_encoding(
    shop: Dataset, fake: type, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    shop = shop.save(tmp_path / "shop")
    encode_dataset(shop, "fake", progress=False)
    before = load_text(shop)
    victim = next((tmp_path / "shop/text/fake").glob(name))
    victim.write_bytes(damage(victim.read_bytes()))
    with pytest.raises(TextError, match="damaged"):
        load_text(shop)
    report = encode_dataset(shop, "fake", progress=False)
    assert report.new == 4
    assert any("are not used" in notice for notice in report.notices)
    np.testing.assert_array_equal(load_text(shop).items, before.items)


def test_a_lost_file_and_a_strange_format_are_refused(
    shop: Dataset, fake: type, tmp_path: Path
) -> None:
    shop = shop.save(tmp_path / "shop")
    encode_dataset(shop, "fake", progress=False)
    folder = tmp_path / "shop/text/fake"
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "format": 99}))
    with pytest.raises(TextError, match="format 99"):
        load_text(shop)
    (folder / "meta.json").write_text(json.dumps(meta))
    next(folder.glob("vectors-*")).unlink()
    with pytest.raises(TextError, match="is damaged"):
        load_text(shop)


def test_a_second_writer_is_refused_and_a_dead_ones_lock_is_not_in_the_way(
    shop: Dataset, fake: type, tmp_path: Path
) -> None:
    shop = shop.save(tmp_path / "shop")
    store = TextStore(tmp_path / "shop/text/fake")
    with locked(store.folder):
        with pytest.raises(FolderError, match=f"being written by process {os.getpid()}"):
            encode_dataset(shop, "fake", progress=False)
        assert fake.calls == []
    store.folder.mkdir(parents=True)
    (store.folder / ".lock").write_text("1\n")  # as a dead process leaves it
    assert encode_dataset(shop, "fake", progress=False).new == 4
