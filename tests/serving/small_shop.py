"""A small bundle and servers over it, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl
import torch
import uvicorn

import darec
from darec.backbones.closed_form import matrix_of
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.run import Run
from darec.scoring import AddedScorer, MatrixScorer, PopularityScorer, TableScorer
from darec.serving.app import create_app
from darec.serving.server import bind, url_of
from darec.serving.settings import ServingSettings
from darec.types import Tables

KINDS = ("pot", "tent", "lamp", "boots", "map")


def dataset(n_items: int = 40, n_users: int = 15) -> Dataset:
    """Users who like items of a kind, which the text names."""
    draw = np.random.default_rng(0)
    rows = [
        {
            "item_id": f"i{n}",
            "title": f"{KINDS[n % 5].capitalize()} No. {n}"
            if n != 7
            else "<evil onclick='x'> & \"quoted\" lamp",
            "text": f"a {KINDS[n % 5]} for camping, kind {KINDS[n % 5]} number {n}",
            "price": float(n),
            "tags": [KINDS[n % 5], "outdoor"],
        }
        for n in range(n_items)
    ]
    pairs = []
    for user in range(n_users):
        own = [n for n in range(n_items) if n % 5 == user % 5]
        other = draw.permutation(n_items)[:4]
        pairs += [(f"u{user}", f"i{n}") for n in {*own[:6], *map(int, other)}]
    return darec.load_dataset(
        pairs, items=pl.DataFrame(rows), text_fields=["text"], keep_cold_items=True
    )


def make_run(seed: int = 0, kind: str = "both", encoder: str = "tfidf") -> Run:
    data = dataset()
    options = {"dim": 8} if encoder == "tfidf" else None
    darec.encode_dataset(data, encoder, progress=False, options=options)
    generator = torch.Generator().manual_seed(seed)
    ties = data.items.tie_order
    groups = torch.eye(5)[[int(name[1:]) % 5 for name in data.items.texts]]
    items = groups + 0.1 * torch.randn(data.n_items, 5, generator=generator)
    users = torch.from_numpy(matrix_of(data.train).toarray()) @ items
    tables = TableScorer(Tables(users, items), ties)
    B = (
        items @ items.T + 0.1 * torch.randn(data.n_items, data.n_items, generator=generator)
    ).numpy()
    np.fill_diagonal(B, 0)
    matrix = MatrixScorer(B, matrix_of(data.train), ties)
    degrees = torch.from_numpy(data.train.item_degree).float()
    popular = PopularityScorer(data.n_users, degrees.log1p(), ties)
    scorer = {
        "tables": tables,
        "matrix": matrix,
        "both": AddedScorer([tables, matrix], [1, 0.5]),
        "popular": AddedScorer([tables, popular, matrix], [1, 2, 0.5]),
    }
    return Run(resolve_config(), data, scorer[kind], {})


@contextmanager
def serving(settings: ServingSettings, **options: Any) -> Iterator[str]:
    """A server in a thread; gives where it is."""
    bound = bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app(settings), log_config=None, ws="none", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield url_of(bound)
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
