"""The page and the pictures of an anatomy with known values."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darec.report.drawing import png, svg, with_dots
from darec.visualize.anatomy import Anatomy, View
from darec.visualize.cases import Case, CaseStudy, Nearness
from darec.visualize.maps import Partners
from darec.visualize.page import write_anatomy
from darec.visualize.plots import case_ranks, maps, matrices, pictures
from darec.visualize.similarity import Similarities
from darec.visualize.words import typical_words

PARTS = ("C_sh", "L_sh", "C_sp", "L_sp")


def view(kind: str, *, parts: bool = True) -> View:
    rng = np.random.default_rng(0)
    partners = Partners(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2)
    names = PARTS if parts else ("E_C", "E_L")
    tables = ("E_C", "E_L", *(PARTS[:2] if parts else ()))
    return View(
        kind=kind,
        compared=names[:2],
        partners=partners,
        rows=np.arange(4),
        maps={"pca": {name: rng.normal(size=(4, 2)) for name in names}},
        together=parts,
        similarities=Similarities({name: np.eye(4) for name in tables}, np.array([2])),
        ranks=dict.fromkeys(("E_C", "E_L"), 3.25),
        spreads=dict.fromkeys(("E_C", "E_L"), 0.125),
    )


def case(name: str, hops: int | None, rank: float) -> Case:
    near = {"E_L": Nearness(0.9, 1, 3), "E_C": Nearness(-0.25, rank, rank)}
    return Case((name, "u<2>"), hops, (("Red & blue",), ("A", "B")), (1, 7), near)


def anatomy(*, parts: bool = True, study: bool = True) -> Anatomy:
    cases = tuple(case(f"u{n}", None if n else 6, 10.0 * (n + 1)) for n in range(5))
    return Anatomy(
        run="mf + x (runs/<a>)",
        against=None,
        dataset="shop",
        encoder="tfidf",
        has_parts=parts,
        views=(view("users", parts=parts), view("items", parts=parts)),
        study=CaseStudy(cases, 6, 50) if study else None,
    )


def test_the_page_says_it_all_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    write_anatomy(anatomy(), tmp_path, command="darec visualize a --out b")
    page = (tmp_path / "index.html").read_text()
    for text in ("mf + x (runs/&lt;a&gt;)", "Red &amp; blue", "u&lt;2&gt;", "A; B and 5 more"):
        assert text in page, text
    assert "u0 and u&lt;2&gt;, 6 edges apart" in page and "without a path between them" in page
    assert "75% of the users are in partner clusters (50% by chance)" in page
    assert "<td>+0.900</td><td>1</td><td>3</td>" in page and "<td>3.2</td>" in page
    names = [name for name, _, _ in pictures(anatomy())]
    assert names == ["users-pca", "users-similarity", "items-pca", "items-similarity", "cases"]
    assert page.count("<figure>") == len(names)
    assert page.count('class="wide drawn"') == 2 * (4 + 4) + 1
    assert "<script" not in page and "<link" not in page
    loaded = re.findall(r'(?:src|href)\s*=\s*"([^"#]+)', page)
    assert loaded and all(address.startswith("data:image/png;base64,") for address in loaded)
    for name in names:
        assert (tmp_path / f"{name}.svg").read_text().startswith("<svg")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_an_alignment_without_parts_is_said_to_have_none(tmp_path: Path) -> None:
    write_anatomy(anatomy(parts=False, study=False), tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "no shared and specific parts" in page and "that far apart" in page
    assert "no shared and specific parts" not in (tmp_path / "users-pca.svg").read_text()
    for has, panels in ((True, 4), (False, 2)):
        assert len(maps(view("users", parts=has), "pca").axes) == panels
        shown = [axes for axes in matrices(view("users", parts=has)).axes if axes.get_visible()]
        assert len(shown) == panels + 1  # the bar of colours


def test_partners_have_one_colour_one_number_and_a_link() -> None:
    figure = maps(view("users"), "pca")
    left, right = figure.axes[:2]
    colours = [line.get_markeredgecolor() for line in left.lines]
    assert colours == [line.get_markeredgecolor() for line in right.lines]
    assert [artist.get_edgecolor() for artist in figure.artists] == [
        (*colour[:3], 0.8) for colour in colours
    ]
    for axes in (left, right):
        assert [(text.get_text(), *text.xy) for text in axes.texts] == [
            (str(number), *line.get_xydata()[0]) for number, line in enumerate(axes.lines, 1)
        ]
    places = view("users").maps["pca"]["C_sh"]
    assert left.lines[0].get_xydata()[0] == pytest.approx(places[:2].mean(axis=0))
    assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()


def test_every_pair_is_drawn_at_its_mean_rank() -> None:
    study = anatomy().study
    assert study is not None
    (axes,) = case_ranks(study).axes
    drawn = [list(line.get_ydata()) for line in axes.lines[:5]]
    assert sorted(drawn) == [[2.0, 10.0 * n] for n in range(1, 6)]
    assert list(axes.lines[5].get_ydata()) == [2.0, 30.0]


def test_the_same_values_give_the_same_bytes() -> None:
    assert svg(maps(view("users"), "pca")) == svg(maps(view("users"), "pca"))
    assert png(matrices(view("users"))) == png(matrices(view("users")))


def test_the_page_opens_with_the_conclusion(tmp_path: Path) -> None:
    write_anatomy(anatomy(), tmp_path)
    page = (tmp_path / "index.html").read_text()
    lead = re.search(r'<p class="lead">(.*?)</p>', page)
    assert lead is not None and lead.start() < page.index("<table")
    assert "C_sh and L_sh put 75% of the users (50% by chance) and 75% of the items" in lead[1]
    assert "have rank 2 in E_L and rank 30 in E_C; by chance it is 25." in lead[1]


def test_maps_name_clusters_and_show_titles(tmp_path: Path) -> None:
    named = replace(
        view("items"), names=("coffee, filter", "tent"), titles=("A & B", "C", "D", "x " * 60)
    )
    made = replace(anatomy(study=False), views=(view("users"), named))
    write_anatomy(made, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert page.count("<title>A &amp; B</title>") == 2  # in both of the compared tables
    assert "<title>x x x" in page and "x " * 30 not in page
    assert "is named by typical words of the titles" in page
    (legend,) = maps(named, "pca").legends
    assert [text.get_text() for text in legend.get_texts()] == ["1 coffee, filter", "2 tent"]


def test_dots_are_where_they_were_drawn() -> None:
    drawn = svg(maps(view("users"), "pca"))
    places = re.findall(
        r'<use [^>]*?x="([\d.]+)" y="([\d.]+)" style="fill: #\w+; fill-opacity', drawn
    )
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', with_dots(drawn, "users-C_sh"))
    assert len(dots) == 4
    assert sorted(dots) == sorted((f"{float(x):.1f}", f"{float(y):.1f}") for x, y in places[:4])


def test_typical_words_are_frequent_within_and_rare_without() -> None:
    texts = [{"tent", "warm"}, {"tent", "red"}, {"coffee", "warm"}, {"coffee", "cup"}, {"warm"}]
    clusters = np.array([0, 0, 1, 1, 2])
    # Half of the tents are warm, which is less than the three fifths of all.
    assert typical_words(texts, clusters, 4) == ("tent, red", "coffee, cup", "warm", "")
