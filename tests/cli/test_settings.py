"""``darec settings``: plain words, whatever markup a docstring has."""

from __future__ import annotations

import json
import re

import pytest

from command_line import call
from darec.cli.settings import plain
from darec.registry import ALIGNMENTS, BACKBONES, inapplicable


@pytest.mark.parametrize(
    ("docstring", "said"),
    [
        ("Divide by ``keep``; null: all.", "Divide by keep; null: all."),
        ("Measured (:func:`darec.graph.reliability`), so.", "Measured, so."),
        ("As :class:`~darec.alignments.kar.KAR` has it.", "As KAR has it."),
        ("As :func:`content_tables` does.", "As content_tables does."),
        ("Ends there (docs/studies/a-b.md); False in it.", "Ends there; False in it."),
        ("The lambda. See docs/studies/push.md.", "The lambda."),
        ("They lose (see tests/a/test_b.py).", "They lose."),
        ("Twice (docs/a.md). More (benchmarks/results/m.json).", "Twice. More."),
        ("Of 2/3 (as in their code).", "Of 2/3 (as in their code)."),
    ],
)
def test_markup_and_places_of_the_project_are_left_out(docstring: str, said: str) -> None:
    assert plain(docstring) == said


def test_every_setting_is_told_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [(backbone, "none") for backbone in BACKBONES.own]
    for alignment in ALIGNMENTS.own:
        pairs.append(next((b, alignment) for b in ("mf", "ease") if not inapplicable(b, alignment)))
    for backbone, alignment in pairs:
        words = ["settings", "--backbone", backbone, "--alignment", alignment, "--loss", "softmax"]
        assert call(*words, "--format", "json") == 0
        rows = json.loads(capsys.readouterr().out)
        assert {"beside", "alignment.name", "options.seed"} <= {row["setting"] for row in rows}
        for row in rows:
            assert row["meaning"].endswith("."), row
            assert not re.search(
                r"``|:[a-z]+:`|(docs|tests|benchmarks)/| {2}| [,;.)]", row["meaning"]
            ), row
