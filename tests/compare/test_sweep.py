from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from darec.compare.one_pair import base_config
from darec.compare.result import Comparison
from darec.compare.run import compare as compare_with_floors
from darec.compare.sweep import parse_param, sweep, sweep_variants
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset

compare = functools.partial(compare_with_floors, floors=False)

FAST = ("train.epochs=2", "train.eval_every=1", "train.lr=0.02", "train.batch_size=64")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    data = tiny_dataset().save(folder / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    return folder


@pytest.fixture(scope="module")
def swept(shop: Path) -> Comparison:
    return sweep(
        shop / "data",
        ["alignment.rho=0.3,1"],
        out=shop / "out",
        backbone="mf",
        alignment="direct",
        overrides=FAST,
        seeds=2,
        jobs=2,
        threads=1,
        progress=False,
    )


def test_every_combination_is_a_variant_and_the_base_is_known() -> None:
    base = base_config(alignment="direct", overrides=["train.lr=0.01"])
    rho = base.model_dump()["alignment"]["rho"]
    values: dict[str, list[Any]] = {"alignment.rho": [rho, 0.5], "backbone.layers": [1, 2, 3]}
    variants, baseline = sweep_variants(base, values)
    assert [(v.changes["alignment.rho"], v.changes["backbone.layers"]) for v in variants] == [
        (a, b) for a in (rho, 0.5) for b in (1, 2, 3)
    ]
    layers = base.model_dump()["backbone"]["layers"]
    assert baseline == f"rho={rho}, layers={layers}"
    (same,) = (v for v in variants if v.label == baseline)
    assert same.config == base
    for variant in variants:
        assert variant.config == resolve_config(
            {"alignment": "direct", "train.lr": 0.01, **variant.changes}
        )
    assert sweep_variants(base, {"train.l2": [0.5]})[1] == ""


def test_a_swept_variant_is_the_run_that_compare_trains(shop: Path, swept: Comparison) -> None:
    labels = ["rho=0.3", "rho=1"]
    assert [variant.row for variant in swept.variants] == labels
    assert swept.kind == "sweep" and swept.swept == ("alignment.rho",)
    assert swept.baseline == "rho=0.3" and swept.sections == ("mf + direct",)
    alone = compare(
        shop / "data",
        out=shop / "alone",
        backbones="mf",
        alignments="direct",
        overrides=[*FAST, "alignment.rho=1"],
        seeds="1,",
        threads=1,
        progress=False,
    )
    last = swept.variants[-1]
    assert last.runs[1].folder == alone.variants[0].runs[0].folder
    for metric, spread in alone.variants[0].test.items():
        assert last.test[metric].values[1] == spread.mean, metric


def test_differences_are_to_the_base_and_validation_chooses(swept: Comparison) -> None:
    base, high = swept.variants
    gain = high.gains["recall@20"]
    assert not base.gains and gain.base == pytest.approx(base.test["recall@20"].mean)
    difference = high.test["recall@20"].mean - base.test["recall@20"].mean
    assert gain.difference == pytest.approx(difference)
    best = max(variant.valid["recall@20"].mean for variant in swept.variants)
    assert swept.chosen is not None and swept.chosen.valid["recall@20"].mean == best
    assert swept.notes[0].startswith(f"Validation recall@20 chooses {swept.chosen.row}, whose test")


def test_it_resumes_reads_back_equal_and_grows(
    shop: Path, swept: Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Comparison.load(shop / "out") == swept
    grown = sweep(
        shop / "data",
        ["rho=1,0.2"],
        out=shop / "out",
        backbone="mf",
        alignment="direct",
        overrides=FAST,
        seeds=1,
        threads=1,
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 of 2 runs are finished already."
    assert lines[1].startswith("[2/2] mf + direct, rho=0.2, seed 0: test recall@20")
    assert grown.baseline == "" and not any(variant.gains for variant in grown.variants)
    assert "no differences" in "".join(grown.notes)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (["alignment.rhoo=1,2"], "no setting 'alignment.rhoo': did you mean 'alignment.rho'"),
        (["N-hat=5,6"], r"lightgcn \+ direct has no setting 'alignment.n_sampled'"),
        (["alignment.rho"], "write KEY=a,b,c"),
        (["alignment.rho="], "write KEY=a,b,c"),
        (["alignment.rho=[1"], "write KEY=a,b,c"),
        (["rho=1,2", "alignment.rho=3"], "a setting is given twice"),
        (["rho=1,1.0"], "rho=1 and rho=1.0 are the same"),
        (["rho=-1,1"], r"alignment\.rho"),
        (["lambda=0.1,1"], r"effect with alignment\.balance=fixed: add overrides"),
        (["lambda=0.1,1", "alignment.balance=fixed,gradient"], "effect with"),
    ],
)
def test_what_cannot_be_swept_is_refused(params: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep(tmp_path, params, out=tmp_path / "out", alignment="direct")


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("train.lr=1e-3, 2e-3", "train.lr", [0.001, 0.002]),
        ("K=2,4", "alignment.n_clusters", [2, 4]),
        ("N-hat=null,512", "alignment.n_sampled", [None, 512]),
        ("alignment.hidden=[],[64, 32]", "alignment.hidden", [[], [64, 32]]),
        ("alignment.matching=greedy,optimal", "alignment.matching", ["greedy", "optimal"]),
    ],
)
def test_values_are_read_as_yaml_and_lists_hold_together(
    text: str, key: str, values: list[Any]
) -> None:
    assert parse_param(base_config(), text) == (key, values)


def test_the_base_comes_from_a_file_or_is_darec(tmp_path: Path) -> None:
    assert base_config().alignment.name == "darec"
    file = tmp_path / "tuned.yaml"
    file.write_text("backbone: {name: mf, dim: 12}\nalignment: {name: kar}\ntrain: {lr: 0.5}")
    tuned = base_config(config=file, overrides=["train.lr=0.25"])
    assert (tuned.backbone.name, tuned.alignment.name, tuned.train.lr) == ("mf", "kar", 0.25)
    assert base_config(config=file, alignment="none").alignment.name == "none"
    with pytest.raises(ConfigError, match="give seeds with seeds"):
        base_config(overrides=["options.seed=3"])


def test_what_changes_nothing_over_the_backbone_is_not_swept(tmp_path: Path) -> None:
    for backbone, key in (("lightgcn", "alignment.lean"), ("ease", "alignment.rho")):
        with pytest.raises(ConfigError, match=f"{key}: it has no effect with .*'{backbone}'"):
            sweep(tmp_path, [f"{key}=1,2"], out=tmp_path / "out", backbone=backbone)
