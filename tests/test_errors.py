"""One message, two readers: options as the command line writes them, and as Python's arguments."""

from __future__ import annotations

import pickle

import pytest

from darec.errors import ConfigError, DarecError, DataError, did_you_mean


@pytest.mark.parametrize(
    ("command_line", "python"),
    [
        ("the 5-core is empty: lower --k-core.", "the 5-core is empty: lower k_core."),
        ("pass --overwrite.", "pass overwrite=True."),
        (
            "name it with --timestamp-column or --user-column.",
            "name it with columns={'time': ...} or columns={'user': ...}.",
        ),
        ("pass --unknown-items=drop (or not).", "pass unknown_items='drop' (or not)."),
        ("import it with --split=cold-items.", "import it with split='cold-items'."),
        ("raise --jobs=2.", "raise jobs=2."),
        ("--seeds 0: give one.", "seeds 0: give one."),
        # Commands of one function are calls; what else a message quotes stays as it is.
        (
            "run 'darec encode a b --encoder c --text titles' again",
            "run darec.encode_dataset('a b', encoder='c', source='titles') again",
        ),
        ("make one with 'darec train DATA --out r'.", "make one with darec.fit(data, out='r')."),
        (
            "with 'darec import ... --out d --k-core 5 --overwrite'.",
            "with darec.load_dataset(..., out='d', k_core=5, overwrite=True).",
        ),
        ("run 'darec train' with --resume", "run darec.fit with resume=True"),
        ("run 'darec compare --jobs 2' again", "run 'darec compare --jobs 2' again"),
        ("no item '--k-core' here, nor 'a --b'.", "no item '--k-core' here, nor 'a --b'."),
        ("a -- b", "a -- b"),
        (
            "the items' texts: lower --pca, don't raise it.",
            "the items' texts: lower pca, don't raise it.",
        ),
    ],
)
def test_an_error_speaks_to_who_reads_it(command_line: str, python: str) -> None:
    error = DataError(command_line)
    assert str(error) == python
    assert error.command_line == command_line
    assert str(pickle.loads(pickle.dumps(error))) == python


@pytest.mark.parametrize(
    ("asked", "there", "near"),
    [
        ("U42", ["U742", "U042", "U420"], "U042"),
        ("u007", ["U7", "U07x", "u070"], "U7"),
        ("item-5-2", ["item-5-20", "item-005-02"], "item-005-02"),
        ("0", ["00", "10"], "00"),
        ("trian", ["train", "test"], "train"),
    ],
)
def test_the_same_number_with_other_zeros_is_nearest(
    asked: str, there: list[str], near: str
) -> None:
    assert did_you_mean(asked, there) == f"did you mean {near!r}?"


def test_an_error_within_an_error_is_not_turned_twice() -> None:
    inner = ConfigError("lower --k-core=5")
    assert str(DarecError(inner)) == "lower k_core=5"
