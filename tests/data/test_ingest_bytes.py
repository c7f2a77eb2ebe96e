"""From bytes to text: encodings, marks of Unicode, compression, and what is damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darec.data.build import import_dataset
from darec.data.ingest import Columns, Reading, Source, read_source
from darec.data.ingest.decoding import read_text
from darec.errors import DataError

TEXT = "user,item\nu,é\nv,二\n"


def read(path: Path, data: bytes, encoding: str | None = None) -> Source:
    path.write_bytes(data)
    return read_source(path, Columns(), Reading(encoding))


def items(source: Source) -> list[str]:
    return source.frame["item"].to_list()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("asked", [None, "latin-1", "utf-8", "utf-16", "UTF_32"])
def test_a_mark_is_obeyed(tmp_path: Path, encoding: str, asked: str | None) -> None:
    source = read(tmp_path / "a.csv", TEXT.encode(encoding), asked)
    assert items(source) == ["é", "二"]
    family = encoding.removesuffix("-sig")
    expected = (asked or "utf-8").lower().replace("_", "-") == family
    assert expected == (source.notices == ())
    if not expected:
        assert f"begins with the mark of {family.upper()} and is read as such" in source.notices[0]


def test_marks_of_files_put_one_behind_the_other(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", TEXT.encode("utf-8-sig") * 2)
    assert items(source) == ["é", "二"] * 2
    assert "1 line that repeats the header was left out, the first is line 4" in source.notices[0]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_named(tmp_path: Path, encoding: str) -> None:
    text = "user,item\n" + "u,a\n" * 9
    for asked in (None, "utf-8", "latin-1"):
        with pytest.raises(
            DataError, match="looks like UTF-16 without a mark: pass encoding utf-16-le"
        ):
            read(tmp_path / "a.csv", text.encode(encoding), asked)
    assert items(read(tmp_path / "a.csv", text.encode(encoding), encoding)) == ["a"] * 9
    with pytest.raises(DataError, match="utf-16"):
        read(tmp_path / "a.csv", text.replace("a", "é").encode(encoding))


def test_bytes_that_are_not_utf_8_name_the_way_out(tmp_path: Path) -> None:
    data = "user,item\nu,a\nv,é\n".encode("latin-1")
    with pytest.raises(DataError, match="line 3: byte 0xe9 at offset 16 is not utf-8") as caught:
        read(tmp_path / "a.csv", data)
    assert "with --encoding, for example latin-1" in caught.value.command_line
    assert items(read(tmp_path / "a.csv", data, "latin-1")) == ["a", "é"]


def test_utf_8_that_is_read_as_something_else_is_told(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", TEXT.encode(), "latin-1")
    assert source.notices == (
        f"{tmp_path / 'a.csv'} is valid UTF-8, and was read as latin-1 as asked.",
    )


@pytest.mark.parametrize("encoding", ["utf-99", "undefined", "hex", "rot13", "utf\0"])
def test_what_is_no_encoding(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DataError, match=r"no encoding|is not text in"):
        read(tmp_path / "a.csv", TEXT.encode(), encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("folder", ["1m", "100k"])
def test_movielens_is_read_by_its_bytes(tmp_path: Path, encoding: str, folder: str) -> None:
    if folder == "1m":
        (tmp_path / "ratings.dat").write_text("1::3::5::9\n")
        (tmp_path / "movies.dat").write_bytes("3::Misérables, Les (1995)::Drama\n".encode(encoding))
    else:
        (tmp_path / "u.data").write_text("1\t3\t5\t9\n")
        (tmp_path / "u.genre").write_text("Drama|0\n")
        (tmp_path / "u.item").write_bytes("3|Misérables, Les (1995)|||x|1\n".encode(encoding))
    dataset = import_dataset(tmp_path)
    assert dataset.catalogue["title"].to_list() == ["Misérables, Les (1995)"]
    notices = dataset.manifest["notices"]
    assert bool(notices) == (encoding == "latin-1")
    assert not notices or "is not UTF-8 and was read as latin-1" in notices[0]


def _zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "zst": _zstd, "bz2": bz2.compress, "xz": lzma.compress,
}  # fmt: skip


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_files(tmp_path: Path, suffix: str) -> None:
    pack = PACKERS[suffix]
    source = read(tmp_path / f"a.csv.{suffix}", pack(TEXT.encode()))
    assert items(source) == ["é", "二"] and not source.notices
    twice = read(tmp_path / f"a.csv.{suffix}", pack(TEXT[:10].encode()) + pack(TEXT[10:].encode()))
    assert items(twice) == ["é", "二"]  # as of two files put one behind the other
    lines = read(tmp_path / f"a.jsonl.{suffix}", pack(b'{"user": 1, "item": 2}\n'))
    assert items(lines) == ["2"]
    plain = read(tmp_path / f"a.csv.{suffix}", TEXT.encode())
    assert items(plain) == ["é", "二"] and "is not compressed" in plain.notices[0]
    hidden = read(tmp_path / "a.csv", pack(TEXT.encode()))
    assert items(hidden) == ["é", "二"] and f"is compressed (.{suffix})" in hidden.notices[0]


@pytest.mark.parametrize("suffix", PACKERS)
def test_damaged_and_empty_archives(tmp_path: Path, suffix: str) -> None:
    pack = PACKERS[suffix]
    data = pack(b"user,item\n" + bytes(range(65, 91)) * 500)
    for broken in (data[: len(data) // 2], data[:-4], data[:6] + b"xx" + data[8:]):
        with pytest.raises(
            DataError,
            match=r"is cut off or damaged|NUL byte|not utf-8|one column only|fields? where",
        ):
            read(tmp_path / f"a.csv.{suffix}", broken)
    for empty in (b"", b"\n \n", pack(b""), pack(b" \n")):
        with pytest.raises(DataError, match=rf"a\.csv\.{suffix} is empty"):
            read(tmp_path / f"a.csv.{suffix}", empty)


def test_zip_archives_and_nul_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a ZIP archive: unpack it"):
        read(tmp_path / "a.csv", b"PK\x03\x04rest")
    with pytest.raises(DataError, match=r"line 3: a NUL byte \(4 such\)"):
        read(tmp_path / "a.csv", b"user,item\nu,a\nv,\0\0\0\0\n" + b"w,b\n" * 20)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bytes"
    path.write_bytes(data)
    try:
        text = read_text(path, otherwise="latin-1").data
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert text.strip() and text.decode() and b"\r" not in text and b"\0" not in text
