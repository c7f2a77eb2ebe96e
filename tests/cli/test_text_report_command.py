from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from command_line import call, refused
from darec.data.synthetic import SyntheticConfig, make_synthetic
from darec.text import encode_dataset
from darec.types import Interactions

CONFIG = SyntheticConfig(n_users=200, n_items=100, n_topics=4, mean_interactions=12)


def test_the_report_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    data = make_synthetic(CONFIG).save(tmp_path / "shop")
    assert "run 'darec encode" in refused(capsys, "text-report", data.path)
    encode_dataset(data, "tfidf")
    out = tmp_path / "out"
    assert call("text-report", data.path, "--out", out, "-k", 5) == 0
    printed = capsys.readouterr().out
    assert "agreement of 5" in printed and "sum of both" in printed
    kept = json.loads((out / "text-report.json").read_text())
    assert f"Text {kept['reading']['verdict']}: {kept['reading']['reason']}" in printed
    page, report = (out / "index.html").read_text(), (out / "README.md").read_text()
    assert page.count("<figure") == 3 and not re.search(r"(src|href)=\"(http|//)", page)
    shown = f"{kept['figures']['recalls']['sum']['overall']['value']:.4f}"
    for text in (page, report, printed):
        assert shown in text and kept["reading"]["verdict"] in text
    for name in re.findall(r"\]\((.+?)\)", report):
        assert (out / name).read_text().startswith("<svg")
    assert "darec text-report" in report
    words = "text-report", data.path, "-k", 5, "--out", out, "--format", "json"
    assert call(*words) == 0  # its own folder is written again, to the same figures
    assert json.loads(capsys.readouterr().out) == kept


def test_what_texts_lack_is_said_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    data = make_synthetic(CONFIG)
    texts = pl.Series("text", [f"SKU{n}" for n in range(data.n_items)])
    data = replace(data, catalogue=data.catalogue.with_columns(texts)).save(tmp_path / "shop")
    assert call("encode", data.path) == 0
    assert "note: only 0% of the texts share a word" in capsys.readouterr().err
    assert call("text-report", data.path, "--quiet", "--out", tmp_path / "out") == 0
    said = "Only 0% of the texts share a word with another one"
    assert capsys.readouterr().out.startswith(f"Note: {said}")
    for name in ("README.md", "index.html"):
        page = (tmp_path / "out" / name).read_text()
        assert 0 < page.index(said) < page.index("says little")


def test_what_cannot_be_reported_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    data = make_synthetic(CONFIG)
    none = Interactions.from_pairs(np.zeros(0, int), np.zeros(0, int), 200, 100)
    whole = data.save(tmp_path / "shop")
    without = replace(data, valid=none).save(tmp_path / "without")
    for dataset in (whole, without):
        encode_dataset(dataset, "tfidf")
    assert "no validation split" in refused(capsys, "text-report", without.path)
    line = refused(capsys, "text-report", whole.path, "-k", 100)
    assert "100 items have text, too few for 100 neighbours" in line
    assert "encoder 'minilm'" in refused(capsys, "text-report", whole.path, "--encoder", "minilm")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    line = refused(capsys, "text-report", whole.path, "--out", tmp_path / "mine")
    assert "holds other files" in line
    assert "no dataset" in refused(capsys, "text-report", tmp_path / "nothing")
