"""``darec import`` from its command line: the issue's commands on real data, the table, the JSON, the notices."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import command_line
from darec.cli.import_ import _time_cuts
from darec.data.dataset import Dataset
from darec.errors import ConfigError

LOG = "user_id,item_id,date\nu,a,2020-01-01\nu,b,2020-02-01\nv,a,2020-01-02\nv,b,2020-03-01\nv,b,2020-03-02\n"
ITEMS = '{"item_id": "a", "title": "Pan"}\n{"item_id": "b"}\n{"item_id": "cold", "title": "Ice"}\n'


@pytest.fixture
def call() -> Callable[..., int]:
    return functools.partial(command_line.call, "import")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text(LOG)
    Path("items.jsonl").write_text(ITEMS)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "users", "items", "splits"),
    [
        ("toys", 19_412, 11_924, (102_519, 32_539, 32_539)),
        ("games", 50_546, 16_859, (269_082, 85_591, 85_591)),
        ("steam", 17_038, 4_436, (113_741, 36_699, 36_699)),
        ("rlmrec-amazon", 11_000, 9_332, (120_464, 40_290, 40_106)),
    ],
)
def test_real_data_as_given(
    name: str, users: int, items: int, splits: tuple[int, int, int], tmp_path: Path,
    call: Callable[..., int], shared_data: Callable[[str], Path], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = shared_data(name)
    files: tuple[object, ...] = (folder / "interactions.csv", "--items", folder / "items.jsonl")
    source = (folder,) if name.startswith("rlmrec") else files
    assert call(*source, "--out", tmp_path / "d", "--format", "json") == 0
    shown = capsys.readouterr()
    figures = json.loads(shown.out)
    assert (figures["users"], figures["items"]) == (users, items)
    assert tuple(figures[f"interactions/{part}"] for part in ("train", "valid", "test")) == splits
    assert figures["items_with_text"] == (0 if name.startswith("rlmrec") else items)
    assert figures["tally"] == {"read": sum(splits), "repeats_merged": 0} and shown.err == ""


def test_the_table_goes_to_stdout_and_notices_to_stderr(
    shop: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("log.csv", "--items", "items.jsonl", "--out", "d") == 0
    shown = capsys.readouterr()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.out.splitlines()]
    table = dict(row for row in cells if row)
    assert table == {
        "users": "2", "items": "2", "with text": "1", "interactions": "4", "train": "4", "valid": "0",
        "test": "0", "density": "100.000%",
        "interactions per user": "mean 2.0, median 2, 2 to 2",
        "interactions per item": "mean 2.0, median 2, 2 to 2",
        "training share of top 20% items": "50.0%",
    }  # fmt: skip
    assert shown.err.splitlines() == [
        "darec: 1 repeated interaction merged.",
        "darec: 1 item without interactions left out (--keep-cold-items keeps them), the first 'cold'.",
    ]


def test_quiet_hides_progress_but_no_notice(
    shop: Path,
    call: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("darec.progress.EVERY", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal, where a status is shown
    said = {}
    for name, quiet in {"loud": [], "quiet": ["--quiet"]}.items():
        options = ["--unknown-items", "keep", "--split", "leave-last-out", *quiet]
        assert call("log.csv", "--items", "items.jsonl", "--out", name, *options) == 0
        said[name] = capsys.readouterr().err
    assert "importing" in said["loud"] and "importing" not in said["quiet"]
    assert "1 repeated interaction merged" in said["quiet"]


def test_options_reach_the_import(shop: Path, call: Callable[..., int]) -> None:
    options = [
        "--split",
        "global-time",
        "--time-cuts",
        "2020-01-15,2020-02-15",
        "--keep-cold-items",
    ]
    options += [
        "--text-template",
        "A {title}",
        "--timestamp-column",
        "date",
        "--item-id",
        "item_id",
    ]
    assert call("log.csv", "--items", "items.jsonl", "--out", "d", *options) == 0
    dataset = Dataset.load("d")
    assert [len(dataset.split(name)) for name in ("train", "valid", "test")] == [2, 1, 1]
    assert dataset.catalogue.rows() == [
        ("a", "Pan", "A Pan"),
        ("b", None, None),
        ("cold", "Ice", "A Ice"),
    ]
    assert dataset.manifest["options"]["columns"]["time"] == "date"
    assert (
        call("log.csv", "--items", "items.jsonl", "--out", "e", "--text-fields", "title, item_id")
        == 2
    )
    assert not Path("e").exists()


def test_how_a_file_is_written_in_options(
    shop: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file without a header, with quotes that are characters, American dates and a column that is in the way."""
    rows = ["u,a,01/09/2014,test,x", 'u,b,03/11/2014,test,"y', 'u,c,05/01/2014,test,z"']
    Path("log.txt").write_text("".join(f"{row}\n" for row in rows))
    options = [
        "--header",
        "user, item, date, split, note",
        "--no-quotes",
        "--split",
        "leave-last-out",
    ]
    options += ["--time-format", "%m/%d/%Y", "--ignore-column", "split", "--ignore-column", "note"]
    assert call("log.txt", "--out", "d", *options) == 0
    shown = capsys.readouterr()
    assert "│ times by" in shown.out and "'date' │" in shown.out and shown.err == ""
    dataset = Dataset.load("d")
    assert dataset.items.texts[dataset.test.items[0]] == "c"
    kept = dataset.manifest["options"]
    assert kept["header"] == ["user", "item", "date", "split", "note"] and kept["quotes"] is False
    assert kept["time_format"] == "%m/%d/%Y" and kept["ignore_columns"] == ["split", "note"]


def test_time_cuts() -> None:
    assert _time_cuts("10,20.5") == (10, 20.5)
    assert _time_cuts("1970-01-01T01:00:00+01:00,1970-01-02") == (0, 86400)
    for wrong in ("10", "1,2,3", "soon,later"):
        with pytest.raises(ConfigError, match="two numbers or ISO dates"):
            _time_cuts(wrong)


def test_a_pattern_in_quotes(
    shop: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("part-0.csv", "part-1.csv"):
        Path(name).write_text(LOG)
    assert call("part-*.csv", "--out", "d", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["tally"] == {"read": 10, "repeats_merged": 6}
