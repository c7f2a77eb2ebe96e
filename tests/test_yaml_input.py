"""YAML that somebody else wrote: what is plain is read as PyYAML does, the rest is refused by its line and at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from darec.config import resolve_config
from darec.errors import ConfigError
from darec.overrides import parse_override
from darec.yaml_input import MOST_BYTES, parse_yaml, read_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
LAUGHS = "a0: &a0 lol\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 10}]\n" for i in range(1, 10))


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_plain_values_are_read_as_they_were_written(value: Any) -> None:
    assert parse_yaml(yaml.safe_dump(value), "x") == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "x, line 1 .*anchors and aliases"),
        ("a: 1\nb: &here 2\nc: *here\n", "x, line 2 .*anchors and aliases"),
        ("a: 1\nc: *nowhere\n", "x, line 2 .*anchors and aliases"),
        ("a: &here\n  b: *here\n", "x, line 1 .*anchors and aliases"),
        ("[" * 5000, "x .*nested deeper than 20 levels"),
        ("{a: " * 5000, "x .*nested deeper than 20 levels"),
        ("- " * 5000 + "1", "x .*nested deeper than 20 levels"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "x, line 4 .*the key 'c' occurs twice"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "x, line 2 .*constructor for the tag"),
        ("a: 1\nb: [1, 2\nc: 3\n", "x, line 3 .*expected"),
        ("a: 1\nb: 2024-13-45\n", "x .*month must be in"),
        ("a: " + "9" * 5000, "x .*limit"),
        ("a: \0", "x .*special characters"),
        ("? [a, b]\n: 1\n? {c: 1}\n: 2\n", "x, line 1 .*unhashable"),
    ],
)
def test_what_is_refused_is_named_by_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_yaml(text, "x")
    assert len(str(caught.value)) < 400


def test_twenty_levels_are_read() -> None:
    assert parse_yaml("[" * 20 + "]" * 20, "x") == yaml.safe_load("[" * 20 + "]" * 20)


def test_a_file_is_refused_by_size_and_encoding(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("a: 1 # " + "x" * MOST_BYTES)
    with pytest.raises(ConfigError, match=r"settings.yaml is larger than 100,000 bytes"):
        read_yaml(file)
    file.write_text("train: {epochs: 7}\n", encoding="utf-8-sig")
    assert read_yaml(file) == {"train": {"epochs": 7}}
    file.write_text("train: {epochs: 7}\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"settings.yaml is not YAML in UTF-8"):
        read_yaml(file)


def test_settings_are_read_within_these_limits(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    for text, said in (
        (LAUGHS, "aliases"),
        ("1: 2", "has no settings"),
        ("a: b: c", "mapping values"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=said):
            resolve_config(file=file)
    with pytest.raises(ConfigError, match=r"overrides 'train.epochs=&a 5': .*aliases"):
        parse_override("train.epochs=&a 5", example="x=1")
    with pytest.raises(ConfigError, match="deeper than 20") as caught:
        resolve_config(overrides=["train.epochs=" + "[" * 5000])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "value", ["x" * 90_000, "word " * 10_000, "[" + "1, " * 1_000 + "]", "x" * 200_000, "{a, }"]
)
def test_no_error_shows_a_value_that_fills_the_screen(value: str) -> None:
    for key in ("train.epochs", "backbone", "backbone.name", "loss", "nothing", "loss.temperature"):
        with pytest.raises(ConfigError) as caught:
            resolve_config(overrides=[f"{key}={value}"])
        assert len(str(caught.value)) < 700, key
        assert max(map(len, str(caught.value).split())) <= 200
