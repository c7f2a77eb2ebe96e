"""Plugins that are files or modules: what they bring, and what is said of those that are broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import darec
from darec.errors import ConfigError
from darec.registry import BACKBONES, ENCODERS, REGISTRIES, plugins
from darec.testing.worlds import tiny_dataset
from outside_parts import BACKBONE, ENCODER, install, write

pytestmark = pytest.mark.usefixtures("forget")


def test_a_file_brings_its_parts_and_is_loaded_once(tmp_path: Path) -> None:
    file = write(tmp_path / "linear.py", BACKBONE + ENCODER)
    darec.load_plugin(file)
    first = BACKBONES.get("linear")
    darec.load_plugin(str(file))
    darec.load_plugin(os.path.relpath(file))
    assert BACKBONES.get("linear") is first and "letters" in ENCODERS
    settings = first.Config.model_fields
    assert settings["dim"].description and set(settings) == {"name", "dim"}


def test_equal_seeds_give_equal_runs_although_a_part_draws_from_the_global_generator(
    tmp_path: Path,
) -> None:
    darec.load_plugin(write(tmp_path / "linear.py"))
    torch.manual_seed(5)
    state = torch.get_rng_state()

    def tables(seed: int) -> torch.Tensor:
        settings = {"train.epochs": 2, "train.eval_every": 1, "options.seed": seed}
        run = darec.fit(tiny_dataset(), backbone="linear", settings=settings, progress=False)
        return run.tables.items

    assert torch.equal(tables(1), tables(1)) and not torch.equal(tables(1), tables(2))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\n\ny = z\n", r"NameError: name 'z' is not defined \(mine\.py, line 3\)\."),
        ("import json\njson.loads('')\n", r"JSONDecodeError: .* \(mine\.py, line 2\)\."),
        ("def f(:\n", r"SyntaxError: invalid syntax \(mine\.py, line 1\)"),
        ("import no_such_thing\n", r"the module 'no_such_thing' is not installed \(mine\.py, line 1\)\."),
        ("raise SystemExit('never run me')\n", r"SystemExit: never run me \(mine\.py, line 1\)\."),
        ("\x00", "(SyntaxError|ValueError): "),
        ("# coding: klingon\n", "SyntaxError: "),
        ("x = 1\n", r"it registers no part: end it with a line such as BACKBONES\.add"),
        (BACKBONE.replace('BACKBONES.add("linear", Linear)', ""), "it registers no part"),
        (BACKBONE.replace('"linear"', '"mf"'), r"backbone 'mf' is one of darec's own: .* \(mine\.py, line "),
        (BACKBONE + "raise OSError('the disk')\n", r"OSError: the disk \(mine\.py"),
        (BACKBONE.replace("(Backbone[LinearConfig])", "(Backbone)"), ".* Linear has no settings of its kind"),
        (BACKBONE.replace("(Backbone[LinearConfig])", ""), r".* Linear must inherit darec\.backbones\.base\.Back"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_the_line_and_changes_nothing(
    tmp_path: Path, source: str, said: str
) -> None:
    before = {kind: list(registry) for kind, registry in REGISTRIES.items()}
    with pytest.raises(ConfigError, match=rf"^plugin mine\.py: {said}") as refusal:
        darec.load_plugin(write(tmp_path / "mine.py", source))
    assert "\n" not in str(refusal.value)
    assert before == {kind: list(registry) for kind, registry in REGISTRIES.items()}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere/mine.py", "plugin nowhere/mine.py: there is no such file"),
        ("./folder", r"plugin \./folder is a folder: give a \.py file"),
        (
            "no_such_plugin",
            "plugin no_such_plugin: there is no such module: install it, or give a file",
        ),
        ("beside", r"there is no such module: give the file as beside\.py"),
        ("json.nothing", "plugin json.nothing: there is no such module"),
        ("json", "plugin json: it registers no part"),
    ],
)
def test_what_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    write(tmp_path / "beside.py")
    with pytest.raises(ConfigError, match=said):
        darec.load_plugin(name)


def test_a_file_that_imports_another_is_told_to_be_a_package(tmp_path: Path) -> None:
    write(tmp_path / "layers.py", "")
    with pytest.raises(
        ConfigError, match=r"^plugin mine\.py: it imports layers\.py, but a plugin is"
    ):
        darec.load_plugin(write(tmp_path / "mine.py", "import layers\n"))


def test_two_files_of_one_name_are_refused_and_a_file_with_two_parts_is_not(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "linear.py")
    darec.load_plugin(first)
    with pytest.raises(ConfigError, match=f"'linear' is registered by {first}: choose another"):
        darec.load_plugin(write(tmp_path / "b" / "linear.py"))
    other = BACKBONE.replace('"linear"', '"other"')
    darec.load_plugin(write(tmp_path / "c" / "linear.py", other))
    assert BACKBONES.get("linear") is not BACKBONES.get("other")


def test_a_file_that_has_changed_is_loaded_anew_and_keeps_the_former_where_it_is_broken(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "linear.py")
    darec.load_plugin(file)
    first = BACKBONES.get("linear")
    write(file, BACKBONE + "1 / 0\n")
    with pytest.raises(ConfigError, match="division by zero"):
        darec.load_plugin(file)
    assert BACKBONES.get("linear") is first
    write(file, BACKBONE.replace('"linear"', '"renamed"'))
    darec.load_plugin(file)
    assert "renamed" in BACKBONES and "linear" not in BACKBONES


def test_modules_are_plugins_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "mod_direct.py")
    darec.load_plugin("mod_direct")
    assert "linear" in BACKBONES
    write(tmp_path / "mod_pack" / "__init__.py", "from mod_pack import parts\n")
    write(tmp_path / "mod_pack" / "parts.py", ENCODER)
    import mod_pack  # type: ignore[import-not-found]  # noqa: F401

    darec.load_plugin("mod_pack")  # imported before, which is no fault
    assert "letters" in ENCODERS
    install(
        tmp_path,
        "darec-point",
        "1.0",
        {"point": "mod_point:Linear"},
        {"mod_point": BACKBONE.replace('"linear"', '"point"').replace("BACKBONES.add", "print")},
    )
    darec.load_plugin("mod_point")  # its part comes by an entry point
    write(tmp_path / "mod_lacking.py", "import no_such_thing\n")
    with pytest.raises(
        ConfigError, match=r"the module 'no_such_thing' is not installed \(mod_lacking"
    ):
        darec.load_plugin("mod_lacking")


def test_the_environment_names_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [
        write(tmp_path / "a.py"),
        write(tmp_path / "b.py", BACKBONE.replace('"linear"', '"b"')),
        write(tmp_path / "c.py", ENCODER),
    ]
    monkeypatch.setenv("DAREC_PLUGINS", f"{files[0]}{os.pathsep}{files[1]}, {files[2]},")
    assert {"linear", "b"} < set(BACKBONES) and "letters" in ENCODERS
    monkeypatch.setenv("DAREC_PLUGINS", "nowhere.py")
    for _ in range(2):  # and not only the first time
        with pytest.raises(ConfigError, match=r"^DAREC_PLUGINS: plugin nowhere\.py: there is no"):
            BACKBONES.get("mf")
    assert plugins.plugin_of("backbone", "b") == plugins.Plugin(
        str(files[1]), files[1].read_bytes(), frozenset({("backbone", "b")})
    )
