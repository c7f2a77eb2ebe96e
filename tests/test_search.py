from __future__ import annotations

import pytest

from darec.config import resolve_config
from darec.dimensions import Choice, Range
from darec.errors import ConfigError
from darec.registry import ALIGNMENTS, BACKBONES, inapplicable
from darec.search import narrowed, parse_dimension, search_space, start_of


def test_the_space_is_what_the_parts_declare() -> None:
    space = search_space(resolve_config({"backbone": "simgcl", "alignment": "darec"}))
    assert space["alignment.rho"] == Range(0.03, 1.0, log=True, when=("balance", "gradient"))
    assert space["backbone.layers"] == Choice(1, 2, 3)
    assert {"train.lr", "train.l2", "backbone.contrast", "alignment.n_clusters"} <= set(space)


def test_what_depends_on_another_setting_is_searched_only_with_it() -> None:
    by_gradient = search_space(resolve_config({"alignment": "direct"}))
    fixed = {"alignment": {"name": "direct", "balance": "fixed"}}
    by_strength = search_space(resolve_config(fixed))
    assert "alignment.rho" in by_gradient and "alignment.strength" not in by_gradient
    assert "alignment.strength" in by_strength and "alignment.rho" not in by_strength


@pytest.mark.parametrize("backbone", list(BACKBONES))
@pytest.mark.parametrize("alignment", list(ALIGNMENTS))
def test_every_end_of_every_space_is_a_valid_setting(backbone: str, alignment: str) -> None:
    if inapplicable(backbone, alignment):
        pytest.skip("an inapplicable pair has no settings")
    config = resolve_config({"backbone": backbone, "alignment": alignment})
    space = narrowed(config)
    for key, dimension in space.items():
        assert dimension.including(start_of(config, key)) == dimension  # holds where it starts


def test_dimensions_as_written_on_the_command_line() -> None:
    assert parse_dimension("train.lr=1e-4..1e-2:log") == ("train.lr", Range(1e-4, 1e-2, log=True))
    assert parse_dimension("backbone.layers=1,2") == ("backbone.layers", Choice(1, 2))
    assert parse_dimension("train.lr=1e-3,0.01") == ("train.lr", Choice(0.001, 0.01))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.lr", "write KEY=LOW..HIGH"),
        ("train.lr=3..1", "the lower bound is not below the upper"),
        ("train.lr=0..1:log", "a logarithm needs LOW > 0"),
        ("train.lr=1..2:linear", "write KEY=LOW..HIGH"),
        ("train.learning_rate=1..2", "lightgcn .* has no setting 'train.learning_rate'"),
        ("train.lr=-1..2", r"train\.lr"),
    ],
)
def test_bad_dimensions_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        narrowed(resolve_config(), search=[text])


def test_settled_settings_are_not_searched() -> None:
    config = resolve_config()
    assert "train.l2" not in narrowed(config, pinned=["train.l2"])
    assert set(narrowed(config, only=["train.lr"])) == {"train.lr"}
    with pytest.raises(ConfigError, match="both searched and set"):
        narrowed(config, search=["train.l2=1e-6..1e-4:log"], pinned=["train.l2"])
    with pytest.raises(ConfigError, match=r"only train\.epochs: it has no search range"):
        narrowed(config, only=["train.epochs"])


def test_only_names_what_means_something() -> None:
    config = resolve_config({"alignment": "direct"})
    with pytest.raises(ConfigError, match=r"only has an effect with alignment\.balance=fixed"):
        narrowed(config, only=["alignment.strength"])
    both = ["alignment.balance", "alignment.strength"]
    search = ["alignment.balance=gradient,fixed"]
    assert set(narrowed(config, search=search, only=both)) == set(both)
    assert set(narrowed(config, search=search, only=both[1:])) == set(both)
    with pytest.raises(ConfigError, match=r"alignment\.strength cannot be searched"):
        narrowed(config, search=["alignment.strength=1..2"])


def test_a_dimension_is_stretched_to_where_the_search_starts() -> None:
    config = resolve_config({"train": {"lr": 0.1, "l2": 0.0}, "backbone.layers": 5})
    space = narrowed(config, pinned=["train.l2"], search=["backbone.dim=64..128"])
    assert space["train.lr"] == Range(3e-4, 0.1, log=True)
    assert space["backbone.layers"] == Choice(1, 2, 3, 5)
    assert space["backbone.dim"] == Range(32, 128, integer=True)
    with pytest.raises(ConfigError, match=r"train\.l2=0\.0, where the search starts"):
        narrowed(config)


def test_what_changes_nothing_over_the_backbone_is_not_searched() -> None:
    trained, solved = (
        search_space(resolve_config({"backbone": backbone, "alignment": "darec"}))
        for backbone in ("lightgcn", "ease")
    )
    assert {"alignment.lean", "alignment.text_ridge"}.isdisjoint(trained)
    assert set(solved) == {
        "backbone.ridge",
        "alignment.lean",
        "alignment.text_ridge",
        "alignment.neighbours",
    }
    ease = resolve_config({"backbone": "ease", "alignment": "darec"})
    for key in ("alignment.w_uni", "train.lr"):
        with pytest.raises(ConfigError, match=f"{key}: it has no effect with backbone 'ease'"):
            narrowed(ease, search=[f"{key}=1..2"])


@pytest.mark.parametrize("alignment", list(ALIGNMENTS))
def test_idle_settings_are_settings(alignment: str) -> None:
    part = ALIGNMENTS.get(alignment)
    for closed_form, has_ids in ((True, False), (False, True), (False, False)):
        found = part.idle(closed_form=closed_form, has_ids=has_ids)
        assert found < {*part.Config.model_fields, "name"}
