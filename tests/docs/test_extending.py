"""docs/extending.md, followed from top to bottom, and the package in docs/template, installed."""

from __future__ import annotations

import inspect
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_line import call
from darec.config import resolve_config
from darec.data.synthetic import SyntheticConfig, write_synthetic
from darec.registry import BACKBONES
from darec.registry.origins import origin_of
from darec.testing import suites

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEMPLATE = DOCS / "template"
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```", (DOCS / "extending.md").read_text(), re.S | re.M)
FILES = {
    name[1]: block
    for kind, block in BLOCKS
    if kind == "python" and (name := re.match(r"# (\w+\.py)\n", block))
}


def run_suites(file: Path, only: str = "test_") -> list[str]:
    """What pytest would do with a file of suites, or with tests of one name; the names of the parts."""
    names = []
    for suite in runpy.run_path(str(file)).values():
        if isinstance(suite, type) and suite.__module__ == "<run_path>":
            names.append(suite.name)  # type: ignore[attr-defined]
            for name in dir(suite):
                if name.startswith(only):
                    test = getattr(suite(), name)
                    wants_folder = "tmp_path" in inspect.signature(test).parameters
                    test(file.parent) if wants_folder else test()
    return names


def test_the_page_works_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: Callable[[], None]
) -> None:
    write_synthetic(tmp_path, SyntheticConfig(n_users=200, n_items=300, mean_interactions=12))
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for number, (kind, block) in enumerate(BLOCKS):
        file = re.match(r"# (\w+\.py)\n", block)
        if kind == "sh":
            for line in block.splitlines():
                forget()
                program, *words = shlex.split(line)
                assert program == "darec" and call(*words) == 0, line
        elif file:
            Path(file[1]).write_text(block)
        else:
            forget()
            exec(
                compile(block, f"extending.md, block {number}", "exec", dont_inherit=True),
                namespace,
            )
    forget()
    assert run_suites(tmp_path / "test_parts.py") == ["onehop", "together", "tower"]


def test_the_template_is_the_backbone_of_the_page_and_works_once_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: Callable[[], None]
) -> None:
    assert FILES["onehop.py"] == "# onehop.py\n" + (TEMPLATE / "darec_onehop.py").read_text()
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    entries = {f"[project.entry-points.\"{group}\"]\n" + "\n".join(f'{name} = "{path}"' for name, path in parts.items())
               for group, parts in project["entry-points"].items()}  # fmt: skip
    assert all(entry in (DOCS / "extending.md").read_text() for entry in entries)
    source = tmp_path / "source"
    source.mkdir()
    for file in TEMPLATE.iterdir():
        if file.is_file():
            (source / file.name).write_text(file.read_text())
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*pip, *offline, str(source)], check=True)
    assert "onehop" not in BACKBONES
    monkeypatch.syspath_prepend(site)
    assert (
        resolve_config({"backbone": {"name": "onehop", "residual": 0.2}}).backbone.name == "onehop"
    )
    origin = origin_of("backbone", "onehop")
    assert origin and str(origin) == f"darec-onehop {project['version']}"
    assert run_suites(source / "test_darec_onehop.py", "test_it_learns") == ["onehop"]


def test_the_page_lists_every_member_and_field() -> None:
    page = (DOCS / "extending.md").read_text()
    from dataclasses import fields

    from darec.alignments.base import Alignment
    from darec.backbones.base import Backbone
    from darec.backbones.closed_form import ClosedForm
    from darec.types import Batch

    for part in (Backbone, ClosedForm, Alignment):
        own = {name for name in vars(part) if not name.startswith("_")} | set(part.__annotations__)
        own -= {"split", "embedding", "E_L_users", "E_L_items", "text", "Config"}
        missing = [name for name in own if f"`{name}" not in page]
        assert not missing, f"{part.__name__}: {missing}"
    assert not [field.name for field in fields(Batch) if f"`{field.name}`" not in page]
    assert suites.BackboneSuite and suites.AlignmentSuite
