"""The state of a training run without its tensors, which a checkpoint stores."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class TrainState:
    """The state of training without the tensors.

    Attributes:
        epoch: number of finished epochs.
        step: number of finished optimiser steps.
        best_epoch: epoch whose weights are kept as the best, by ``train.min_gain``; 0 before the first evaluation.
        best_value: its validation value.
        highest: the highest validation value.
        stale: number of evaluations since then.
        seconds: training time of each epoch, without evaluation.
        best_seconds: training and evaluation time up to the best epoch.
        total_seconds: training and evaluation time so far.
        out_of_time: whether a deadline ended training.
        chosen: values of settings that validation chose after one epoch with each candidate, by their dotted keys.
        popularity: weight of popularity, which the first evaluation chose; None if it is not used.
        diagnostics: the alignment's figures at the best epoch.
        sent: bytes that a process sent to others in a step, the mean over the last epoch.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_value: float = -math.inf
    highest: float = -math.inf
    stale: int = 0
    seconds: list[float] = field(default_factory=list)
    best_seconds: float = 0.0
    total_seconds: float = 0.0
    out_of_time: bool = False
    chosen: dict[str, float] = field(default_factory=dict)
    popularity: float | None = None
    diagnostics: dict[str, float] = field(default_factory=dict)
    sent: float = 0.0
