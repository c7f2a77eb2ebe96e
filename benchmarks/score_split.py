"""How a score of LightGCN with DaRec splits into what its rows began as, from text, and what training added.

``python -m benchmarks.score_split RUN`` takes seconds: E_C is linear in the id table, which is its value before
training plus what was learned, so an inner product is a sum of four. RUN is a run of ``darec train`` whose tables were
trained from the start (no refit, no update). docs/production.md says why ``darec explain`` does not show these.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

import darec
from benchmarks.common import write_result
from darec.data.dataset import Dataset
from darec.model import Model
from darec.scoring import TableScorer
from darec.text import load_text
from darec.types import IntArray, Tables

USERS, K = 300, 20


def main(folder: str) -> None:
    """Split the scores of the lists of some users, and write the shares."""
    torch.set_num_threads(1)
    run = darec.load_run(folder)
    config, data = run.config, run.dataset
    text = load_text(data, config.text.encoder)
    initial = torch.Generator().manual_seed(config.options.seed)
    model = Model(config, data.train, text, initial)
    learned = load_file(f"{folder}/model.safetensors")["backbone.embedding"]
    with torch.no_grad():
        start = model.backbone.ego().clone()
        whole, begun, added = (encoded(model, ego) for ego in (learned, start, learned - start))
    users, items = (
        torch.linalg.vector_norm(side, dim=1, keepdim=True) for side in (whole.users, whole.items)
    )
    parts = [Tables(one.users / users, one.items / items) for one in (begun, added)]
    model_lists = best(Tables(whole.users / users, whole.items / items), data)
    rows = torch.arange(USERS)
    terms = torch.stack([
        torch.einsum("ud,ukd->uk", of_user.users[rows], of_item.items[torch.from_numpy(model_lists)])
        for of_user in parts
        for of_item in parts
    ]).mean(dim=(1, 2))  # fmt: skip
    share = (terms / terms.sum()).tolist()
    lists = [float(np.mean([np.isin(a, b).mean() for a, b in zip(model_lists, best(one, data), strict=True)]))
             for one in parts]  # fmt: skip
    write_result(
        "score_split",
        {
            "data": str(data.path and data.path.name),
            "epochs": config.train.epochs,
            "share": {
                "start": share[0],
                "start and learned": share[1] + share[2],
                "learned": share[3],
            },
            "overlap_of_lists": {"start": lists[0], "learned": lists[1]},
        },
    )


def encoded(model: Model, ego: Tensor) -> Tables:
    """E_C for an id table."""
    made = model.backbone.encode(model.alignment.fuse(ego, None), None)
    return Tables(made.users, made.items)


def best(tables: Tables, data: Dataset) -> IntArray:
    """[USERS, K] lists by two tables."""
    scorer = TableScorer(tables, data.items.tie_order)
    return scorer.top_k(np.arange(USERS), K, exclude=data.train)[0]


if __name__ == "__main__":
    main(sys.argv[1])
