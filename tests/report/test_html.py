"""What pages write as HTML."""

from __future__ import annotations

from darec.report.html import command_line


def test_a_command_keeps_its_options_whole_and_its_text_as_text() -> None:
    made = command_line("darec sweep '<b>' --param a.b=0.1,0.9 --seeds 2 -k 5")
    assert made == (
        "<p><code>darec sweep &#x27;&lt;b&gt;&#x27; <span>--param</span> a.b=0.1,0.9 "
        "<span>--seeds</span> 2 <span>-k</span> 5</code></p>"
    )
    assert "<span>" not in command_line("darec train a-b --" + "x" * 40)
