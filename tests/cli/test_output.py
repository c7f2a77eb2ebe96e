"""JSON and CSV as programs and spreadsheets read them, whatever ids and titles hold."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.cli.output import ListFormat, print_json, print_rows, safe_cell

EVIL = "\x1b[2J\x9b31m\u202ex\udcff\n"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1", "\uff1d1", "--1", "-", "=", "-1e", "+1 000"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_made_text(text: str) -> None:
    assert str(safe_cell(text)).startswith("'")


@pytest.mark.parametrize(
    "value", ["-5", "+1", "-1.5e-3", "-.5", "12", "", "a=b", "Amélie - 2", "'x", -5, -0.25, 3, True, None]
)  # fmt: skip
def test_numbers_and_other_text_stay_as_they_are(value: object) -> None:
    assert safe_cell(value) == value


@given(st.text())
def test_no_cell_begins_as_a_formula_or_holds_a_control_character(text: str) -> None:
    cell = str(safe_cell(text))
    assert not cell or cell[0] not in "=+-@\t\r\n" or cell.replace(".", "").strip("+-").isalnum()
    assert cell.isprintable() or cell == text or not set(cell) & set(map(chr, range(32)))


def test_csv_is_safe_unless_asked_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"item_id": "=1", "title": "@a\x1b\n", "score": -0.5}]
    print_rows(rows, ListFormat.CSV)
    assert capsys.readouterr().out == "item_id,title,score\n'=1,'@a\\x1b\\n,-0.5\n"
    print_rows(rows, ListFormat.CSV, safe=False)
    read = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert read == [["item_id", "title", "score"], ["=1", "@a\x1b\n", "-0.5"]]
    print_rows([], ListFormat.CSV, columns=["rank", "item_id"])
    assert capsys.readouterr().out == "rank,item_id\n"


def test_csv_to_the_letter_is_still_not_obeyed_by_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    print_rows([{"id": "=\x1b[2J"}], ListFormat.CSV, safe=False)
    assert capsys.readouterr().out == "id\n=\\x1b[2J\n"


def test_json_reads_back_equal_and_holds_no_control_character(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json({EVIL: [EVIL, "é"]})
    out = capsys.readouterr().out
    assert json.loads(out) == {EVIL: [EVIL, "é"]} and "é" in out
    assert all(letter.isprintable() or letter == "\n" for letter in out)


def test_a_table_shows_an_id_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"item": f"[bold]{EVIL}", "score": 1.0}, {"item": ":bug: [/x]", "score": 2.0}]
    print_rows(rows, ListFormat.TABLE, title=f"for {EVIL}")
    out = capsys.readouterr().out
    for part in (r"[bold]\x1b[2J\x9b31m\u202ex\udcff\n", ":bug: [/x]", r"for \x1b[2J"):
        assert part in out, part
