"""Common settings as keywords, such as ``dim=64`` for ``backbone.dim``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from darec.errors import ConfigError, did_you_mean


class Keywords(TypedDict, total=False):
    """Settings that have a short name; all others have dotted keys.

    Attributes:
        dim: width of the backbone's embeddings (``backbone.dim``).
        epochs: largest number of passes over the training interactions (``train.epochs``).
        lr: learning rate (``train.lr``).
        batch_size: number of positives in a training step (``train.batch_size``).
        patience: training stops after this number of evaluations without improvement (``train.patience``).
        loss: ``bpr`` or ``softmax`` (``loss``).
        encoder: encoder whose embeddings of the dataset are used (``text.encoder``).
        seed: seed of initial values, batches, negatives and dropout (``options.seed``).
        device: ``cpu``, ``cuda`` or ``cuda:N`` (``options.device``).
        threads: number of CPU threads (``options.threads``).
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
"""Dotted key of each keyword."""


def dotted(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords by their dotted keys; those that are None are left out.

    Raises:
        ConfigError: a keyword does not exist; the error names the nearest one.
    """
    for name in keywords:
        if name not in KEYS:
            raise ConfigError(
                f"unknown argument {name!r}: {did_you_mean(name, KEYS)} Any other setting goes into settings, by its "
                "dotted key."
            )
    return {KEYS[name]: value for name, value in keywords.items() if value is not None}
