"""Files that were cut short, edited or put in each other's place end every command in one line that names them."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import call, refused
from darec.data.dataset import Dataset
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

FAST = ["--set", "train.epochs=2", "--set", "train.eval_every=1", "--threads", "1", "--quiet"]


def to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "noise": lambda path: path.write_bytes(random.Random(0).randbytes(500)),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a list": lambda path: path.write_text("[]"),
    "depth": lambda path: path.write_text("[" * 100_000),
    "missing": lambda path: path.unlink(),
    "a link to itself": to_itself,
    "a folder": to_folder,
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    data = tiny_dataset().save(folder / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    words = ["train", folder / "data", "--alignment", "direct", "--out", folder / "run", *FAST]
    assert call(*words) == 0
    return folder


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_dataset(
    shop: Path, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("manifest.json", "users.parquet", "items.parquet", "train.npy", "test.npy"):
        shutil.copytree(shop / "data", tmp_path / name)
        DAMAGE[damage](tmp_path / name / name)
        line = refused(capsys, "text-report", tmp_path / name, "--quiet")
        assert f"{tmp_path / name}" in line and "import" in line, line


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_vectors(
    shop: Path, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (shop / "data/text/tfidf").iterdir():
        shutil.copytree(shop / "data", tmp_path / file.name)
        DAMAGE[damage](tmp_path / file.name / "text/tfidf" / file.name)
        line = refused(capsys, "text-report", tmp_path / file.name, "--quiet")
        assert "encode" in line, line


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run(
    shop: Path, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("run.json", "metrics.json", "scorer.safetensors", "config.yaml"):
        shutil.copytree(shop / "run", tmp_path / name)
        if (damage, name) == ("half", "config.yaml"):  # whole lines of it are whole YAML
            lines = (tmp_path / name / name).read_text().splitlines(keepends=True)
            section = max(at for at, line in enumerate(lines) if line[0] != " ")
            (tmp_path / name / name).write_text("".join(lines[:section]))
            assert call("evaluate", tmp_path / name) == 0
            assert "config.yaml has changed since the run began" in capsys.readouterr().err
            continue
        DAMAGE[damage](tmp_path / name / name)
        assert str(tmp_path / name) in refused(capsys, "evaluate", tmp_path / name)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_that_is_resumed(
    shop: Path, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = "checkpoints/epoch-000002"
    for name in (
        "run.json",
        "model.safetensors",
        f"{newest}/state.json",
        f"{newest}/tensors.safetensors",
    ):
        out = tmp_path / name.replace("/", "-")
        shutil.copytree(shop / "run", out)
        (out / "metrics.json").unlink()
        DAMAGE[damage](out / name)
        assert str(out) in refused(capsys, "train", shop / "data", "--out", out, "--resume")


def test_a_damaged_history_is_begun_anew(shop: Path, tmp_path: Path) -> None:
    for damage in ("noise", "zeros", "depth", "missing"):
        out = tmp_path / damage
        shutil.copytree(shop / "run", out)
        (out / "metrics.json").unlink()
        DAMAGE[damage](out / "history.jsonl")
        assert call("train", shop / "data", "--out", out, "--resume", "--quiet") == 0


@pytest.mark.parametrize("name", ["dataset", "fingerprint", "text"])
@pytest.mark.parametrize("value", [1, [], {"a": 1}])
def test_a_run_that_says_what_is_no_text(
    shop: Path, name: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(shop / "run", tmp_path / "run")
    about = json.loads((shop / "run/run.json").read_text())
    (tmp_path / "run/run.json").write_text(json.dumps({**about, name: value}))
    assert f"run.json: {name!r} is not text" in refused(capsys, "evaluate", tmp_path / "run")


@pytest.mark.parametrize(
    ("old", "new"),
    [("dim: 32", "dim: 64"), ("layers: 3", "layers: 1")],
)
def test_settings_edited_by_hand_are_not_gone_on_with(
    shop: Path, old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(shop / "run", tmp_path / "run")
    (tmp_path / "run/metrics.json").unlink()
    settings = (tmp_path / "run/config.yaml").read_text()
    assert old in settings
    (tmp_path / "run/config.yaml").write_text(settings.replace(old, new, 1))
    words = ["train", shop / "data", "--out", tmp_path / "run", "--resume"]
    assert "config.yaml has changed since the run began" in refused(capsys, *words)
    # A run of an earlier version remembers no hash; then its checkpoints tell, where they can.
    about = json.loads((tmp_path / "run/run.json").read_text())
    del about["config"]
    (tmp_path / "run/run.json").write_text(json.dumps(about))
    if old.startswith("dim"):
        assert "belong to a run with other settings" in refused(capsys, *words)


def test_a_listed_file_that_is_gone_is_missed(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cold items above all, without which a dataset would look like another one."""
    shutil.copytree(shop / "data", tmp_path / "data")
    manifest = json.loads((tmp_path / "data/manifest.json").read_text())
    manifest["files"].append("cold-items.parquet")
    (tmp_path / "data/manifest.json").write_text(json.dumps(manifest))
    line = refused(capsys, "text-report", tmp_path / "data", "--quiet")
    assert "damaged (no file cold-items.parquet): import the sources again" in line


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ignores SIGXFSZ as Python does")
def test_a_file_that_cannot_grow_is_named_and_the_dataset_before_stays(
    shop: Path, tmp_path: Path
) -> None:
    """As on a full disk, also where polars writes: by the limit of the system on the size of a file."""
    shutil.copytree(shop / "data", tmp_path / "data")
    before = Dataset.load(shop / "data").fingerprint()
    rows = "".join(f"user-{n % 997}-{n},item-{n % 89}\n" for n in range(20_000))
    (tmp_path / "log.csv").write_text(f"user,item\n{rows}")
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from darec.cli.main import main; sys.exit(main())"
    )
    words = ["import", tmp_path / "log.csv", "--out", tmp_path / "data", "--overwrite"]
    words += ["--users-without-train", "drop"]
    done = subprocess.run(
        [sys.executable, "-c", limited, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "users.parquet: File too large." in done.stderr.splitlines()[-1]
    assert Dataset.load(tmp_path / "data").fingerprint() == before
    assert not list((tmp_path / "data").glob(".*"))
