"""Texts per second with MiniLM: ours against a plain loop of 32 texts in the given order, one and two threads.

Ours is all that ``darec encode`` does between reading the dataset and writing the store: hashes, token counts, batches,
checks, rounding. A third contender is one call of sentence-transformers for all texts, which sorts them by characters
itself. Every round takes 500 other texts, of which each contender gets the same.

Beside it, what fewer dimensions cost: of the ten nearest neighbours (cosine, MiniLM, toys) of 2,000 items, the share
that stays among the ten with the first N coordinates and with N principal components.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import SHARED, interleaved, ratio, shared_dataset, spread, write_result
from darec.meter import Meter
from darec.text.encoding import Encoding
from darec.text.inputs import Entities, make_encoder
from darec.text.reduce import Reduction
from darec.text.sentences import SentenceEncoder

TEXTS, ROUNDS, FIXED, NEIGHBOURS = 500, 4, 32, 10


def measure(texts: list[str], threads: int) -> dict[str, Any]:
    """Seconds of every contender on the same rounds of texts."""
    torch.set_num_threads(threads)
    encoder, config = make_encoder("minilm")
    model = cast(SentenceEncoder, encoder).model()
    rounds = [texts[start : start + TEXTS] for start in range(0, TEXTS * ROUNDS, TEXTS)]
    options = {"show_progress_bar": False, "normalize_embeddings": True, "batch_size": FIXED}

    def ours(part: list[str]) -> None:
        ids = [str(n) for n in range(len(part))]
        encoding = Encoding(
            encoder,
            config,
            [Entities.make("item", ids, part)],
            Meter("", show=False, doing="encoding", unit="texts"),
        )
        encoding.run()

    def fixed(part: list[str]) -> None:
        for start in range(0, len(part), FIXED):
            model.encode(part[start : start + FIXED], **options)

    contenders: dict[str, Callable[[list[str]], object]] = {
        "ours": ours,
        "fixed": fixed,
        "one call, sorted by characters": lambda part: model.encode(part, **options),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run(texts[-64:])
    for part in rounds:
        once = {name: (lambda run=run, part=part: run(part)) for name, run in contenders.items()}
        for name, taken in interleaved(once, rounds=1, warmup=0).items():
            seconds[name] += taken
    tokens = encoder.count_tokens(texts)
    assert tokens is not None
    padded = [
        int(tokens[start : start + FIXED].max()) * len(tokens[start : start + FIXED])
        for start in range(0, TEXTS * ROUNDS, FIXED)
    ]
    return {
        "texts_per_second": {
            name: spread([TEXTS / taken for taken in found], 1) for name, found in seconds.items()
        },
        "times_faster_than_fixed": ratio(seconds["fixed"], seconds["ours"]),
        "times_faster_than_one_call": ratio(
            seconds["one call, sorted by characters"], seconds["ours"]
        ),
        "tokens_with_padding_of_fixed": round(sum(padded) / int(tokens.sum()), 3),
    }


def neighbours(vectors: NDArray[np.float32], queries: NDArray[np.int64]) -> NDArray[np.int64]:
    """[len(queries), 10] nearest rows by cosine, without the row itself."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit[queries] @ unit.T
    cosine[np.arange(len(queries)), queries] = -np.inf
    return np.argpartition(-cosine, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def neighbours_kept(dims: tuple[int, ...] = (64, 128, 192, 256)) -> dict[str, Any]:
    """Share of the nearest neighbours that fewer dimensions keep."""
    vectors = np.load(SHARED / "toys" / "item_embeddings_minilm.npy").astype(np.float32)
    queries = np.random.default_rng(0).choice(len(vectors), 2000, replace=False)
    full = neighbours(vectors, queries)
    everything = np.ones(len(vectors), np.bool_)
    found: dict[str, Any] = {}
    for dim in dims:
        for kind in ("first", "pca"):
            table, about = Reduction("first" if kind == "first" else "pca", dim).apply(
                vectors, everything
            )
            near = neighbours(table, queries)
            kept = [len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(full, near, strict=True)]
            found.setdefault(str(dim), {})[kind] = round(float(np.mean(kept)), 3)
            if kind == "pca":
                found[str(dim)]["explained"] = round(about["explained"], 3)
    return found


def main() -> None:
    """Measure and write."""
    result: dict[str, Any] = {"texts": TEXTS * ROUNDS, "rounds": ROUNDS, "fixed_batch": FIXED}
    kept = neighbours_kept()
    for name in ("toys", "steam"):
        with tempfile.TemporaryDirectory() as folder:
            catalogue = shared_dataset(name, Path(folder) / name).catalogue
        texts = catalogue["text"].drop_nulls().sample(TEXTS * ROUNDS, seed=0).to_list()
        result[name] = {}
        for threads in (1, 2):
            result[name][str(threads)] = measure(texts, threads)
            write_result("encoding", {**result, "neighbours_kept": kept})  # each case takes minutes


if __name__ == "__main__":
    main()
