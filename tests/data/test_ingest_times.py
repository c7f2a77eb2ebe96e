"""Times: units, ISO dates, other formats, and the column that is taken."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.data.build import import_dataset
from darec.data.dataset import Dataset
from darec.data.ingest.dates import AmbiguousTimesError
from darec.data.ingest.times import read_times
from darec.errors import DataError

DAY = dt.datetime(2014, 3, 11, tzinfo=dt.UTC).timestamp()
TEN = DAY + 10 * 3600 + 1800


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
@given(times=st.lists(st.integers(10**8, 4 * 10**9), min_size=1))
def test_epochs_in_any_unit(unit: int, times: list[int]) -> None:
    for values in (pl.Series([t * unit for t in times]), pl.Series([str(t * unit) for t in times])):
        read, _ = read_times(values)
        assert read.to_list() == pytest.approx(times, rel=1e-12)


def test_epochs_of_two_units_in_one_column_are_each_read_by_their_own() -> None:
    read, _ = read_times(pl.Series(["1400000000", "1500000000000", None, "1600000000.5"]))
    assert read.to_list() == [1.4e9, 1.5e9, None, 1600000000.5]


@pytest.mark.parametrize("values", [[0, 5, 3], [0, 10**12, 5], [-1, 2**60, 2**61], [0.5, 99.5]])
def test_numbers_that_are_no_moments_keep_their_order(values: list[float]) -> None:
    read, _ = read_times(pl.Series(values))
    assert sorted(range(len(values)), key=read.to_list().__getitem__) == sorted(
        range(len(values)), key=values.__getitem__
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20140311", DAY),
        ("20140311103000", TEN),
        ("2014-03-11", DAY),
        ("2014-3-11", DAY),
        (" 2014-03-11T10:30 ", TEN),
        ("2014-03-11 10:30:00 UTC", TEN),
        ("2014-03-11T10:30:00Z", TEN),
        ("2014-03-11T12:30:00+0200", TEN),
        ("2014-03-11 10:30:00.250", TEN + 0.25),
        ("2014/03/11 10:30", TEN),
        ("03/25/2014", DAY + 14 * 86400),
        ("25.03.2014", DAY + 14 * 86400),
        ("3/25/2014 10:30", TEN + 14 * 86400),
        ("25-03-2014 10:30:00", TEN + 14 * 86400),
        ("3/25/14 10:30 AM", TEN + 14 * 86400),
        ("03 11, 2014", DAY),
        ("3 11, 2014", DAY),
        ("11 Mar 2014", DAY),
        ("11-Mar-2014 10:30", TEN),
        ("March 11, 2014", DAY),
        ("Mar 11, 2014 10:30:00 AM", TEN),
        ("Tue Mar 11 02:30:00 -0800 2014", TEN),
        ("Tue, 11 Mar 2014 10:30:00 +0000", TEN),
    ],
)
def test_dates(text: str, seconds: float) -> None:
    assert read_times(pl.Series([text, text]))[0].to_list() == [seconds, seconds]


@pytest.mark.parametrize(
    ("texts", "orders"),
    [
        (["03/11/2014", "04/02/2014"], "md"),
        (["1.2.2014"], "md"),
        (["1-2-13 10:30"], "md"),
        (["05/06/2014 10:30:00"], "md"),
        (["14-03-12"], "dy"),
        (["01/02/03"], "mdy"),
    ],
)
def test_dates_with_several_readings_are_never_guessed(texts: list[str], orders: str) -> None:
    with pytest.raises(AmbiguousTimesError) as caught:
        read_times(pl.Series(texts))
    assert "".join(form[1] for form in caught.value.formats) == orders
    for form in caught.value.formats:
        assert read_times(pl.Series(texts), form)[0].null_count() == 0


def test_a_day_beyond_twelve_settles_all_others() -> None:
    read, form = read_times(pl.Series(["03/11/2014"] * 999 + ["03/25/2014"]))
    assert form == "%m/%d/%Y" and read[0] == DAY


@pytest.mark.parametrize(
    "texts",
    [
        ["25/03/2014", "03/25/2014"], ["2014-03-11", "03/25/2014"], ["1400000000", "2014-03-11"], ["10:30", "11:30"],
        ["2014-03-11", "2014-13-03"], ["Tuesday", "2014"],
    ],
)  # fmt: skip
def test_columns_of_two_formats_leave_one_unread(texts: list[str]) -> None:
    assert read_times(pl.Series(texts))[0].null_count() > 0


def test_years_of_two_digits_are_of_this_era() -> None:
    assert read_times(pl.Series(["3/25/14"]))[0].to_list() == [DAY + 14 * 86400]
    assert read_times(pl.Series(["25/03/14"]), "%d/%m/%Y")[0].to_list() == [None]


def log(**columns: list[Any]) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    return pl.DataFrame({"user": ["u"] * n, "item": list("abcdefgh"[:n]), **columns})


def last(dataset: Dataset) -> str:
    return str(dataset.items.ids[dataset.test.items[0]])


FINE = [1650589200000, 1650592800000, 1650596400000]


@pytest.mark.parametrize(
    ("columns", "taken"),
    [
        ({"date": [20220422] * 3, "time_ms": FINE}, "time_ms"),
        ({"position": [3, 2, 1], "event_time": FINE}, "event_time"),
        ({"position": [3, 2, 1], "date": [20220422] * 3}, "date"),
        ({"timestamp": [7, 7, 8], "date": ["2022-04-20", "2022-04-21", "2022-04-22"]}, "date"),
        ({"date": ["2022-04-20", "2022-04-21", "2022-04-21"], "time": ["10:30", "09:00", "11:00"]}, "date"),
        ({"position": [1, 2, 3]}, "position"),
    ],
)  # fmt: skip
def test_the_finest_column_of_times_is_taken(columns: dict[str, list[Any]], taken: str) -> None:
    dataset = import_dataset(log(**columns), split="leave-last-out")
    assert dataset.manifest["options"]["columns"]["time"] == taken
    if len(set(columns[taken])) == 3:
        assert last(dataset) == "c"


def test_equal_times_are_told() -> None:
    dataset = import_dataset(log(time=[1, 2, 2]), split="leave-last-out")
    assert dataset.manifest["tally"]["equal_times"] == 2
    assert (
        "2 of 3 interactions have the same 'time' as another of their user"
        in dataset.manifest["notices"][0]
    )


@pytest.mark.parametrize("when", [["03/04/2014", "x", ""], ["soon", "", None]])
def test_times_that_nothing_needs_stop_nothing(when: list[Any]) -> None:
    frame = log(date=when, rating=["", "x", None])
    assert len(import_dataset(frame).train) == 1  # 3:1:1
    with pytest.raises(DataError, match="time in column 'date' is"):
        import_dataset(frame, split="leave-last-out")
    with pytest.raises(DataError, match="rating in column 'rating' is"):
        import_dataset(frame, min_rating=1)


def test_an_ambiguous_column_names_the_way_out(tmp_path: Path) -> None:
    frame = log(date=["01/09/2014", "03/11/2014", "05/01/2014"])
    with pytest.raises(
        DataError, match=r"row 1: times such as '01/09/2014' .*'%m/%d/%Y' and as '%d/%m/%Y'"
    ) as caught:
        import_dataset(frame, split="leave-last-out")
    assert "name the format with --time-format" in caught.value.command_line
    american = import_dataset(frame, split="leave-last-out", time_format="%m/%d/%Y")
    british = import_dataset(frame, split="leave-last-out", time_format="%d/%m/%Y")
    assert (last(american), last(british)) == ("c", "b")
    assert american.manifest["options"]["time_format"] == "%m/%d/%Y"


def test_cuts_may_be_in_the_files_own_unit() -> None:
    frame = log(time=FINE)
    for cuts in ((FINE[1], FINE[2]), (FINE[1] / 1000, FINE[2] / 1000)):
        dataset = import_dataset(
            frame, split="global-time", time_cuts=cuts, users_without_train="drop"
        )
        assert [len(dataset.split(name)) for name in ("train", "valid", "test")] == [1, 1, 1]


def test_a_column_can_be_left_alone() -> None:
    frame = log(date=[3, 2, 1], timestamp=[10, 20, 30], split=["test"] * 3)
    dataset = import_dataset(frame, split="leave-last-out", ignore_columns=("timestamp", "split"))
    assert last(dataset) == "a"
    assert dataset.manifest["options"]["ignore_columns"] == ("timestamp", "split")
    with pytest.raises(DataError, match=r"no column 'dat' to ignore .*did you mean 'date'"):
        import_dataset(frame, ignore_columns=("dat",))
