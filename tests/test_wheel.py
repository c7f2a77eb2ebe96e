"""The wheel, built and installed into a bare environment.

What darec needs is lent to that environment by a ``.pth`` file, so that nothing is downloaded. ``python -m
benchmarks.install`` installs all of it from an index.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*PIP, "wheel", *offline, "-w", folder, ROOT], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with ``python`` and ``darec`` of an environment that holds the wheel."""
    bare = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    python = bare / "bin/python"
    subprocess.run(
        [*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True
    )
    paths = sysconfig.get_paths(vars={"base": str(bare), "platbase": str(bare)})
    lent = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (Path(paths["purelib"]) / "lent.pth").write_text("\n".join(sorted(lent)))
    return bare / "bin"


def output(*words: object, cwd: Path) -> str:
    """What a program prints, outside the project and without the tests' path to its source."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("darec/")}
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        assert "License-File: LICENSE" in archive.read(metadata).decode()
    source = ROOT / "src"
    files = {str(file.relative_to(source)) for file in source.rglob("*") if file.is_file()}
    assert held == {name for name in files if "__pycache__" not in name and ".egg-info" not in name}
    assert {"darec/py.typed", "darec/serving/page/templates/page.html"} <= held


def test_both_ways_to_call_it_work(scripts: Path, tmp_path: Path) -> None:
    where = "import darec; print(darec.__file__)"
    assert str(scripts.parent) in output(scripts / "python", "-c", where, cwd=tmp_path)
    assert output(scripts / "darec", "--version", cwd=tmp_path).startswith("darec 0.")
    assert "Usage: darec " in output(scripts / "python", "-m", "darec", "--help", cwd=tmp_path)


def test_it_recommends_to_a_user_what_all_others_took(scripts: Path, tmp_path: Path) -> None:
    pairs = [f"u{user},i{(2 * user + n) % 30}" for user in range(15) for n in range(8)]
    pairs += [f"u{user},hit" for user in range(15) if user != 3]
    (tmp_path / "log.csv").write_text("\n".join(["user,item", *pairs]))
    output(scripts / "darec", "import", "log.csv", "--k-core", "1", "--out", "data", cwd=tmp_path)
    popular = ["--backbone", "popular", "--alignment", "none", "--out", "run", "--quiet"]
    output(scripts / "darec", "train", "data", *popular, cwd=tmp_path)
    asked = ["--user", "u3", "-k", "3", "--format", "json"]
    found = json.loads(output(scripts / "darec", "recommend", "run", *asked, cwd=tmp_path))
    assert found[0]["item_id"] == "hit" and [row["rank"] for row in found] == [1, 2, 3]


def test_pip_completes_an_installed_darec_by_its_name(scripts: Path, tmp_path: Path) -> None:
    """darec is in no index, and pip asks none for it: it asks for the libraries that are not installed yet."""
    named = tmp_path / "umap_learn-99-py3-none-any.whl"
    with zipfile.ZipFile(named, "w") as wheel:
        wheel.writestr(
            "umap_learn-99.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: umap-learn\nVersion: 99\n",
        )
        wheel.writestr("umap_learn-99.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    pip = [*PIP[:-1], "--python", scripts / "python", "install", "--dry-run", "--no-index"]
    said = output(*pip, "--find-links", tmp_path, "darec[tune,umap]", cwd=tmp_path)
    assert re.search(r"already satisfied: darec\[tune,umap\] in \S+ \(0\.", said)
    assert "already satisfied: optuna" in said
    assert "Would install umap-learn-99" in said or "already satisfied: umap-learn" in said


def test_each_set_of_libraries_that_a_page_or_message_names_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.py")]
    named = {
        name
        for page in pages
        if "_build" not in page.parts
        for names in re.findall(r"pip install '(?:darec|\.)\[([a-z,]+)\]'", page.read_text())
        for name in names.split(",")
    }
    assert named == set(project["optional-dependencies"]) - {"docs", "dev"}
