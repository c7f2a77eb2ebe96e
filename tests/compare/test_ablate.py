from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from darec.alignments.base import Alignment
from darec.alignments.darec.ablations import ABLATIONS
from darec.compare.ablate import ablate, ablation_variants, ablations_of
from darec.config import PartConfig, resolve_config
from darec.errors import ConfigError
from darec.registry import ALIGNMENTS, BACKBONES
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset


class SwitchedConfig(PartConfig):
    name: str = "switched"
    w_near: float = 0.5
    w_far: float = 0.0
    width: int = 3
    centre: bool = True


class Switched(Alignment[SwitchedConfig]):
    """Its terms are to be derived."""

    needs_text: ClassVar[bool] = False


class Declaring(Switched):
    """It says itself what to switch."""

    ablations: ClassVar[dict[str, dict[str, Any]]] = {"narrow": {"width": 1, "w_near": 0}}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ALIGNMENTS, "_parts", dict(ALIGNMENTS._parts))
    ALIGNMENTS.add("switched", Switched)
    ALIGNMENTS.add("declaring", Declaring)


def test_weights_become_zero_and_switches_are_turned() -> None:
    base = resolve_config({"alignment": "switched"})
    variants, left_out = ablation_variants(base)
    assert [(variant.label, variant.changes) for variant in variants] == [
        ("base", {}),
        ("w_near=0", {"alignment.w_near": 0}),
        ("centre=false", {"alignment.centre": False}),
    ]
    assert left_out == ["w_far=0 is left out: the base is so already."]
    assert variants[0].config == base
    changed = variants[1].config.model_dump()["alignment"]
    assert changed == {**base.model_dump()["alignment"], "w_near": 0}


def test_what_is_declared_is_switched_and_nothing_else() -> None:
    base = resolve_config({"alignment": "declaring"})
    assert ablations_of(base, "alignment") == {
        "narrow": {"alignment.width": 1, "alignment.w_near": 0}
    }
    assert [variant.label for variant in ablation_variants(base)[0]] == ["base", "narrow"]


def test_a_backbone_can_be_ablated_too() -> None:
    base = resolve_config({"backbone": "gccf"})
    (_, variant), _ = ablation_variants(base, "backbone")
    assert variant.changes == {
        "backbone.self_loops": not base.model_dump()["backbone"]["self_loops"]
    }


def test_what_cannot_be_ablated_is_refused() -> None:
    base = resolve_config({"alignment": "switched"})
    with pytest.raises(ConfigError, match="no ablation 'w_neer=0': did you mean 'w_near=0'"):
        ablation_variants(base, only=["w_neer=0"])
    with pytest.raises(ConfigError, match="nothing to ablate in alignment 'switched': w_far=0 is"):
        ablation_variants(base, only=["w_far=0"])
    with pytest.raises(ConfigError, match="in alignment 'none': it has no weights or switches"):
        ablation_variants(resolve_config())


@pytest.mark.parametrize(
    ("registry", "part", "name"),
    [(r, p, n) for r, p in ((ALIGNMENTS, "alignment"), (BACKBONES, "backbone")) for n in r],
)
def test_every_declared_ablation_is_a_setting_that_there_is(
    registry: Any, part: Any, name: str
) -> None:
    other = {} if part == "backbone" or registry.get(name).trained else {"backbone": "ease"}
    base = resolve_config({part: name, **other})
    if ablations_of(base, part):
        ablation_variants(base, part)


def test_darecs_ablations_are_settings_that_there_are() -> None:
    base = resolve_config({"alignment": "darec"})
    for name, changes in ABLATIONS.items():
        changed = resolve_config(
            {**base.model_dump(mode="json"), **{f"alignment.{k}": v for k, v in changes.items()}}
        )
        assert changed != base, name


def test_gains_are_over_the_base(tmp_path: Path) -> None:
    data = tiny_dataset().save(tmp_path / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    found = ablate(
        tmp_path / "data",
        out=tmp_path / "out",
        part="backbone",
        backbone="gccf",
        alignment="none",
        overrides=["train.epochs=2", "train.eval_every=1"],
        seeds=1,
        threads=1,
        progress=False,
    )
    base, other = found.variants
    assert (found.kind, found.baseline, base.row) == ("ablation", "base", "base")
    assert not base.gains
    assert other.gains["ndcg@20"].difference == pytest.approx(
        other.test["ndcg@20"].mean - base.test["ndcg@20"].mean
    )
    text = (tmp_path / "out/comparison.md").read_text()
    assert text.startswith("# Ablation on data") and "| gccf + none | base |" in text
    assert "Gain over the base" in text and (tmp_path / "out/comparison.html").exists()


def test_what_means_nothing_over_the_backbone_is_left_out_and_told() -> None:
    base = resolve_config({"backbone": "ease", "alignment": "darec"})
    variants, told = ablation_variants(base)
    assert [variant.label for variant in variants] == ["base", "whole text", "trusted blindly"]
    assert len(told) == 1 and told[0].startswith(
        "left out, since they change nothing over backbone 'ease': "
    )
    assert told[0].endswith(".") and len(told[0].split(", ")) == len(ABLATIONS) - 2 + 1
    with pytest.raises(ConfigError, match=r"left out, since .* over backbone 'ease': no push\."):
        ablation_variants(base, only=["no push"])


def test_without_ids_a_start_of_ids_is_left_out() -> None:
    variants, told = ablation_variants(
        resolve_config({"backbone": "alpharec", "alignment": "darec"})
    )
    assert {"random start", "neither"}.isdisjoint(variant.label for variant in variants)
    assert told == [
        "neither is left out: it is no neighbours here.",
        "left out, since they change nothing over backbone 'alpharec': random start.",
    ]


def test_what_another_setting_switches_off_is_left_out() -> None:
    fixed = resolve_config({"alignment": {"name": "darec", "balance": "fixed"}})
    variants, told = ablation_variants(fixed)
    assert "no push is left out: alignment.rho changes nothing with the other settings." in told
    assert "no push" not in {variant.label for variant in variants}
