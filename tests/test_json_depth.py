"""JSON that is nested without end is an error that names the file, wherever darec reads what it wrote itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from darec.compare.monitor import _last_line
from darec.compare.result import Comparison
from darec.errors import DataError, RunError, TextError
from darec.evaluation.result import Evaluation
from darec.files import json_value
from darec.listing.output import ListFile
from darec.scoring import Scorer
from darec.text.profiles.store import AnswerStore, read_meta
from darec.text.sources import read_texts
from darec.theory.worlds import read_world
from darec.tuning.storage import open_storage

DEEP = "[" * 100_000


def test_depth_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="it is nested too deeply"):
        json_value(DEEP)
    assert json_value("[[1]]") == [[1]]


@pytest.mark.parametrize(
    ("name", "error", "read"),
    [
        ("comparison.json", RunError, Comparison.load),
        ("meta.json", TextError, lambda path: read_meta(path.parent)),
        ("texts.jsonl", TextError, lambda path: read_texts(path, "item")),
        ("world.json", DataError, lambda path: read_world(str(path))),
        ("study.journal", RunError, open_storage),
    ],
)
def test_a_file_of_text(
    name: str, error: type[Exception], read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(DEEP + "\n")
    with pytest.raises(error, match=str(path)):
        read(path)


def test_a_later_line_of_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    path.write_text(json.dumps({"op_code": 0}) + "\n" + DEEP + "\n")
    with pytest.raises(RunError, match=f"{path} is not a journal"):
        open_storage(path)


def test_what_a_parquet_or_safetensors_file_says_of_itself(tmp_path: Path) -> None:
    table = pa.table({"user": np.arange(2)}).replace_schema_metadata({"darec": DEEP})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(RunError, match=r"not an evaluation .* nested too deeply"):
        Evaluation.load(tmp_path / "a.parquet")
    save_file({"ties": torch.arange(3)}, tmp_path / "a.safetensors", {"scorer": DEEP})
    with pytest.raises(RunError, match=r"no scorer .* nested too deeply"):
        Scorer.load(tmp_path / "a.safetensors")


def test_answers_of_a_model_are_counted_as_damaged(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path)
    store.begin()
    head = store.path.read_text()
    record = '{"sum": "", "record": {"key": ' + "[" * 980 + "]" * 980 + "}}"  # read, not written
    store.path.write_text(f"{head}{DEEP}\n{record}\n")
    assert AnswerStore(tmp_path).damaged == 2
    store.path.write_text(DEEP)
    with pytest.raises(TextError, match="line 1: not a file of answers"):
        AnswerStore(tmp_path)


def test_what_only_shows_progress_or_spares_work_is_passed_over(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    for line in (DEEP, "[1]", "{"):
        history.write_text(line + "\n")
        assert _last_line(history) is None
    lists = ListFile(tmp_path / "lists.csv")
    lists.folder.mkdir()
    (lists.folder / "request.json").write_text(DEEP)
    with lists.begun("a") as done:
        assert not done
