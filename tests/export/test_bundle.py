"""A bundle answers as its run does, in a folder of its own that nothing changes unseen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

import darec
from command_line import call, refused
from darec import swap
from darec.backbones.closed_form import matrix_of
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, FolderError, RunError
from darec.export import manifest as manifests
from darec.export.bundle import Bundle
from darec.run import Run
from darec.scoring import AddedScorer, MatrixScorer, Scorer, TableScorer
from darec.types import Tables

FILES = (
    "manifest.json",
    "scorer.safetensors",
    "users.parquet",
    "items.parquet",
    "fields.parquet",
    "seen.safetensors",
    "learned.safetensors",
    "vectors.safetensors",
    "reader.safetensors",
    "terms.parquet",
)


def catalogue(named: Callable[[int], Any] = lambda n: f"i{n}") -> pl.DataFrame:
    rows = [
        {
            "item_id": str(named(n)),
            "title": f"Thing {n}" if n % 5 else None,
            "text": f"word{n % 3} word{n % 4} more",
            "price": n,
            "tags": [f"t{n % 4}"],
        }
        for n in range(30)
    ]
    return pl.DataFrame(rows)


def shop(
    user: Callable[[int], Any] = str, item: Callable[[int], Any] = lambda n: f"i{n}"
) -> Dataset:
    draw = np.random.default_rng(0)
    pairs = [(user(u), item(int(i))) for u in range(12) for i in draw.permutation(30)[:9]]
    return darec.load_dataset(
        pairs, items=catalogue(item), text_fields=["text"], keep_cold_items=True
    )


def scorers(data: Dataset) -> dict[str, Scorer]:
    torch.manual_seed(0)
    B = torch.randn(data.n_items, data.n_items).numpy()
    few = sparse.csr_array(np.where(np.abs(B) > 1, B, 0))
    ties = data.items.tie_order
    tables = TableScorer(Tables(torch.randn(data.n_users, 4), torch.randn(data.n_items, 4)), ties)
    return {
        "tables": tables,
        "dense": MatrixScorer(B, matrix_of(data.train), ties),
        "sparse": MatrixScorer(few, matrix_of(data.train), ties),
        "both": AddedScorer([tables, MatrixScorer(few, matrix_of(data.train), ties)], [1, 0.5]),
    }


@pytest.fixture(scope="module")
def run() -> Run:
    data = shop()
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 6})
    return Run(resolve_config(), data, scorers(data)["both"], {})


@pytest.fixture(scope="module")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return darec.export_bundle(run, tmp_path_factory.mktemp("export") / "shop.darec").path


@pytest.mark.parametrize("kind", ["tables", "dense", "sparse", "both"])
def test_it_answers_as_the_run_does(kind: str, tmp_path: Path) -> None:
    data = shop()
    run = Run(resolve_config(), data, scorers(data)[kind], {})
    bundle = darec.export_bundle(run, tmp_path / "shop.darec")
    options: dict[str, Any] = {
        "where": "price < 25 and ('t1' = any(tags) or price > 3)",
        "exclude": ["i9"],
        "exclude_pairs": [("3", "i4")],
        "at_most": 2,
        "per": "tags",
    }
    for given in ({}, options, {"exclude_seen": False}):
        ours, theirs = (one.recommend(k=7, **given).to_polars() for one in (bundle, run))
        assert ours.equals(theirs)
        assert bundle.recommend("3", 7, **given) == run.recommend("3", 7, **given)
    assert bundle.recommend_for(["i3", "Thing 4"], 5) == run.recommend_for(["i3", "Thing 4"], 5)
    assert bundle.similar("i3", 4) == run.similar("i3", 4)
    assert bundle.explain("3", "i5") == run.explain("3", "i5")
    assert bundle.explain_for(["i3"], "i5") == run.explain_for(["i3"], "i5")
    assert bundle.filter("price >= 27") == run.filter("price >= 27") == ["i27", "i28", "i29"]
    for one, name in ((run, "run.csv"), (bundle, "bundle.csv")):
        one.recommend_all(tmp_path / name, 4, progress=False)
    assert (tmp_path / "run.csv").read_bytes() == (tmp_path / "bundle.csv").read_bytes()


def test_diversity_is_by_the_language_vectors_of_the_run(run: Run, exported: Path) -> None:
    bundle = darec.open_bundle(exported)
    np.testing.assert_array_equal(bundle.item_vectors(), run.item_vectors())
    spread = bundle.recommend(k=6, diversity=0.7).to_polars()
    assert spread.equals(run.recommend(k=6, diversity=0.7).to_polars())
    assert not spread.equals(run.recommend(k=6).to_polars())


@pytest.mark.parametrize(
    ("user", "item"),
    [(int, int), (lambda n: uuid.UUID(int=n), lambda n: uuid.UUID(int=n)), (str, lambda n: f"ü{n}\u0000")],
    ids=["int", "uuid", "odd"],
)  # fmt: skip
def test_ids_come_back_as_they_were_given(user: Any, item: Any, tmp_path: Path) -> None:
    data = shop(user, item)
    run = Run(resolve_config(), data, scorers(data)["tables"], {})
    bundle = darec.export_bundle(run, tmp_path / "shop")
    assert bundle.users.ids == data.users.ids and bundle.items.ids == data.items.ids
    first = data.users.ids[3]
    assert bundle.recommend(first, 3) == run.recommend(first, 3)


def test_arrays_are_mapped_and_not_read(exported: Path) -> None:
    bundle = darec.open_bundle(exported)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("no /proc here")
    for name in ("scorer", "seen", "vectors"):
        assert str(exported / f"{name}.safetensors") in maps.read_text()
    assert len(bundle.seen) == 108


def test_what_is_chosen_is_kept(run: Run, tmp_path: Path) -> None:
    bundle = darec.export_bundle(
        run, tmp_path / "small", fields=["price"], text=False, vectors=False
    )
    assert bundle.manifest["fields"] == ["price"]
    assert set(bundle.fields.types) == {"item_id", "title", "text", "price"}
    assert bundle.explain("3", "i5").words == run_words_by_title(run)
    assert "vectors.safetensors" not in bundle.manifest["files"]
    np.testing.assert_array_equal(bundle.item_vectors(), run.scorer.item_vectors())
    none = darec.export_bundle(run, tmp_path / "none", fields=[])
    with pytest.raises(ConfigError, match="no field 'price'"):
        none.recommend("3", 2, where="price < 3")
    with pytest.raises(ConfigError, match="did you mean 'price'"):
        darec.export_bundle(run, tmp_path / "wrong", fields=["prize"])
    assert not (tmp_path / "wrong").exists()
    matrix = Run(resolve_config(), shop(), scorers(run.dataset)["dense"], {})
    with pytest.raises(ConfigError, match="the similarity of items is unknown"):
        darec.export_bundle(matrix, tmp_path / "matrix").recommend("3", 3, diversity=0.5)


def run_words_by_title(run: Run) -> Any:
    """Words of the titles, where there are no texts."""
    from dataclasses import replace

    bare = replace(run.dataset, catalogue=run.dataset.catalogue.with_columns(text=pl.lit("")))
    told = Run(run.config, bare, run.scorer, {}).explain("3", "i5").words
    shown = dict(zip(run.dataset.items.ids, run.dataset.titles, strict=True))
    return tuple(replace(word, title=shown[word.item_id]) for word in told)


def test_a_refit_has_learned_all_that_it_has_seen(tmp_path: Path) -> None:
    run = darec.fit(shop(), backbone="mf", epochs=2, progress=False)
    both = (
        darec.export_bundle(run, tmp_path / "run"),
        darec.export_bundle(darec.refit(run, progress=False), tmp_path / "refit"),
    )
    assert [len(one.seen) for one in both] == [108, 108]
    assert [len(one.learned) for one in both] == [len(run.dataset.train), 108]
    assert [one.manifest["run"]["refit"] is None for one in both] == [True, False]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_a_flipped_byte_is_refused(exported: Path, tmp_path: Path, name: str, share: float) -> None:
    shutil.copytree(exported, tmp_path / "b")
    file = tmp_path / "b" / name
    content = bytearray(file.read_bytes())
    place = int(share * len(content))
    while content[place : place + 1].isspace():  # blanks of JSON say nothing
        place -= 1
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"was changed after|is damaged|is not a bundle") as error:
        darec.open_bundle(tmp_path / "b")
    assert "\n" not in str(error.value) and str(tmp_path / "b") in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_short_file_is_refused(exported: Path, tmp_path: Path, name: str) -> None:
    for harm in (lambda file: file.write_bytes(file.read_bytes()[:-9]), Path.unlink):
        shutil.rmtree(tmp_path / "b", ignore_errors=True)
        shutil.copytree(exported, tmp_path / "b")
        harm(tmp_path / "b" / name)
        for verify in (True, False):
            if name != "manifest.json" and not verify:
                continue  # asked not to look
            with pytest.raises(RunError):
                darec.open_bundle(tmp_path / "b", verify=verify)
    assert set(FILES) == {file.name for file in exported.iterdir()}


def test_other_versions_and_other_folders_are_refused(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "b")
    about = json.loads((exported / "manifest.json").read_text())
    about["version"] = 2
    del about["sha256"]
    about["sha256"] = manifests._digest(about)
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match=r"version 2, and this darec reads up to 1: upgrade"):
        darec.open_bundle(tmp_path / "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="not a complete bundle"):
        darec.open_bundle(tmp_path / "empty")
    with pytest.raises(RunError, match="no bundle at"):
        darec.open_bundle(tmp_path / "nothing")
    data = shop().save(tmp_path / "data")
    with pytest.raises(RunError, match="is not a bundle"):
        darec.open_bundle(tmp_path / "data")
    run = Run(resolve_config(), data, scorers(data)["tables"], {})
    with pytest.raises(FolderError, match="is not a bundle: choose another"):
        darec.export_bundle(run, tmp_path / "data", overwrite=True)
    with pytest.raises(FolderError, match="overwrite=True"):
        darec.export_bundle(run, tmp_path / "b")


def test_a_kill_leaves_no_half_bundle(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    out = tmp_path / "shop.darec"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("darec.export.write.sealed", killed)
        darec.export_bundle(run, out)
    with pytest.raises(RunError, match=r"no bundle at|not a complete bundle"):
        darec.open_bundle(out)
    first = darec.export_bundle(run, out)
    before = first.recommend(k=4).to_polars()
    changed = Run(run.config, run.dataset, scorers(run.dataset)["tables"], {})
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("darec.export.write.sealed", killed)
        darec.export_bundle(changed, out, overwrite=True)
    assert darec.open_bundle(out).recommend(k=4).to_polars().equals(before)
    # Killed once the new files are whole, while they are moved: the next reader finishes it.
    moves = 0
    replace = Path.replace

    def cut(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += self.parent.name == swap.NEXT
        if moves == 3:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", cut)
        darec.export_bundle(changed, out, overwrite=True)
    after = darec.open_bundle(out)
    assert after.recommend(k=4).to_polars().equals(changed.recommend(k=4).to_polars())
    assert first.recommend(k=4).to_polars().equals(before), "what was open stays as it was"
    assert not list(tmp_path.rglob("*.partial"))


def test_scores_that_are_not_finite_are_not_exported(run: Run, tmp_path: Path) -> None:
    bad = scorers(run.dataset)["tables"]
    bad.tables.items[3] = torch.nan  # type: ignore[attr-defined]
    with pytest.raises(RunError, match="NaN"):
        darec.export_bundle(Run(run.config, run.dataset, bad, {}), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_opening_imports_no_training_and_no_data(exported: Path) -> None:
    code = (
        "import sys, darec\n"
        f"bundle = darec.open_bundle({str(exported)!r})\n"
        "bundle.recommend('3', 3), bundle.explain('3', 'i5'), bundle.recommend('3', 3, diversity=.5)\n"
        "print(sorted({name.split('.')[1] for name in sys.modules if name.startswith('darec.')}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    parts = set(eval(done.stdout))
    assert not parts & {
        "data",
        "training",
        "run",
        "text",
        "model",
        "backbones",
        "alignments",
        "config",
        "registry",
    }


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = shop().save(tmp_path / "data")
    darec.fit(data, backbone="mf", epochs=2, out=tmp_path / "run", progress=False)
    out = tmp_path / "shop.darec"
    assert call("export", tmp_path / "run", "--out", out, "--fields", "price, tags") == 0
    said = capsys.readouterr()
    assert "12 users, 30 items, 108 interactions, fields price, tags" in said.out
    assert "darec train --refit" in said.err
    for words in (
        ["recommend", "--user", "3", "-k", 3, "--where", "price < 20", "--format", "json"],
        ["recommend", "--liked", "i3, Thing 4", "--format", "csv"],
        ["similar", "--item", "i3", "--format", "json"],
        ["explain", "--user", "3", "--item", "i5", "--format", "json"],
    ):
        printed = []
        for folder in (tmp_path / "run", out):
            assert call(words[0], folder, *words[1:]) == 0
            printed.append(capsys.readouterr().out)
        assert printed[0] == printed[1]
    lists = ["recommend", out, "--all", "--out", tmp_path / "lists.csv", "--quiet"]
    assert call(*lists) == 0
    assert "pass --overwrite" in refused(capsys, "export", tmp_path / "run", "--out", out)
    assert call("export", tmp_path / "run", "--out", out, "--overwrite", "--no-text") == 0
    assert "did you mean 'price'" in refused(
        capsys, "export", tmp_path / "run", "--out", tmp_path / "x", "--fields", "prize"
    )
    assert "is a bundle: leave --data out" in refused(
        capsys, "similar", out, "--item", "i3", "--data", tmp_path / "data"
    )
    assert "is a bundle, which cannot read new items" in refused(
        capsys, "recommend", out, "--about", "word1"
    )
    assert "no run at" in refused(capsys, "evaluate", out)
    (out / "scorer.safetensors").write_bytes(b"x")
    assert "was changed after the export" in refused(capsys, "recommend", out, "--user", "3")
    assert isinstance(darec.Bundle, type) and darec.Bundle is Bundle
