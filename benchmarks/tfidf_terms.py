"""What TF-IDF should count: words, or words and pairs of characters. Nothing is trained.

On each data set the items' texts are encoded both ways, at the default width, and judged by what ``darec text-report``
measures: agreement of nearest neighbours in text with those in co-interactions, and recall@20 of text alone on the
validation split, by users' mean text and by neighbours.

For scripts without blanks there is no catalogue with interactions at hand. A stand-in: every word of toys is replaced
by a made-up one of 1 to 4 Chinese characters, and the blanks are taken out. What toys reaches with words alone is the
mark: it is what a perfect splitting into words would give.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    RESULTS,
    load_result,
    percent,
    shared_dataset,
    write_between,
    write_result,
)
from darec.data.dataset import Dataset
from darec.diagnose.agreement import agreement, shuffled_neighbours
from darec.diagnose.recall import Recalls
from darec.diagnose.scorers import centred, neighbours, profile, unit
from darec.evaluation.significance import paired_bootstrap
from darec.terms import terms
from darec.text.inputs import make_encoder

USERS, NEIGHBOURS = 5000, 10
RECALLS = {"user mean": "text, user mean", "neighbours": "text, neighbours"}
Found = dict[str, Any]


def measure(data: Dataset, texts: Sequence[str | None], recalls: Recalls, pairs: bool) -> Found:
    """Agreement, and recall@20 of each user, of one way to count."""
    rows = np.array([row for row, text in enumerate(texts) if text])
    vectors = make_encoder("tfidf", {"pairs": pairs})[0].encode([texts[row] or "" for row in rows])
    table = np.zeros((len(texts), vectors.shape[1]), np.float32)
    table[rows] = vectors
    mask = np.asarray(table.any(axis=1), np.bool_)
    rows = np.flatnonzero(mask)
    near, cosines = shuffled_neighbours(unit(table[rows]), NEIGHBOURS, 0)
    agreed = agreement(near, rows, data.train)
    assert agreed is not None
    items = centred(table, mask)
    return {
        "agreement": agreed.share.overall.value,
        "user mean": recalls.of(profile(items, data.train))[0],
        "neighbours": recalls.of(neighbours(near, cosines, rows, items, data.train))[0],
    }


def row(name: str, terms: str, found: Found, words: Found) -> Found:
    """What is kept of one way to count, with what it gains over words alone in percent."""
    made: Found = {"data": name, "terms": terms, "agreement": round(found["agreement"], 4)}
    for key in RECALLS:
        ours, others = found[key], words[key]
        made[key] = round(float(ours.mean()), 4)
        if found is not words:
            gain = paired_bootstrap(ours, others)
            scale = 100 / others.mean()
            made[f"{key}, gain"] = [
                round(float(scale * value), 1) for value in (gain.difference, gain.low, gain.high)
            ]
    return made


def in_chinese(texts: Sequence[str | None]) -> list[str | None]:
    """The texts with a word of Chinese characters for each of their words, without blanks."""
    rng = random.Random(0)
    characters = [chr(0x4E00 + n) for n in range(3000)]
    weights = [1 / (n + 10) for n in range(3000)]
    known: dict[str, str] = {}
    made: list[str | None] = []
    for text in texts:
        words = terms(text or "", pairs=False)
        for word in words:
            if word not in known:
                (length,) = rng.choices([1, 2, 3, 4], [0.1, 0.65, 0.15, 0.1])
                known[word] = "".join(rng.choices(characters, weights, k=length))
        made.append("".join(known[word] for word in words) or None)
    return made


def table() -> str:
    """The result as Markdown."""
    lines = [
        "| data | terms | agreement | recall@20, user mean | recall@20, neighbours |",
        "|---|---|--:|--:|--:|",
    ]
    for found in load_result("tfidf_terms")["rows"]:
        cells = [
            f"{found[key]:.4f} ({percent(found[f'{key}, gain'])})"
            if f"{key}, gain" in found
            else f"{found[key]:.4f}"
            for key in RECALLS
        ]
        lines.append(
            f"| {found['data']} | {found['terms']} | {found['agreement']:.4f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and write; data sets by name, all three without."""
    rows: list[Found] = []
    for name in sys.argv[1:] or ["toys", "games", "steam"]:
        with tempfile.TemporaryDirectory() as folder:
            data = shared_dataset(name, Path(folder) / name)
        recalls, texts = Recalls(data, USERS, 0), data.catalogue["text"].to_list()
        words = measure(data, texts, recalls, pairs=False)
        rows.append(row(name, "words", words, words))
        rows.append(row(name, "words and pairs", measure(data, texts, recalls, pairs=True), words))
        if name == "toys":
            found = measure(data, in_chinese(texts), recalls, pairs=True)
            rows.append(row("toys, as if in Chinese", "characters and pairs", found, words))
    write_result("tfidf_terms", {"users": USERS, "k": NEIGHBOURS, "rows": rows})
    write_between(RESULTS.parents[1] / "docs" / "encoding.md", "terms", table())


if __name__ == "__main__":
    main()
