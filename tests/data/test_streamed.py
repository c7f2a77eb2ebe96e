"""A streamed import makes what an import in memory makes: the same dataset, the same sentences, the same refusals."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darec.data import build
from darec.data.build import import_dataset
from darec.data.dataset import SPLITS, Dataset
from darec.data.split import SPLIT_METHODS
from darec.data.streamed import blocks, parts, rows
from darec.data.streamed.select import smallest
from darec.errors import DarecError
from darec.progress import listening

Outcome = tuple[Any, ...]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGE", 0)
    monkeypatch.setattr(parts, "ROWS", 3)
    monkeypatch.setattr(blocks, "BLOCK", 48)
    monkeypatch.setattr(rows, "PART", 4)
    monkeypatch.setattr(rows, "_BLOCK", 5)


def outcome(source: Path, **options: Any) -> Outcome:
    """All that an import says and makes."""
    try:
        data = import_dataset(source, **options)
    except DarecError as error:
        # Read in pieces, others like the row that is named are counted in its piece alone.
        return type(error), re.sub(r"\((at least )?\d+ such", "(N such", str(error))
    cold = {
        name: (part.catalogue.rows(), part.pairs.keys.tolist()) for name, part in data.cold.items()
    }
    return (
        data.fingerprint(),
        data.users.ids,
        data.items.ids,
        [data.split(name).keys.tolist() for name in SPLITS],
        data.catalogue.rows(),
        data.manifest,
        cold,
    )


def both(source: Path, **options: Any) -> tuple[Outcome, Outcome]:
    """Of a streamed import and of one in memory."""
    assert parts.is_large(source)
    streamed = outcome(source, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "is_large", lambda source: False)
        return streamed, outcome(source, **options)


def write(frame: pl.DataFrame, folder: Path, kind: str, n_parts: int) -> Path:
    """The rows as parts of a folder."""
    folder.mkdir()
    size = -(-len(frame) // n_parts)
    for number in range(n_parts):
        part = frame.slice(number * size, size)
        name = folder / f"part-{number:03d}"
        if kind == "parquet":
            part.write_parquet(f"{name}.parquet", row_group_size=2)
        elif kind == "tsv":
            part.write_csv(f"{name}.tsv", separator="\t")
        else:
            Path(f"{name}.csv.gz").write_bytes(gzip.compress(part.write_csv().encode()))
    return folder


ROW = st.tuples(
    st.sampled_from(["9", "10", "007", "7", "x", "y", "ü"]),
    st.sampled_from(["a", "b", "c", "d", "10", "9", "8", "7"]),
    st.integers(-1, 5),
    st.integers(0, 6),
    st.sampled_from(["train", "Valid", "test"]),
)
ITEMS = pl.DataFrame({"item_id": [*"abcdz", "10", "9"], "title": [*"ABCDZXY"]})


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(ROW, min_size=1, max_size=40),
    st.sampled_from(["parquet", "tsv", "csv"]),
    st.integers(1, 4),
    st.fixed_dictionaries(
        {
            "split": st.sampled_from([None, "column", *SPLIT_METHODS]),
            "min_rating": st.sampled_from([None, 0, 3]),
            "k_core": st.integers(0, 3),
            "users_without_train": st.sampled_from(["error", "drop"]),
            "unknown_items": st.sampled_from(["error", "drop", "keep"]),
            "keep_cold_items": st.booleans(),
            "items": st.sampled_from([None, ITEMS]),
            "ratios": st.sampled_from([(3, 1, 1), (1, 0, 1)]),
            "seed": st.integers(0, 2),
        }
    ),
    st.sampled_from(["as it is", "seconds", "milliseconds", "days", "iso", "dates"]),
)
def test_both_make_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    log: list[Any],
    kind: str,
    n_parts: int,
    options: dict[str, Any],
    times: str,
) -> None:
    frame = pl.DataFrame(log, schema=["user", "item", "rating", "time", "split"], orient="row")
    day = pl.datetime(2014, 3, pl.col("time") + 9)
    written = {
        "as it is": pl.col("time"),
        "seconds": pl.col("time") + 1_500_000_000,
        "milliseconds": (pl.col("time") + 1_500_000_000) * 1000,
        "days": pl.col("time") + 20140301,
        "iso": day.dt.strftime("%Y-%m-%d %H:%M:%S"),
        "dates": day.dt.strftime("%m/%d/%Y"),
    }[times]
    frame = frame.with_columns(time=written)
    if options["split"] is None:
        frame = frame.drop("split")
    folder = write(frame, tmp_path_factory.mktemp("log") / "log", kind, n_parts)
    streamed, whole = both(folder, **options)
    assert streamed == whole


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        ((1, "user", " "), "no id in column 'user'"),
        ((4, "time", "soon"), "is 'soon', which is neither a finite number nor an ISO date"),
        ((4, "rating", "good"), "is 'good', which is not a finite number"),
        ((0, "split", "later"), "split 'later': write train"),
    ],
)
def test_what_cannot_be_names_the_part_and_the_row(
    tmp_path: Path, spoiled: tuple[int, str, str], told: str
) -> None:
    log = {"user": "u", "item": "a", "rating": "1", "time": "7", "split": "train"}
    (tmp_path / "log").mkdir()
    row, column, value = spoiled
    for number in range(20):
        lines = [",".join(log)]
        for place in range(6):
            bad = number == 17 and place == row
            lines.append(",".join(((log | {column: value}) if bad else log).values()))
        (tmp_path / f"log/part-{number:02d}.csv").write_text("\n".join(lines))
    split = "column" if column == "split" else "leave-last-out"
    said = outcome(tmp_path / "log", split=split, min_rating=0)[1]
    assert f"part-17.csv, line {row + 2}: " in said and told in said


def log_of(text: Callable[[int], str], n: int = 10) -> str:
    return "user,item,time\n" + "".join(f"u{i % 3},i{i},{text(i)}\n" for i in range(n))


@pytest.mark.parametrize(
    "text",
    [
        log_of(lambda i: f"0{i % 9 + 1}/0{i % 5 + 1}/2014"),  # two readings
        log_of(lambda i: f"01/{i + 8:02d}/2014"),  # two readings but for the last rows
        log_of(lambda i: f"{i + 1:02d}.03.2014 10:00"),
        log_of(lambda i: "soon"),
        log_of(lambda i: str(1_500_000_000_000 + i)),
        log_of(lambda i: str(5 + i * 10**13)),  # one unit, as some are no moments
        log_of(lambda i: f"2014-03-{i + 1:02d}" + " 10:00:00" * (i % 2)),
        log_of(lambda i: "2014-03-11T10:00:00Z"),
    ],
)
def test_times_are_read_as_one_column(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    streamed, whole = both(tmp_path / "log.csv", split="leave-last-out")
    assert streamed == whole


def test_the_finest_column_of_times(tmp_path: Path) -> None:
    text = "user,item,date,time_ms,position\n" + "".join(
        f"u{i % 2},i{i},2014-03-11,{i + 10**12},{i // 2}\n" for i in range(9)
    )
    (tmp_path / "log.csv").write_text(text)
    streamed, whole = both(tmp_path / "log.csv", split="temporal-user")
    assert streamed == whole and streamed[5]["options"]["columns"]["time"] == "time_ms"
    (tmp_path / "log.csv").write_text(text.replace("1000000000003", "soon"))
    streamed, whole = both(tmp_path / "log.csv", split="temporal-user")
    assert streamed == whole and streamed[5]["options"]["columns"]["time"] == "date"


LINES = ["user,item", *(f"user {i % 4},item {i}" for i in range(30)), ""]


@pytest.mark.parametrize(
    "data",
    [
        "\n".join(LINES),
        "\r\n".join(LINES),
        "\ufeff" + "\n".join(LINES),
        "\n\n" + "\n\n,\n".join(LINES),
        "\n".join([*LINES[:20], *LINES]),  # one behind the other
        "\n".join([*LINES[:20], "one field", *LINES[20:]]),
        "\n".join([*LINES[:20], "u,\x00", *LINES[20:]]),
        "\n".join([*LINES[:20], 'u,"quoted"', *LINES[20:]]),
        "\n".join([*LINES[:20], 'u,"over', 'lines"', *LINES[20:]]),
        "\n".join([*LINES[:20], 'u,"over', 'u,lines"', *LINES[20:]]),  # two readings
        "\n".join([*LINES[:20], 'u,"not closed', *LINES[20:]]),
        "\n".join([*LINES[:20], 'u,"one "" sign"', *LINES[:2], 'v,"an ""inch"', *LINES[2:9]]),
        "\n".join([*LINES[:20], r'u,"say \"hi, you\""', *LINES[20:]]),
        "\n".join([*LINES[:20], r'u,"say \"hi, you\""', *LINES[20:25], "u", *LINES[25:]]),
        "\n" * 100 + "\n".join([*LINES[:20], 'u,"quoted"', *LINES[20:]]),
        "\n".join([*LINES[:20], 'u,"quoted"', *LINES[20:]]).replace(",", "\t"),
        "\n".join(LINES[:9] + [line.replace(",", ',"') + '"' for line in LINES[1:-1]]),
        "\n".join(line + "," * bool(line and number) for number, line in enumerate(LINES)),
        "\n".join(LINES).replace(",", ";"),
        "\n".join([*LINES[:20], "ü,ü", *LINES[20:]]).encode("latin-1"),
        "\n".join(LINES).encode("utf-16"),
        " \n" * 50,
    ],
)
def test_a_large_text_file_is_read_in_blocks(tmp_path: Path, data: str | bytes) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    streamed, whole = both(file)
    assert streamed == whole


@pytest.mark.parametrize(
    "options",
    [{"encoding": "latin-1"}, {"quotes": False}, {"quotes": True}, {"header": ("user", "item")}],
)
def test_blocks_under_other_options(tmp_path: Path, options: dict[str, Any]) -> None:
    file = tmp_path / "log.csv"
    file.write_text("\n".join([*LINES[:20], 'u,"quoted"', *LINES[20:]]))
    streamed, whole = both(file, **options)
    assert streamed == whole


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2", ".xz"])
def test_blocks_of_packed_files(tmp_path: Path, suffix: str) -> None:
    pack = {".gz": gzip.compress, ".zst": _zstd, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    packed = pack("\n".join(LINES).encode())
    file = tmp_path / f"log.csv{suffix}"
    file.write_bytes(packed)
    streamed, whole = both(file)
    assert streamed == whole and len(streamed) > 2
    file.write_bytes(packed[:-20])
    for refused in both(file):
        assert "is cut off or damaged" in refused[1]
    file.write_bytes("\n".join(LINES).encode())
    streamed, whole = both(file)
    assert streamed == whole and "is not compressed" in streamed[5]["notices"][0]


def _zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def test_parts_that_differ(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "part-0.csv").write_text("uid,item\n1,a\n2,b\n")
    (folder / "part-1.csv").write_text("")
    (folder / "part-2.csv").write_text("item,uid,rating\n")
    (folder / "part-3.csv").write_text("item,note,uid\na,x,2\nb,y,1\n")
    streamed, whole = both(folder)
    assert streamed == whole
    assert "1 part has other columns than part-0.csv" in streamed[5]["notices"][0]
    (folder / "part-4.csv").write_text("user_id,item\n5,a\n")  # a name that goes before uid
    streamed, whole = both(folder)
    assert streamed == whole
    assert re.search(
        r"part-0\.csv has no column 'user_id' \(it has 'uid', 'item'\): name its columns as in part-4\.csv",
        streamed[1],
    )
    (folder / "part-4.csv").write_text("who,what\n5,a\n")
    streamed, whole = both(folder)
    assert streamed == whole and "none of its columns" in streamed[1]


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        ("5", "2014-05-21T23:35:28+00:00", "is a date where other rows have numbers"),
        ("5", "2014-05-21", "write all times in one format"),
        ("2014-05-21", "2014-15-41", "neither a finite number nor an ISO date"),
    ],
)
def test_parts_whose_times_are_written_otherwise(
    tmp_path: Path, first: str, then: str, told: str
) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "part-0.csv").write_text(f"user,item,time\n1,a,{first}\n2,b,{first}\n")
    (folder / "part-1.csv").write_text(f"user,item,time\n1,b,{then}\n")
    for outcome in both(folder, split="leave-last-out"):
        assert "part-1.csv, line 2: time" in outcome[1] and told in outcome[1]
        assert "such line)" in outcome[1]


def test_a_part_of_parquet_with_other_columns_or_times(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [7, 8], "time": [5, 6]})
    frame.write_parquet(folder / "0.parquet")
    moment = pl.Series("time", ["2014-05-21", "2014-05-22"]).str.to_datetime()
    frame.with_columns(moment).write_parquet(folder / "1.parquet")
    for outcome in both(folder, split="leave-last-out"):
        assert "1.parquet, row 1" in outcome[1] and "is a date where other" in outcome[1]
    frame.rename({"user_id": "user"}).write_parquet(folder / "1.parquet")
    for outcome in both(folder, split="leave-last-out"):
        assert "1.parquet has no column 'user_id' (it has 'user', 'item_id', 'time')" in outcome[1]
    frame.drop("time").write_parquet(folder / "1.parquet")
    for outcome in both(folder, split="leave-last-out"):
        assert "1.parquet has no column 'time'" in outcome[1]


def test_types_that_differ(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    for number, users in enumerate(([1, 2], [3.0, 1.0], [2, 1])):
        frame = pl.DataFrame({"user": users, "item": [7, 8]})
        frame.write_parquet(folder / f"{number}.parquet")
    streamed, whole = both(folder)
    assert streamed == whole and streamed[1] == [1, 2, 3]
    pl.DataFrame({"user": ["x", "1"], "item": [7, 8]}).write_parquet(folder / "3.parquet")
    streamed, whole = both(folder)
    assert streamed == whole and streamed[1] == ["1", "2", "3", "x"]
    pl.DataFrame({"user": [2.5], "item": [7]}).write_parquet(folder / "3.parquet")
    assert both(folder)[0] == both(folder)[1]
    (folder / "4.parquet").write_bytes(b"PAR1 no")
    assert "4.parquet is not a whole Parquet file" in outcome(folder)[1]


def test_what_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGE", 800)
    for name, size in {"a.csv": 799, "b.csv": 800, "c.csv.gz": 100, "d.parquet": 900}.items():
        (tmp_path / name).write_bytes(b"\0" * size)
    large = [file.name for file in sorted(tmp_path.iterdir()) if parts.is_large(file)]
    assert large == ["b.csv", "c.csv.gz", "d.parquet"]
    assert not parts.is_large(tmp_path)  # several kinds
    assert parts.is_large(str(tmp_path / "[ab].csv")) and not parts.is_large(tmp_path / "e*")
    for name in ("log.jsonl", "log.inter", "log.pkl"):
        (tmp_path / name).write_bytes(b"\0" * 10**4)
        assert not parts.is_large(tmp_path / name)
    assert not parts.is_large(pl.DataFrame()) and not parts.is_large(tmp_path)  # a .inter file


def test_empty_inputs(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.csv").write_text("user,item\n")
    assert (
        both(folder)[0] == both(folder)[1] and "none of its parts holds rows" in outcome(folder)[1]
    )
    assert both(folder / "a.csv")[0] == both(folder / "a.csv")[1]
    (folder / "a.csv").write_text("")
    assert both(folder / "a.csv")[0] == both(folder / "a.csv")[1]
    schema = {"user": pl.Int64, "item": pl.Int64}
    pl.DataFrame(schema=schema).write_parquet(folder / "a.parquet")
    streamed, whole = both(folder / "a.parquet")
    assert streamed == whole and "holds no rows" in streamed[1]


def test_a_pattern_names_parts(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": ["u", "v"] * 6, "item": list("abcdefghijkl")})
    folder = write(frame, tmp_path / "log", "tsv", 4)
    pattern = tmp_path / "log/part-00[012].*"
    streamed, whole = both(pattern)
    assert streamed == whole and len(streamed[5]["sources"]) == 3
    assert str(import_dataset(folder).manifest["tally"]["read"]) == "12"


def test_it_is_saved_and_loaded_and_leaves_nothing_else(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [i % 7 for i in range(60)], "item": [i % 11 for i in range(60)]})
    source = write(frame, tmp_path / "log", "parquet", 5)
    left = tmp_path / "data/.log.partial/rows/parts"  # by an import that was killed
    left.mkdir(parents=True)
    (left / "part-0").write_bytes(b"odd")
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *told: heard.append(told)):
        data = import_dataset(source, out=tmp_path / "data/log", k_core=2)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["log"]
    assert Dataset.load(tmp_path / "data/log").fingerprint() == data.fingerprint()
    assert heard[0][0].startswith("reading (4 rows, ") and heard[-1][:2] > ("writing pairs", 0)
    with pytest.raises(DarecError):
        import_dataset(source, out=tmp_path / "data/log", k_core=99, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["log"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_the_kth_smallest(values: list[float]) -> None:
    pieces = np.array_split(np.array(values), 3)
    places = range(len(values) + 1)
    assert smallest(lambda: pieces, places) == [*sorted(v + 0.0 for v in values), np.inf]
