"""What a run remembers of parts from outside, and how it finds them again in another process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darec
from darec.backbones.base import BackboneConfig
from darec.backbones.mf import MF
from darec.compare.grid import VariantSettings, make_jobs
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DarecWarning, RunError
from darec.registry import BACKBONES, ENCODERS
from darec.registry.origins import Origin, Parcel, origin_from, origin_of
from darec.run import Run
from darec.testing.worlds import tiny_dataset
from darec.text.new import NewTexts
from darec.text.ray_job import Worker
from darec.tuning.setup import difference, setup_of
from outside_parts import BACKBONE, ENCODER, install, write

FAST = {"train.epochs": 2, "train.eval_every": 1, "backbone.dim": 4}
CHANGED = BACKBONE + "\n# a word more\n"


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return tiny_dataset().save(tmp_path / "data")


def trained(data: Dataset, out: Path) -> Run:
    return darec.fit(data, backbone="linear", settings=FAST, out=out, progress=False)


def test_a_run_finds_its_file_again(
    data: Dataset, tmp_path: Path, forget: Callable[[], None]
) -> None:
    file = write(tmp_path / "linear.py")
    darec.load_plugin(file)
    run = trained(data, tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "run.json").read_text())["parts"]
    assert [(part["name"], part["file"], part["module"]) for part in kept] == [
        ("linear", str(file), None)
    ]
    forget()
    loaded = darec.load_run(tmp_path / "run")
    np.testing.assert_array_equal(loaded.tables.items, run.tables.items)
    forget()
    # Its settings are found in the same way, and not looked for where another backbone takes its place.
    config = tmp_path / "run" / "config.yaml"
    assert resolve_config(file=config).backbone.name == "linear"
    forget()
    file.unlink()
    assert resolve_config({"backbone": "mf"}, file=config).backbone.name == "mf"
    with pytest.raises(ConfigError) as gone:
        darec.load_run(tmp_path / "run")
    assert gone.value.command_line == (
        f"backbone 'linear' of the run at {tmp_path / 'run'} comes from {file}, which no longer exists: give the "
        "file with --plugin FILE."
    )
    darec.load_plugin(write(tmp_path / "moved" / "renamed.py"))
    assert darec.load_run(tmp_path / "run").config.to_yaml() == run.config.to_yaml()


def test_a_changed_file_is_not_taken_in_silence(
    data: Dataset, tmp_path: Path, forget: Callable[[], None]
) -> None:
    file = write(tmp_path / "linear.py")
    darec.load_plugin(file)
    trained(data, tmp_path / "run")
    forget()
    write(file, CHANGED)
    with pytest.raises(
        ConfigError, match=f"comes from {file}, which has changed since: restore the"
    ):
        darec.load_run(tmp_path / "run")
    darec.load_plugin(file)
    with pytest.warns(DarecWarning, match=f"came from {file}, which has changed since: the run at"):
        darec.load_run(tmp_path / "run")
    other = write(tmp_path / "other.py", CHANGED)
    forget()
    darec.load_plugin(other)
    with pytest.warns(DarecWarning, match=f"came from {file} and comes from {other} now, where it"):
        darec.load_run(tmp_path / "run")


def test_a_run_does_not_go_on_with_other_code(
    data: Dataset, tmp_path: Path, forget: Callable[[], None]
) -> None:
    file = write(tmp_path / "linear.py")
    darec.load_plugin(file)
    whole = trained(data, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()  # as if it had been killed before the end
    write(file, CHANGED)
    forget()
    darec.load_plugin(file)
    with pytest.raises(RunError, match=r"cannot be continued: .* which has changed since"):
        darec.fit(data, out=tmp_path / "run", resume=True, progress=False)
    write(file)
    forget()
    resumed = darec.fit(data, out=tmp_path / "run", resume=True, progress=False)
    np.testing.assert_array_equal(resumed.tables.items, whole.tables.items)


def test_the_package_of_a_part_is_named_with_its_version(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: Callable[[], None]
) -> None:
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)
    entries, modules = {"linear": "pack_origin:Linear"}, {"pack_origin": BACKBONE}
    install(site, "darec-origin", "1.2", entries, modules)
    trained(data, tmp_path / "run")
    forget()
    darec.load_run(tmp_path / "run")
    shutil.rmtree(site)
    install(site, "darec-origin", "1.3", entries, modules)
    forget()
    with pytest.warns(
        DarecWarning, match=r"from darec-origin 1\.2 and comes from darec-origin 1\.3"
    ):
        darec.load_run(tmp_path / "run")
    shutil.rmtree(site)
    site.mkdir()
    forget()
    with pytest.raises(
        ConfigError, match=r"darec-origin 1\.2, .*: pip install 'darec-origin==1\.2'"
    ):
        darec.load_run(tmp_path / "run")
    install(site, "darec-origin", "1.2", {}, {"pack_origin": "import no_such_thing\n"})
    forget()
    with pytest.raises(
        ConfigError, match=r"the module 'no_such_thing' is not installed \(pack_orig"
    ):
        darec.load_run(tmp_path / "run")


def test_a_part_of_a_module_is_imported_from_there(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: Callable[[], None]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    # Its own module does not register it, as where a program does so itself.
    home = write(tmp_path / "mod_home.py", BACKBONE.replace("BACKBONES.add", "# "))
    import mod_home  # type: ignore[import-not-found]

    BACKBONES.add("linear", mod_home.Linear)
    trained(data, tmp_path / "run")
    forget()
    assert darec.load_run(tmp_path / "run").config.backbone.name == "linear"
    forget()
    home.unlink()
    with pytest.raises(
        ConfigError, match=r"the module mod_home, .*: install the package with the module"
    ):
        darec.load_run(tmp_path / "run")


def test_a_part_of_a_program_cannot_be_found_again() -> None:
    lost = Origin("backbone", "lost", "Lost", "__main__", "/home/a/train.py", None)
    with pytest.raises(ConfigError, match=r"was defined in the program /home/a/train\.py: put it"):
        Parcel(lost, None).unpack()
    notebook = origin_from({"kind": "backbone", "name": "lost", "class_name": "Lost", "module": "__main__",
                            "file": None, "sha256": None, "of a later version": 1})  # fmt: skip
    with pytest.raises(ConfigError, match="was defined in a notebook"):
        Parcel(notebook, None).unpack()


class CellConfig(BackboneConfig):
    name: str = "cell"


def test_a_class_without_a_source_has_an_origin_too(forget: Callable[[], None]) -> None:
    cell = type("Cell", (MF,), {"Config": CellConfig, "__module__": "__nowhere__"})
    BACKBONES.add("cell", cell)
    assert origin_of("backbone", "cell") == Origin(
        "backbone", "cell", "Cell", "__nowhere__", None, None
    )
    assert origin_of("backbone", "mf") is None


def test_processes_get_the_source_as_it_was_loaded(
    tmp_path: Path, forget: Callable[[], None]
) -> None:
    file = write(tmp_path / "linear.py")
    darec.load_plugin(file)
    origin = origin_of("backbone", "linear")
    assert origin is not None
    parcel = Parcel.of(origin)
    write(file, "raise SystemExit('edited meanwhile')\n")
    forget()
    parcel.unpack()
    assert origin_of("backbone", "linear") == origin


def test_a_comparison_finds_a_run_again_only_while_its_parts_are_the_same(
    data: Dataset, tmp_path: Path, forget: Callable[[], None]
) -> None:
    def folder(source: str) -> str:
        forget()
        darec.load_plugin(write(tmp_path / "linear.py", source))
        variant = VariantSettings(resolve_config({"backbone": "linear", **FAST}))
        (job,) = make_jobs([variant], [0], data)[variant.title]
        assert [part.name for part in job.parts] == ["linear"]
        return job.folder

    assert folder(BACKBONE) == folder(BACKBONE) != folder(CHANGED)


def test_a_study_does_not_go_on_with_other_code(
    data: Dataset, tmp_path: Path, forget: Callable[[], None]
) -> None:
    def setup(source: str) -> dict[str, Any]:
        forget()
        darec.load_plugin(write(tmp_path / "linear.py", source))
        return setup_of(data, None, resolve_config({"backbone": "linear", **FAST}), {}, 2)

    begun = setup(BACKBONE)
    assert difference(begun, setup(BACKBONE)) is None
    said = "other code of the parts from outside the package"
    assert difference(begun, setup(CHANGED)) == said


def test_a_run_that_is_saved_from_memory_remembers_its_parts(
    data: Dataset, tmp_path: Path, forget: Callable[[], None]
) -> None:
    file = write(tmp_path / "linear.py")
    darec.load_plugin(file)
    run = darec.fit(data, backbone="linear", settings=FAST, progress=False)
    write(file, CHANGED)
    darec.load_plugin(file)
    run.save(tmp_path / "run")
    forget()
    with pytest.raises(ConfigError, match="which has changed since"):
        darec.load_run(tmp_path / "run")
    write(file)
    assert darec.load_run(tmp_path / "run").config.backbone.name == "linear"


def test_vectors_of_an_encoder_from_outside_can_be_made_anew(
    data: Dataset, tmp_path: Path, forget: Callable[[], None]
) -> None:
    file = write(tmp_path / "letters.py", ENCODER)
    darec.load_plugin(file)
    darec.encode_dataset(data, "letters", progress=False)
    origin = origin_of("encoder", "letters")
    assert origin is not None
    parcel = Parcel.of(origin)
    forget()
    vectors, found = NewTexts(data).encode(["aeiou", None])
    np.testing.assert_array_equal(vectors[0], [2, 2, 2, 2, 2])
    assert found.tolist() == [True, False]
    file.unlink()
    forget()
    with pytest.raises(
        ConfigError,
        match=r"encoder 'letters' of the vectors in .*letters, which is|no longer exists",
    ):
        NewTexts(data)
    assert "letters" not in ENCODERS
    Worker("letters", {}, "cpu", "1", parcel)  # a worker on a machine that has no such file
    assert "letters" in ENCODERS


def test_a_run_of_another_does_not_run_a_file_that_it_names(
    data: Dataset, tmp_path: Path, forget: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "linear.py", BACKBONE + "\nprint('run')\n")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
    darec.load_plugin(file)
    trained(data, tmp_path / "run")
    darec.load_plugin(write(tmp_path / "letters.py", ENCODER))
    darec.encode_dataset(data, "letters", progress=False)
    forget()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    said = f"is code in {file}, which you have not given to darec: read it"
    for read in (
        lambda: darec.load_run(tmp_path / "run"),
        lambda: resolve_config(file=tmp_path / "run" / "config.yaml"),
        lambda: darec.fit(data, out=tmp_path / "run", resume=True, progress=False),
    ):
        with pytest.raises(ConfigError, match=said):
            read()
    with pytest.raises(ConfigError, match=r"is code in .*letters\.py, which you have not given"):
        NewTexts(data)
    assert "linear" not in BACKBONES and "letters" not in ENCODERS
    # Neither the same source in another place nor another source in the same place was given.
    darec.load_plugin(write(tmp_path / "copy" / "linear.py", file.read_text()))
    forget()
    with pytest.raises(ConfigError, match=said):
        darec.load_run(tmp_path / "run")
    monkeypatch.setenv("DAREC_PLUGINS", str(file))
    assert darec.load_run(tmp_path / "run").config.backbone.name == "linear"
    forget()
    monkeypatch.delenv("DAREC_PLUGINS")  # once given, it is found by itself
    assert darec.load_run(tmp_path / "run").config.backbone.name == "linear"


def test_a_run_of_another_does_not_import_a_module_that_lies_about(
    data: Dataset, tmp_path: Path, forget: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    darec.load_plugin(write(tmp_path / "linear.py"))
    trained(data, tmp_path / "run")
    forget()
    about = tmp_path / "run" / "run.json"
    stored = json.loads(about.read_text())
    (part,) = stored["parts"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # as where Python runs a module
    for module in ("lying_about", "lying_about.inside"):
        write(tmp_path / "lying_about" / "__init__.py", "raise SystemExit('run')")
        about.write_text(json.dumps({**stored, "parts": [{**part, "module": module}]}))
        with pytest.raises(ConfigError) as refused:
            darec.load_run(tmp_path / "run")
        assert refused.value.command_line.endswith(
            f"is code in the module {module} ({tmp_path}/lying_about/__init__.py), which is not in an installed "
            "package and which you have not given to darec: read it, and if you trust it, give it with "
            f"--plugin {module}."
        )


def test_where_nothing_can_be_noted_plugins_work_as_before(
    data: Dataset, tmp_path: Path, forget: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    darec.load_plugin(write(tmp_path / "linear.py"))
    trained(data, tmp_path / "run")
    assert darec.load_run(tmp_path / "run").config.backbone.name == "linear"
    forget()
    with pytest.raises(ConfigError, match="which you have not given"):
        darec.load_run(tmp_path / "run")
