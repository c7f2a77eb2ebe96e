"""Writes the reader of new texts of a bundle (:mod:`darec.export.reader`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file

from darec.cold import ColdStart
from darec.errors import DarecError, TextError
from darec.export.reader import READER, TERMS
from darec.run import Run
from darec.text.encoders.tfidf import TfidfEncoder
from darec.text.new import NewTexts
from darec.text.reduce import principal_axes


def save_reader(run: Run, folder: Path) -> dict[str, Any]:
    """Write the reader of new texts into a folder.

    Returns:
        ``new_text`` of the manifest: how the files are read, or ``{"why": ...}`` if new texts cannot be read.
    """
    try:
        return _saved(run, folder)
    except DarecError as error:
        return {"why": str(error)}


def _saved(run: Run, folder: Path) -> dict[str, Any]:
    sources = run.config.text.sources
    if len(sources) > 1:
        raise TextError(
            f"the run reads {', '.join(sources)} side by side, and a bundle cannot make these from one new text."
        )
    cold = ColdStart(run).fit()
    texts = cold.text_.encoders[0]
    known = cold.text_.known
    if not np.array_equal(cold.text_.items[known], run.item_vectors()[known]):
        raise TextError(
            "the run combines its language vectors in a way that a bundle does not hold."
        )
    about, arrays, words = _encoder(texts)
    arrays["warm"] = cold.warm_
    if cold.map_ is not None:
        arrays["coefficients"], arrays["intercept"] = cold.linear_
    if words is not None:
        pl.DataFrame({"term": words}, {"term": pl.String}).write_parquet(folder / TERMS)
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()
    }
    save_file(tensors, folder / READER)
    return {**about, "source": sources[0], "length": cold.length_}


def _encoder(texts: NewTexts) -> tuple[dict[str, Any], dict[str, Any], list[str] | None]:
    """Return the manifest's entry on an encoder, its arrays, and its terms if it has them."""
    meta = texts.meta
    about: dict[str, Any] = {
        "encoder": texts.name,
        "options": meta["options"],
        "revision": texts.encoder.revision,
        "reduction": None,
    }
    arrays: dict[str, Any] = {}
    texts.encode([next(text for text in texts.corpus)])  # raises if the encoder has changed
    if meta.get("reduction"):
        about["reduction"] = {name: meta["reduction"][name] for name in ("kind", "dim")}
        if about["reduction"]["kind"] == "pca":
            mean, _, axes = principal_axes(*texts.reduced_from)
            arrays |= {"mean": mean, "kept": axes[:, : about["reduction"]["dim"]]}
    if isinstance(texts.encoder, TfidfEncoder):
        words, arrays["idf"], arrays["axes"] = texts.encoder.learned(texts.corpus)
        return about, arrays, words
    if not texts.encoder.incremental or texts.name.startswith("openai"):
        raise TextError(
            f"encoder {texts.name!r} asks a server, or is fitted on all texts: encode with tfidf, minilm or "
            "sentence-transformers:MODEL for a bundle that reads new texts."
        )
    return about, arrays, None
