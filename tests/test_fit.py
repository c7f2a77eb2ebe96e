"""``darec.fit`` from Python: keywords, everything in memory, and folders that earlier runs left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import darec
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, RunError, TextError
from darec.recommended import recommended
from darec.run import Run
from darec.run_folder import FAILED
from darec.scoring import TableScorer
from darec.testing.worlds import tiny_dataset
from darec.training.trainer import Trainer

FAST: dict[str, Any] = {
    "epochs": 2,
    "threads": 1,
    "progress": False,
    "settings": {"train.eval_every": 1},
}


def fit(data: Any, **arguments: Any) -> Run:
    return darec.fit(data, **{**FAST, **arguments})


def failing(monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException) -> None:
    """Have training raise an error in an epoch."""
    train_epoch = Trainer.train_epoch

    def train(self: Trainer) -> dict[str, float]:
        if self.state.epoch == at - 1:
            raise error
        return train_epoch(self)

    monkeypatch.setattr(Trainer, "train_epoch", train)


def test_the_usual_settings_are_keywords() -> None:
    run = fit(tiny_dataset(), backbone="mf", dim=5, seed=3, lr=0.01, batch_size=64, patience=2)
    config = run.config
    assert (config.backbone.name, config.backbone.dim) == ("mf", 5)  # type: ignore[attr-defined]
    assert (config.train.epochs, config.train.lr, config.train.batch_size) == (2, 0.01, 64)
    assert (config.train.patience, config.options.seed, config.options.threads) == (2, 3, 1)
    dotted = {"backbone.dim": 5, "options.seed": 3, "train.lr": 0.01, "train.batch_size": 64}
    same = fit(tiny_dataset(), backbone="mf", patience=2, settings={**FAST["settings"], **dotted})
    assert same.config == config
    assert torch.equal(same.tables.items, run.tables.items)
    softmax = fit(tiny_dataset(), loss="softmax", settings={**FAST["settings"], "loss.log_q": True})
    assert softmax.config.loss.name == "softmax"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epoch": 3}, "unknown argument 'epoch': did you mean 'epochs'"),
        ({"dim": 0}, r"backbone\.dim"),
        ({"settings": {"train.epoch": 3}}, r"'train\.epoch': did you mean 'train\.epochs'"),
        ({"settings": {"epochs": 3}}, r"unknown setting 'epochs': did you mean 'train\.epochs'"),
        ({"config": darec.resolve_config()}, "give either config, or"),
        ({"resume": True, "overwrite": True, "out": "r"}, "resume=True .* choose one"),
    ],
)
def test_what_is_no_setting_names_the_nearest(
    arguments: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        darec.fit(tiny_dataset(), epochs=2, **arguments)
    assert not list(tmp_path.iterdir())


def test_frames_are_fitted_and_saved(tmp_path: Path) -> None:
    data = tiny_dataset()
    pairs = [(int(u), int(i)) for u, i in zip(data.train.users, data.train.items, strict=True)]
    run = fit(pairs, backbone="mf")
    assert run.path is run.dataset.path is None
    saved = run.save(tmp_path / "run")
    again = darec.load_run(tmp_path / "run")
    assert again.dataset.path == saved.dataset.path == tmp_path / "run" / "dataset"
    assert again.dataset.users.ids == run.dataset.users.ids == sorted({u for u, _ in pairs})
    assert again.metrics == run.metrics and again.config == run.config
    assert again.recommend(3, 4) == saved.recommend(3, 4) == run.recommend(3, 4)
    (tmp_path / "run").rename(tmp_path / "moved")  # with its dataset inside
    assert darec.load_run(tmp_path / "moved").recommend(3, 4) == run.recommend(3, 4)


def test_everything_in_memory_with_text(tmp_path: Path) -> None:
    data = tiny_dataset()
    with pytest.raises(TextError, match=r"call darec\.encode_dataset"):
        fit(data, alignment="darec")
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 8})
    run = fit(data, alignment="darec")
    assert darec.ColdStart(run).fit().recommend_about(str(data.catalogue["text"][0]), 2)
    saved = run.save(tmp_path / "run")
    on_disk = fit(Dataset.load(saved.dataset.path), alignment="darec", out=tmp_path / "same")
    assert torch.equal(on_disk.tables.items, run.tables.items)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "same")]
    assert weights[0] == weights[1]
    names = {entry.name for entry in (tmp_path / "same").iterdir()} - {"checkpoints"}
    assert names - {"history.jsonl"} == {entry.name for entry in (tmp_path / "run").iterdir()} - {
        "dataset"
    }


def test_an_encoder_by_name_encodes_first() -> None:
    data = tiny_dataset()
    run = fit(data, alignment="darec", text="tfidf")
    assert list(data.vectors) == ["tfidf"] and run.config.text.encoder == "tfidf"
    bare = tiny_dataset()
    fit(bare, text="tfidf", alignment="none")
    assert not bare.vectors, "a pair that reads no text needs none encoded"


def test_a_dataset_in_memory_goes_into_the_runs_folder(tmp_path: Path) -> None:
    data = tiny_dataset()
    run = fit(data, alignment="darec", text="tfidf", out=tmp_path / "r")
    assert run.dataset.path == tmp_path / "r" / "dataset"
    (tmp_path / "r" / "metrics.json").unlink()
    resumed = darec.fit(tiny_dataset(), out=tmp_path / "r", resume=True, progress=False)
    assert torch.equal(resumed.tables.users, run.tables.users)
    # A run over its own dataset keeps it.
    again = fit(run.dataset, backbone="mf", out=tmp_path / "r", overwrite=True)
    assert darec.load_run(tmp_path / "r").config == again.config
    assert not (tmp_path / "r" / "history.jsonl").read_text().count("loss/global_structure")


def test_saving_a_run_elsewhere_copies_it(tmp_path: Path) -> None:
    run = fit(tiny_dataset().save(tmp_path / "data"), out=tmp_path / "a")
    copy = run.save(tmp_path / "b")
    for name in ("config.yaml", "run.json", "model.safetensors", "users-test.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert copy.dataset.path == tmp_path / "data"
    with pytest.raises(RunError, match="holds another run"):
        run.save(tmp_path / "b")
    with pytest.raises(RunError, match=r"already at .*a"):
        run.save(tmp_path / "a", overwrite=True)
    assert run.save(tmp_path / "b", overwrite=True).metrics == run.metrics


def test_overwriting(tmp_path: Path) -> None:
    data, out = tiny_dataset().save(tmp_path / "data"), tmp_path / "r"
    fit(data, out=out)
    with pytest.raises(
        RunError, match=r"choose another out, pass resume=True to continue .*, or overwrite=True"
    ):
        fit(data, out=out, backbone="mf")
    run = fit(data, out=out, backbone="mf", overwrite=True)
    assert darec.load_run(out).config == run.config
    # What cannot work does not cost the run that is there.
    with pytest.raises(ConfigError):
        fit(data, out=out, overwrite=True, settings={"evaluation.ks": [9999]})
    with pytest.raises(DataError):
        fit(tmp_path / "none", out=out, overwrite=True)
    assert darec.load_run(out).metrics == run.metrics
    (out / "notes.md").write_text("mine")
    fit(data, out=out, overwrite=True)
    assert (out / "notes.md").read_text() == "mine"


def test_a_folder_that_is_no_runs_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("of: somebody else's project\n")
    (tmp_path / "checkpoints").mkdir()
    for how in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(RunError, match="holds files that do not belong to a run"):
            fit(tiny_dataset(), out=tmp_path, **how)
    assert {entry.name for entry in tmp_path.iterdir()} == {"config.yaml", "checkpoints"}


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_run_that_failed_is_in_nobodys_way(
    epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tiny_dataset(), tmp_path / "r"
    with monkeypatch.context() as patch:
        failing(patch, epoch, ZeroDivisionError("as a part of one's own may raise"))
        with pytest.raises(ZeroDivisionError):
            fit(data, out=out)
    if epoch == 1:
        assert not out.exists()
    else:
        with pytest.raises(RunError, match=r"failed \(as a part of one's own may raise\)"):
            darec.load_run(out)
    run = fit(data, out=out, seed=5)
    assert darec.load_run(out).metrics == run.metrics
    assert not (out / FAILED).exists()


def test_a_run_that_failed_can_be_resumed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tiny_dataset(), tmp_path / "r"
    whole = fit(data, backbone="lightgcn")
    with monkeypatch.context() as patch:
        failing(patch, 2, ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            fit(data, out=out, backbone="lightgcn")
    resumed = fit(data, out=out, resume=True)
    assert torch.equal(resumed.tables.users, whole.tables.users)
    assert not (out / FAILED).exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_the_machine_cut_short_is_kept(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tiny_dataset(), tmp_path / "r"
    with monkeypatch.context() as patch:
        failing(patch, 2, error)
        with pytest.raises(type(error)):
            fit(data, out=out, backbone="lightgcn")
    with pytest.raises(RunError, match="resume=True to continue"):
        fit(data, out=out)
    whole = fit(data, backbone="lightgcn")
    assert torch.equal(fit(data, out=out, resume=True).tables.users, whole.tables.users)


def test_a_failure_of_the_next_run_leaves_the_earlier_files_of_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(RunError, match="files that do not belong to a run"):
        fit(tiny_dataset(), out=tmp_path / "photos")
    assert [entry.name for entry in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    (tmp_path / "empty").mkdir()
    failing(monkeypatch, 1, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        fit(tiny_dataset(), out=tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_run_killed_while_it_was_begun_is_in_nobodys_way(tmp_path: Path) -> None:
    out = tmp_path / "r"
    out.mkdir()
    (out / "run.json").write_text(json.dumps({}))
    (out / "dataset").mkdir()
    assert fit(tiny_dataset(), out=out).metrics


def test_torch_has_as_many_threads_as_before() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for backbone in ("mf", "itemknn"):
            run = fit(tiny_dataset(), backbone=backbone, threads=1)
            assert (run.config.options.threads, torch.get_num_threads()) == (1, 2)
        with pytest.raises(ConfigError):  # refused once the trainer was being made
            fit(tiny_dataset(), threads=1, settings={"evaluation.ks": [10**6]})
        assert torch.get_num_threads() == 2
        assert fit(tiny_dataset(), threads=None).config.options.threads == 2
    finally:
        torch.set_num_threads(before)


def test_an_empty_mask_or_list_of_cut_offs_is_not_the_default() -> None:
    run = fit(tiny_dataset(), backbone="mf")
    with pytest.raises(ConfigError, match="unknown mask ''"):
        run.evaluate(mask="")
    with pytest.raises(ConfigError, match="no K to evaluate at"):
        run.evaluate(ks=())


def test_without_parts_the_recommended_settings_hold() -> None:
    data = tiny_dataset()
    run = fit(data)
    config = run.config
    assert (config.backbone.name, config.alignment.name, config.loss.name) == (
        "lightgcn",
        "none",
        "softmax",
    )
    beside = config.beside
    assert beside is not None and beside.backbone is not None and beside.alignment.name == "none"
    darec.encode_dataset(data, "tfidf", progress=False, options={"dim": 8})
    assert config.loss.model_dump()["temperature"] == 0.2
    assert fit(data).config.loss.model_dump()["temperature"] is None
    reads = fit(data, loss="bpr")
    assert (reads.config.alignment.name, reads.config.loss.name) == ("darec", "bpr")
    assert reads.config.beside is not None and reads.config.beside.alignment.name == "collective"
    alone = fit(data, settings={"beside": None})
    assert isinstance(alone.scorer, TableScorer)
    named = fit(data, alignment="none")
    assert named.config.beside is None and named.config.loss.name == "bpr"


def test_the_settings_that_are_measured_are_the_recommended_ones() -> None:
    file = Path(__file__).parents[1] / "benchmarks" / "settings" / "recommended.yaml"
    base = recommended(tiny_dataset(), text=True)
    assert resolve_config(file=file) == resolve_config(base=base)
    clicks = resolve_config(file=file.with_name("clicks.yaml"))
    assert clicks == resolve_config(base=recommended(tiny_dataset(), text=False))
    wide = resolve_config(file=file.with_name("wide.yaml"))
    given = {"alignment": "none", "beside": {"backbone": None, "niche": 0}}
    given["loss"] = base["loss"] | {"temperature": 0.2}
    given["train"] = base["train"] | {"min_gain": 0}
    tables = resolve_config(base={**base, **given})
    assert wide == tables
