from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from darec.compare.figures import Curve, Gain, RunRecord, Spread
from darec.compare.notes import notes_on
from darec.compare.output import print_tables, render, to_csv, to_latex, to_markdown
from darec.compare.result import Comparison, Variant
from darec.compare.tables import accuracy, by_group, costs, sheets
from darec.errors import RunError
from darec.evaluation.groups import Group
from darec.registry import ALIGNMENTS

GROUPS = (
    Group("users", 1, 1, 3, 3, 9),
    Group("items", 1, 2, 1, 8, 5),
    Group("items", 2, 2, 0, 0, 0),
)


def gain(difference: float, p: float, p_seeds: float | None = 0.25) -> Gain:
    return Gain(
        difference=difference,
        base=0.2,
        low=difference - 0.01,
        high=difference + 0.02,
        n_users=50,
        p_users=p / 2,
        p_users_holm=p,
        seeds=(0, 1, 2),
        by_seed=(difference, 2 * difference, -0.1 * difference),
        seeds_low=difference - 0.05,
        seeds_high=difference + 0.05,
        p_seeds=p_seeds,
        p_seeds_holm=p_seeds,
    )


def pair(alignment: str, mean: float, *, failed: int = 0, **gains: Gain) -> Variant:
    seeds = range(3 - failed)
    runs = [RunRecord(seed, f"runs/{alignment}-{seed}", None, 1) for seed in seeds]
    runs += [RunRecord(3 - failed + n, "runs/x", "lost 50% of_it.", None) for n in range(failed)]
    spread = Spread.of(mean + 0.01 * (seed - 1) for seed in seeds) if seeds else None
    metrics = {"recall@20": spread, "ndcg@20": spread, "hit_rate@20": spread} if spread else {}
    costs = {"seconds_per_epoch": spread, "peak_rss_mb": spread} if spread else {}
    curves = tuple(Curve(seed, (3, 6), (0.5, 1.0), (0.1, 0.2), 6) for seed in seeds)
    return Variant(
        "lightgcn", alignment, tuple(runs), {"train.lr": 0.1, "evaluation.ks": [20]}, None,
        metrics, metrics, costs, {}, {k.replace("_at_", "@"): v for k, v in gains.items()}, curves,
    )  # fmt: skip


def comparison(*pairs: Variant) -> Comparison:
    made = Comparison(
        dataset="toy_100%",
        fingerprint="f",
        counts={"users": 1200, "items": 40, "train": 300, "valid": 100, "test": 100},
        seeds=(0, 1, 2),
        ks=(20,),
        mask="train",
        monitor="recall@20",
        headline=("recall@20", "ndcg@20"),
        groups=GROUPS,
        variants=pairs,
        command="darec compare a_b --out c",
        made="2025-01-01T00:00:00+0000",
        machine="a processor",
        jobs=1,
        versions={"darec": "1", "torch": "2", "python": "3"},
        notes=(),
    )
    return replace(made, notes=tuple(notes_on(made)))


@pytest.fixture
def made() -> Comparison:
    return comparison(
        pair("none", 0.2),
        pair("darec", 0.24, recall_at_20=gain(0.04, 0.01), ndcg_at_20=gain(0.04, 0.01, 0.02)),
        pair("kar", 0.19, recall_at_20=gain(-0.01, 0.3), ndcg_at_20=gain(-0.01, 0.0002)),
        pair("direct", 0.0, failed=3),
    )


def test_spread_is_mean_and_sample_deviation() -> None:
    assert Spread.of([1, 2, 3]) == Spread(2.0, 1.0, (1.0, 2.0, 3.0))
    assert Spread.of([5]) == Spread(5.0, None, (5.0,))


def test_accuracy_marks_the_best_and_what_differs(made: Comparison) -> None:
    ((_, rows),) = accuracy(made).sections
    none, darec, kar, direct = rows
    assert accuracy(made).columns == ("alignment", "recall@20", "gain", "ndcg@20", "gain")
    assert [cell.text for cell in none] == ["none", "0.2000 ±.0100", "", "0.2000 ±.0100", ""]
    assert [row[1].best for row in rows] == [False, True, False, False]
    assert (darec[2].text, darec[2].stars, darec[2].tail) == ("+20.0%", "*", "[+15.0, +30.0]")
    assert darec[4].stars == "**"
    assert (kar[2].text, kar[2].stars, kar[4].stars) == ("-5.0%", "", "*")
    assert [cell.text for cell in direct[:2]] == ["direct (0/3)", "failed"]
    assert made.best("lightgcn", "recall@20") is made.variants[1]


def test_a_lone_pair_is_not_the_best_and_has_no_gains() -> None:
    lone = comparison(pair("darec", 0.2))
    assert len(sheets(lone)) == 2
    ((_, ((_, cell, _),)),) = accuracy(lone).sections
    assert not cell.best
    assert "'none' is not in the grid, so there are no gains." in lone.notes


def test_all_that_is_run_once_is_named_once(made: Comparison) -> None:
    popular, linear = (
        replace(found, backbone=backbone, runs=found.runs[:1])
        for backbone, found in (
            ("popular", pair("none", 0.1)),
            ("ease", pair("l3ae", 0.2, recall_at_20=replace(gain(0.1, 0.01), seeds=(0,)))),
        )
    )
    notes = notes_on(replace(made, variants=(*made.variants, popular, linear)))
    assert notes[-1] == (
        "Run once, because another seed gives the same result: popular + none, ease + l3ae."
    )
    assert not any(
        "fewer seeds" in note or "Run once" in note for note in (*notes[:-1], *made.notes)
    )


def test_a_group_where_the_baseline_finds_nothing_has_no_percentage(made: Comparison) -> None:
    name = f"{GROUPS[0].name}/recall@20"
    over_zero = replace(gain(0.03, 0.01), base=0.0)
    none, darec, *_ = made.variants
    with_group = replace(darec, gains={**darec.gains, name: over_zero})
    sheet = by_group(replace(made, variants=(none, with_group)), "recall@20")
    ((_, ((_, overall, first, *_),)),) = sheet.sections
    assert (overall.text, first.text, first.stars) == ("+20.0", "-", "")
    assert sheet.legend[-1].startswith(
        "-: no percentage, because the figure of the alignment none is 0"
    )
    assert len(by_group(made, "recall@20").legend) == 1


def test_notes_say_what_failed_and_what_seeds_cannot_say(made: Comparison) -> None:
    text = "\n".join(made.notes)
    assert "lightgcn + direct, seed 0, failed: lost 50% of_it.\n" in text
    assert "3 seeds say at best p = 0.25 before correction, and 2 pairs need 7 seeds" in text
    assert "none of them is tuned" in text and "at the same time" not in text
    tuned = replace(
        made, jobs=2, variants=tuple(replace(p, settings_file="x") for p in made.variants)
    )
    assert "Each pair has its own settings" in "\n".join(notes_on(tuned))
    assert "Up to 2 runs" in "\n".join(notes_on(tuned))


def test_markdown_is_made_of_whole_tables(made: Comparison) -> None:
    text = to_markdown(made)
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(tables) == len(sheets(made)) == 6
    for table in tables:
        head, rule, *rows = table.splitlines()
        width = len(re.findall(r"(?<!\\)\|", head))
        assert re.fullmatch(r"\|( :?--:? \|)+", rule)
        assert rows and {len(re.findall(r"(?<!\\)\|", row)) for row in [rule, *rows]} == {width}
    assert r"| lightgcn | darec | **0.2400 ±.0100** | +20.0%\* [+15.0, +30.0] |" in text
    assert r"toy\_100%" in text


def test_latex_is_escaped_balanced_and_even(made: Comparison) -> None:
    text = to_latex(made)
    assert text.startswith(r"\documentclass") and r"\usepackage{booktabs" in text
    assert text.rstrip().endswith(r"\end{document}")
    for environment in ("document", "table", "tabular", "itemize"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") > 0
    bare = re.sub(r"\\[{}%_&#$]", "", text)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert not re.search(r"[%_#](?!\n)", bare.replace("!{%\n", "")), "an unescaped mark"
    tabulars = re.findall(r"\\begin\{tabular\}\{l(r+)\}(.*?)\\end\{tabular\}", text, re.S)
    assert len(tabulars) == 6
    for columns, body in tabulars:
        rows = [line for line in body.splitlines() if re.search(r"(?<!\\)&", line)]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns)}
        assert all(row.endswith(r" \\") for row in rows)
    assert r"\textbf{0.2400 $\pm$.0100} & +20.0\%$^{*}$ [+15.0, +30.0]" in text
    assert "[$-$" in text and "[-" not in text, "minus signs"


def test_latex_holds_no_character_that_it_cannot_set(made: Comparison) -> None:
    odd = to_latex(replace(made, notes=("path ▸/数据 ~^\\ --settings",)))
    assert r"path ?/?? \textasciitilde{}\textasciicircum{}\textbackslash{} -{}-settings" in odd
    odd.encode("latin-1")


def test_csv_has_a_row_a_figure(made: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(made))))
    assert len(rows) == 3 * (3 + 3 + 2)
    (row,) = [
        r for r in rows if (r["alignment"], r["split"], r["figure"]) == ("kar", "test", "ndcg@20")
    ]
    assert float(row["mean"]) == pytest.approx(0.19) and row["seeds"] == "3"
    assert float(row["relative"]) == pytest.approx(-0.05)
    assert float(row["p_users_holm"]) == 0.0002
    (plain,) = [
        r for r in rows if (r["alignment"], r["split"], r["figure"]) == ("kar", "valid", "ndcg@20")
    ]
    assert plain["difference"] == ""


def test_json_reads_back_equal(made: Comparison, tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text(render(made, "json"))
    assert Comparison.load(tmp_path) == made
    made.save(tmp_path / "other.json")
    assert Comparison.load(tmp_path / "other.json") == made


def test_what_was_written_before_there_were_sweeps_is_read(
    made: Comparison, tmp_path: Path
) -> None:
    tree = made.tree() | {"schema_version": 1}
    tree["pairs"] = tree.pop("variants")
    for key in ("kind", "baseline"):
        del tree[key]
    for pair in tree["pairs"]:
        del pair["label"], pair["changes"]
    (tmp_path / "comparison.json").write_text(json.dumps(tree))
    assert Comparison.load(tmp_path) == made


def test_what_is_no_comparison_is_refused(made: Comparison, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no comparison at"):
        Comparison.load(tmp_path)
    file = tmp_path / "comparison.json"
    for broken in ({**made.tree(), "schema_version": 9}, {**made.tree(), "odd": 1}, [1], {}):
        file.write_text(json.dumps(broken))
        with pytest.raises(RunError, match="not a comparison that this darec reads"):
            Comparison.load(file)


def test_the_terminal_fits_a_hundred_columns_with_every_alignment() -> None:
    pairs = [pair("none", 0.2)]
    for name in ALIGNMENTS:
        if name != "none":
            strong = {"recall_at_20": gain(0.04, 0.0, 0.01), "ndcg_at_20": gain(-0.04, 0.0, 0.01)}
            pairs.append(pair(name, 0.19, failed=name == "kar", **strong))
    stream = io.StringIO()
    print_tables(comparison(*pairs), Console(file=stream, width=100, markup=False))
    lines = stream.getvalue().splitlines()
    assert max(map(len, map(str.rstrip, lines))) <= 100
    assert "…" not in stream.getvalue()
    assert any(
        re.search(r"contrastive +0\.1900 ±\.0100 +\+20\.0%\*\* \[\+15\.0, \+30\.0\]", line)
        for line in lines
    )
    assert (
        sum(line.count("▸") for line in lines) >= 3
        and "* differs from the alignment none" in stream.getvalue()
    )


def test_costs_are_means_in_fitting_digits(made: Comparison) -> None:
    row = costs(made).sections[0][1][0]
    assert [cell.text for cell in row] == ["none", "0.20", "", "", "", "0", ""]
