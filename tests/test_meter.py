"""Progress on a stream that is no terminal: rate and time left are right."""

from __future__ import annotations

import pytest

from darec import meter


def test_lines_tell_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 5.0, 20.0, 40.0])
    monkeypatch.setattr(meter, "monotonic", lambda: next(clock))
    with meter.Meter("minilm", doing="encoding", unit="texts").counting(1000, reused=7) as advance:
        for _ in range(2):
            advance(200)  # 200 after 5 s are too early for a line; 400 after 20 s are 20/s
        advance(600)  # the end needs none
    assert capsys.readouterr().err.splitlines() == [
        "minilm: encoding 1,000 texts, 7 exist already",
        "minilm: 400 of 1,000 texts, 20/s, 30 s left",
    ]


def test_silence_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    with meter.Meter("minilm", doing="encoding", unit="texts", show=False).counting(
        10, reused=0
    ) as advance:
        advance(10)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
