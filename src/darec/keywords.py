"""The usual settings as keywords, ``dim=64`` for ``backbone.dim``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from darec.errors import ConfigError, did_you_mean


class Keywords(TypedDict, total=False):
    """Settings that have a short name; all others go by their dotted keys.

    Attributes:
        dim: width of the backbone's embeddings (``backbone.dim``).
        epochs: passes over the training interactions at most (``train.epochs``).
        lr: learning rate (``train.lr``).
        batch_size: positives a step (``train.batch_size``).
        patience: evaluations without improvement after which training stops (``train.patience``).
        loss: ``bpr`` or ``softmax`` (``loss``).
        encoder: which of the dataset's language embeddings (``text.encoder``).
        seed: of initial values, batches, negatives and dropout (``options.seed``).
        device: ``cpu``, ``cuda`` or ``cuda:N`` (``options.device``).
        threads: CPU threads (``options.threads``).
    """

    dim: int
    epochs: int
    lr: float
    batch_size: int
    patience: int
    loss: str
    encoder: str
    seed: int
    device: str
    threads: int


KEYS: Final = {
    "dim": "backbone.dim",
    "epochs": "train.epochs",
    "lr": "train.lr",
    "batch_size": "train.batch_size",
    "patience": "train.patience",
    "loss": "loss",
    "encoder": "text.encoder",
    "seed": "options.seed",
    "device": "options.device",
    "threads": "options.threads",
}
"""Dotted key of each."""


def dotted(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords by their dotted keys; what is None is left out.

    Raises:
        ConfigError: no such keyword, with the nearest one.
    """
    for name in keywords:
        if name not in KEYS:
            raise ConfigError(
                f"unknown argument {name!r}: {did_you_mean(name, KEYS)} Any other setting goes into settings, by its "
                "dotted key."
            )
    return {KEYS[name]: value for name, value in keywords.items() if value is not None}
