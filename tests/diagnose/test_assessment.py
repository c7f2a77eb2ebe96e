from __future__ import annotations

from dataclasses import replace

import pytest

from darec.diagnose import text_report
from darec.diagnose.assessment import assess
from darec.diagnose.estimate import ByPopularity, Estimate
from darec.diagnose.figures import Figures
from darec.testing.suites import tiny_text
from darec.testing.worlds import tiny_dataset

Interval = tuple[float, float, float]
ZERO: Interval = (0.0, -0.005, 0.005)


def around(*intervals: Interval) -> ByPopularity:
    overall, *thirds = (Estimate(*interval, 100) for interval in intervals)
    return ByPopularity(overall, tuple(thirds))


@pytest.fixture(scope="module")
def measured() -> Figures:
    data = tiny_dataset(n_users=120)
    return text_report(data, tiny_text(data), k=3).figures


@pytest.mark.parametrize(
    ("text", "gain", "tail", "lead", "verdict"),
    [
        ((0.015, 0.010, 0.020), (0.01, 0.005, 0.015), ZERO, ZERO, "says little"),
        ((0.05, 0.04, 0.06), (0.01, 0.005, 0.015), ZERO, ZERO, "can help"),
        ((0.05, 0.04, 0.06), (0.01, -0.001, 0.02), ZERO, ZERO, "unclear"),
        ((0.05, 0.04, 0.06), (0.001, 0.0005, 0.0025), ZERO, ZERO, "unclear"),
        ((0.05, 0.04, 0.06), (0.0005, -0.001, 0.0015), ZERO, ZERO, "adds little"),
        ((0.05, 0.04, 0.06), ZERO, (0.01, 0.005, 0.02), ZERO, "helps only the tail"),
        ((0.05, 0.04, 0.06), ZERO, ZERO, (0.01, 0.005, 0.02), "helps only the tail"),
        ((0.05, 0.015, 0.06), ZERO, ZERO, (0.01, 0.005, 0.02), "says little"),
    ],
)
def test_the_first_rule_that_applies_decides(
    measured: Figures, text: Interval, gain: Interval, tail: Interval, lead: Interval, verdict: str
) -> None:
    """Where random recall is 0.01 and the better one alone has 0.1, of which 2% are 0.002."""
    assert measured.agreement is not None
    chance, alone = (0.01, 0.01, 0.01), (0.1, 0.09, 0.11)
    figures = replace(
        measured,
        agreement=replace(
            measured.agreement, share=around((0.2, 0.15, 0.25)), chance=(0.1, None, None, None)
        ),
        recalls={
            **measured.recalls,
            "random": around(*[chance] * 4),
            "text": around(*[text] * 4),
            "alone": around(*[alone] * 4),
        },
        gain=around(gain, tail, ZERO, ZERO),
        lead=around(ZERO, lead, ZERO, ZERO),
    )
    found = assess(figures)
    assert found.verdict == verdict
    agrees = replace(figures.agreement, share=around((0.3, 0.21, 0.4)))  # type: ignore[type-var]
    if verdict == "says little":
        assert assess(replace(figures, agreement=agrees)).verdict != verdict
