"""Figures of a page: a drawing a panel, their legend in HTML, and the grid that stacks them."""

from __future__ import annotations

import re

from darec.report.drawing import empty_panels, legend
from darec.report.html import _each_letter_once, figure
from darec.report.panels import Drawing, drawn


def two_panels() -> Drawing:
    made, (left, right) = empty_panels(1, 2, height=3)
    left.plot([0, 1], [0, 1], "s--", color="#d55e00", label="a & b")
    right.plot([0, 1], [1, 0], "o", color="#0072b2", label="c")
    right.set_title("dots")
    legend(made, left, right)
    return drawn(made)


def test_each_panel_is_drawn_alone_with_the_marks_in_html() -> None:
    drawing = two_panels()
    left, right = drawing.panels
    assert "#d55e00" in left and "#0072b2" not in left
    assert "#0072b2" in right and "#d55e00" not in right
    assert drawing.columns == 2
    dashed, dots = drawing.legend
    assert dashed.endswith("</svg>a &amp; b</span>") and dots.endswith("</svg>c</span>")
    assert 'stroke="#d55e00"' in dashed and "stroke-dasharray" in dashed
    assert 'fill="#0072b2"' in dots and "<path" not in dots


def test_a_bar_of_colours_is_legend_and_a_hidden_panel_is_left_out() -> None:
    made, panels = empty_panels(2, 2, height=3)
    image = panels[0].imshow([[0, 1], [1, 0]])
    panels[3].set_visible(False)
    made.colorbar(image, ax=panels[:3])
    drawing = drawn(made)
    assert (len(drawing.panels), drawing.columns, len(drawing.legend)) == (3, 2, 1)
    assert drawing.legend[0].startswith("<svg")


def test_panels_have_one_scale_and_bounds_of_their_size() -> None:
    wide, narrow = '<svg viewBox="0 0 300 90">', '<svg viewBox="0 0 150 90">'
    shown = figure(Drawing((wide, narrow, narrow), 2), "a < b")
    assert 'style="--columns: minmax(0, 400fr) minmax(0, 200fr)"' in shown
    sizes = re.findall(r"min-width: (\d+)px; max-width: (\d+)px", shown)
    assert sizes == [("280", "540"), ("140", "270"), ("140", "270")]
    assert "<figcaption>a &lt; b</figcaption>" in shown and "marks" not in shown


def test_black_takes_the_colour_of_the_page_and_white_its_ground() -> None:
    shown = figure(
        Drawing(('<svg viewBox="0 0 9 9" fill="#000000" style="fill: #ffffff">',), 1), ""
    )
    assert 'fill="currentColor"' in shown and "fill: none" in shown


def test_a_page_holds_the_shape_of_each_letter_once() -> None:
    pages = [figure(two_panels(), ""), figure(two_panels(), "")]
    body = _each_letter_once("".join(pages))
    held = re.findall(r'id="(DejaVuSans[^"]*)"', body)
    used = set(re.findall(r'href="#(DejaVuSans[^"]*)"', body))
    assert len(held) == len(set(held)) and used <= set(held)
    assert len(re.findall(r'id="DejaVuSans', "".join(pages))) > len(held)
