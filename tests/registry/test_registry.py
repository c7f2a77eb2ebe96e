"""Parts of installed packages, and parts that are none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darec.backbones.base import Backbone, BackboneConfig, GraphBackbone
from darec.backbones.closed_form import ClosedForm, ClosedFormConfig
from darec.backbones.mf import MF
from darec.config import PartConfig, resolve_config
from darec.errors import ConfigError
from darec.registry import ALIGNMENTS, BACKBONES, ENCODERS, Registry
from darec.text.encoders.base import Encoder
from outside_parts import BACKBONE, ENCODER, install

pytestmark = pytest.mark.usefixtures("forget")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_part_of_an_installed_package_is_listed_without_an_import_and_found(site: Path) -> None:
    install(site, "darec-one", "1.0", {"linear": "pack_one:Linear"}, {"pack_one": BACKBONE})
    assert "linear" in BACKBONES and "linear" in list(BACKBONES)
    assert "pack_one" not in sys.modules
    assert resolve_config({"backbone": {"name": "linear", "dim": 4}}).backbone.dim == 4  # type: ignore[attr-defined]
    # The module adds the same class itself, which is no second claim to the name.
    assert BACKBONES.get("linear") is sys.modules["pack_one"].Linear


def test_a_part_may_be_named_by_another_module_than_its_own(site: Path) -> None:
    modules = {"pack_home": BACKBONE, "pack_front": "from pack_home import Linear\n"}
    install(site, "darec-front", "1.0", {"straight": "pack_front:Linear"}, modules)
    with pytest.raises(
        ConfigError, match=r"darec-front 1\.0: .*write there 'name: Literal\['straight'\]"
    ):
        BACKBONES.get("straight")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "import no_such_thing\n",
            r"the module 'no_such_thing' is not installed \(pack_bad.py, line 1\)",
        ),
        ("\n\nLinear = 1 / 0\n", r"ZeroDivisionError: division by zero \(pack_bad.py, line 3\)"),
        ("Other = 1\n", "AttributeError: module 'pack_bad' has no attribute 'Linear'"),
        ("Linear = 3\n", "backbone 'linear' must be a class, not 3"),
        ("import sys\nsys.exit('no')\n", "SystemExit: no"),
    ],
)
def test_a_broken_package_is_named_when_its_part_is_used_and_not_before(
    site: Path, source: str, said: str
) -> None:
    install(site, "darec-bad", "0.3", {"linear": "pack_bad:Linear"}, {"pack_bad": source})
    assert resolve_config({"backbone": "mf"}).backbone.name == "mf"
    with pytest.raises(
        ConfigError, match=f"^backbone 'linear' of the package darec-bad 0.3: {said}"
    ):
        BACKBONES.get("linear")


def test_a_package_cannot_take_the_name_of_one_of_darecs_own(site: Path) -> None:
    source = BACKBONE.replace('"linear"', '"mf"')
    install(site, "darec-mf", "2.0", {"mf": "pack_mf:Linear"}, {"pack_mf": source})
    assert BACKBONES.get("lightgcn").__name__ == "LightGCN"
    with pytest.raises(
        ConfigError, match=r"'mf' of the package darec-mf 2\.0 has the name of one of darec's own"
    ):
        BACKBONES.get("mf")


def test_two_packages_of_one_name_are_both_named(site: Path) -> None:
    for name in ("a", "b"):
        install(
            site,
            f"darec-{name}",
            "1.0",
            {"linear": f"pack_{name}2:Linear"},
            {f"pack_{name}2": BACKBONE},
        )
    assert list(BACKBONES).count("linear") == 1
    with pytest.raises(
        ConfigError, match=r"the package darec-a 1\.0 and the package darec-b 1\.0: uninstall"
    ):
        resolve_config({"backbone": "linear"})


class Plain:
    """No part at all."""


class Untyped(Backbone):  # type: ignore[type-arg]
    """It does not say which settings it has."""


class Half(Encoder):
    """It does not say what pins its vectors."""

    def encode(self, texts: Any, corpus: Any = None) -> Any:
        raise NotImplementedError


class NamedConfig(BackboneConfig):
    name: str = "named"


class NarrowConfig(PartConfig):
    name: str = "narrow"


class Narrow(Backbone[NarrowConfig]):  # type: ignore[type-var]
    """Its settings have no width."""


class Unsolved(ClosedForm[ClosedFormConfig]):
    """It does not say how it is solved."""


class Hollow(Backbone[NamedConfig]):
    """It computes nothing."""


class Named(GraphBackbone[NamedConfig]):
    """A part that is one."""

    encode = MF.encode


@pytest.mark.parametrize(
    ("registry", "part", "said"),
    [
        (BACKBONES, Plain, r"Plain must inherit darec\.backbones\.base\.Backbone or darec\.backbones\.clo"),
        (ALIGNMENTS, MF, r"MF must inherit darec\.alignments\.base\.Alignment\."),
        (BACKBONES, Untyped, r"write 'class Untyped\(Backbone\[UntypedConfig\]\)', with a class UntypedConfig"),
        (BACKBONES, Narrow, r"Narrow has no settings of its kind: .* inherits darec\.backbones\.base\.BackboneConfig"),
        (BACKBONES, Unsolved, "Unsolved must define fit"),
        (BACKBONES, MF, r"write there 'name: Literal\['mine'\] = 'mine'"),
        (ENCODERS, Half, "Half must define revision"),
        (BACKBONES, Hollow, "Hollow must define ego, encode"),
        (BACKBONES, "module:Class", "must be a class, not 'module:Class'"),
    ],
)  # fmt: skip
def test_what_is_no_part_is_refused_with_what_to_write(
    registry: Registry, part: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        registry.add("mine", part)
    assert "mine" not in registry


def test_a_name_is_taken_once_but_a_class_may_be_defined_anew() -> None:
    BACKBONES.add("named", Named)
    again = type("Named", (Named,), {"__module__": __name__})
    BACKBONES.add("named", again)  # as when the cell of a notebook runs again
    assert BACKBONES.get("named") is again
    other = type("Other", (Named,), {"__module__": __name__})
    with pytest.raises(
        ConfigError, match=r"'named' is registered by test_registry:Named: choose another"
    ):
        BACKBONES.add("named", other)
    with pytest.raises(ConfigError, match="'mf' is one of darec's own: choose another name"):
        BACKBONES.add("mf", type("MF2", (MF,), {}))


def test_an_unknown_name_says_how_a_part_from_outside_comes_in(forget: Callable[[], None]) -> None:
    with pytest.raises(ConfigError, match="did you mean 'lightgcn'"):
        BACKBONES.get("lihgtgcn")
    with pytest.raises(ConfigError) as refusal:
        ENCODERS.get("qqq")
    assert refusal.value.command_line.endswith(", or give its file or module with --plugin.")
    assert str(refusal.value).endswith("with darec.load_plugin.")
    assert "Letters" in ENCODER
