"""No credential of a URL is left in a text."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.urls import quiet_logs, without_credentials


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("https://[::1]:80/v1", "https://[::1]:80/v1"),
        ("https://host/ai/%40cf/m", "https://host/ai/%40cf/m"),
        ("http://user:secret@host:8000/v1", "http://host:8000/v1"),
        ("http://token@host/v1/", "http://host/v1/"),
        ("http://user:secret@[::1]:80/v1", "http://[::1]:80/v1"),
        ("http://u:se/c?r#e@t@host/v1", "http://host/v1"),
        ("https://host/v1?api_key=secret#part", "https://host/v1"),
        ("https://h/v1?key=s&api-version=2024-06-01", "https://h/v1?api-version=2024-06-01"),
        (
            "cannot reach http://u:p@h/v1 (no route): check",
            "cannot reach http://h/v1 (no route): check",
        ),
        ("got 'http://u:p@h/v1', \"https://h?k=s\".", "got 'http://h/v1', \"https://h\"."),
        ("darec --base-url=HTTPS://u:p@h --quiet", "darec --base-url=HTTPS://h --quiet"),
        ("postgresql+psycopg://u:p@db:5432/x", "postgresql+psycopg://db:5432/x"),
        ("no file http:/u:p@h/v1?k=s.", "no file http:/h/v1."),
        (r"C:/Users/me@home/x?", r"C:/Users/me@home/x?"),
        ("mail me@host, at 10:30, a://", "mail me@host, at 10:30, a://"),
    ],
)
def test_urls_lose_their_credentials_and_nothing_else(text: str, expected: str) -> None:
    assert without_credentials(text) == expected
    assert without_credentials(expected) == expected


SECRET = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1)


@given(SECRET, SECRET, st.sampled_from(["", "/v1", ":80/v1"]), st.sampled_from(["", " and more"]))
def test_no_part_of_a_password_stays(user: str, password: str, path: str, rest: str) -> None:
    shown = without_credentials(f"at http://{user}:{password}@host{path}{rest}")
    assert shown == f"at http://host{path}{rest}"


def test_long_texts_take_no_longer_than_their_length() -> None:
    started = time.process_time()
    for part in ("http://", "http://u:p@h", "a.", "a://\"'", "http://)))", "a+-."):
        without_credentials(part * (500_000 // len(part)))
    assert time.process_time() - started < 5


def test_logs_of_a_client_are_cleaned_too(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        quiet_logs("some.client")
    logger = logging.getLogger("some.client")
    assert len(logger.filters) == 1
    with caplog.at_level(logging.INFO):
        logger.info('HTTP Request: %s %s "%d"', "POST", "http://u:p@h/v1?k=s", 200)
    assert caplog.messages == ['HTTP Request: POST http://h/v1 "200"']
