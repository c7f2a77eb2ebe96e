"""Statistics of a dataset."""

from __future__ import annotations

import numpy as np

from darec.data.dataset import SPLITS, Dataset


def statistics(dataset: Dataset) -> dict[str, float]:
    """Return figures by name: counts, density, interactions per user and item, popularity, texts.

    ``users/...`` and ``items/...`` describe the number of interactions of each, over all splits; ``popular_share`` is
    the share of training interactions on the most popular fifth of the items; ``cold_...`` describe items that are held
    out of training, which are in no other figure.
    """
    splits = [dataset.split(name) for name in SPLITS]
    n_pairs = sum(map(len, splits))
    figures: dict[str, float] = {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "interactions": n_pairs,
        **{f"interactions/{name}": len(dataset.split(name)) for name in SPLITS},
        "density": n_pairs / max(dataset.n_users * dataset.n_items, 1),
    }
    # No pair is in two splits, so their counts add up.
    of_users, of_items = (
        np.sum([getattr(pairs, f"{kind}_degree") for pairs in splits], axis=0)
        for kind in ("user", "item")
    )
    for kind, degree in (("users", of_users), ("items", of_items)):
        figures |= {
            f"{kind}/mean": float(degree.mean()),
            f"{kind}/median": float(np.median(degree)),
            f"{kind}/min": int(degree.min()),
            f"{kind}/max": int(degree.max()),
        }
    popular = np.sort(dataset.train.item_degree)[::-1][: -(-dataset.n_items // 5)]
    figures["popular_share"] = float(popular.sum() / max(len(dataset.train), 1))
    for name, part in dataset.cold.items():
        figures[f"cold_items/{name}"] = len(part.catalogue)
        figures[f"cold_interactions/{name}"] = len(part.pairs)
    figures["items_with_text"] = dataset.n_items - dataset.catalogue["text"].null_count()
    return figures
