"""Estimate the time of a candidate before it is tried."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from darec.automatic.candidates import FLOOR, Candidate
from darec.automatic.record import Record, Tried
from darec.config import MATRIX, SPARSE_MATRIX, RunConfig
from darec.data.dataset import Dataset

_PAIRS_A_SECOND: Final = 3e7  # multiplications of sparse rows by scipy, on one core
_INVERSE: Final = 2.0  # an inverse needs I^3 of them; its product with the lean is not counted
_SPARSE: Final = (
    10.0  # a sparse product is limited by memory, so it costs this factor more than a dense one
)
_ENDING: Final = (
    25.0  # time after the last epoch relative to popularity: some 40 evaluations instead of 2
)


class Costs:
    """Estimates the seconds of candidates from the seconds of earlier ones.

    Args:
        dataset: the dataset on which they are fitted.
        candidates: all of them.
    """

    def __init__(self, dataset: Dataset, candidates: Sequence[Candidate]) -> None:
        self.dataset = dataset
        self.configs = {candidate.name: candidate.config for candidate in candidates}
        self.trained = {candidate.name for candidate in candidates if candidate.trained}
        self._flops = 0.0

    def of(self, candidate: Candidate, record: Record) -> float:
        """Least number of seconds that a candidate will take.

        For trained ones, the time after the last epoch is included.

        Args:
            candidate: a candidate that was not tried yet.
            record: the candidates that were tried.
        """
        if not candidate.trained:
            return self._closed(candidate, record)
        ran = self._trained(record)
        if not ran:
            return self.ending(record)
        rates = [tried.per_epoch / self._work(self.configs[tried.name]) for tried in ran]
        epochs = max(tried.epochs for tried in ran)
        rate = float(np.mean(rates))
        return self.ending(record) + epochs * rate * self._work(candidate.config)

    def ending(self, record: Record) -> float:
        """Seconds of a trained candidate outside of its epochs, for its matrix and for the weights of added scores.

        Args:
            record: what has been tried.
        """
        ran = self._trained(record)
        if ran:
            return float(np.mean([tried.seconds - tried.epochs * tried.per_epoch for tried in ran]))
        linear = [
            tried.seconds
            for tried in record.candidates
            if tried.done and tried.name.startswith((MATRIX, SPARSE_MATRIX))
        ]
        return max(linear, default=0.0) + _ENDING * self._evaluation(record)

    def _closed(self, candidate: Candidate, record: Record) -> float:
        backbone, n_items = candidate.config.backbone, self.dataset.n_items
        evaluation = self._evaluation(record)
        if backbone.name == "itemknn":
            degrees = self.dataset.train.user_degree.astype(np.float64)
            return evaluation + float(np.square(degrees).sum()) / _PAIRS_A_SECOND
        if backbone.name not in (MATRIX, SPARSE_MATRIX):
            return evaluation
        alone = record.find(backbone.name)
        if alone is not None and alone.done and alone.name != candidate.name:
            return alone.seconds  # the structure from text makes it slower, not faster
        solutions = max(map(len, backbone.tried.values()), default=1)
        width = getattr(backbone, "candidates", n_items)  # size of the systems that are solved
        systems = 1 if backbone.name == MATRIX else n_items
        flops = _INVERSE * systems * float(min(width, n_items)) ** 3
        return solutions * (evaluation + flops / self._flops_a_second())

    def _evaluation(self, record: Record) -> float:
        """Seconds of an evaluation with all metrics, which is about the time of popularity."""
        floor = record.find(FLOOR)
        return floor.seconds if floor is not None else 0.0

    def _trained(self, record: Record) -> list[Tried]:
        """The candidates that were trained to a model."""
        return [tried for tried in record.candidates if tried.done and tried.name in self.trained]

    def _work(self, config: RunConfig) -> float:
        """Relative cost of the steps of an epoch, which grows with width, layers and negatives."""
        width = getattr(config.backbone, "dim", 1)
        graph = _SPARSE * getattr(config.backbone, "layers", 1) * 2 * len(self.dataset.train)
        negatives = getattr(config.loss, "n_negatives", 1)
        return float(width * (graph + config.train.batch_size * negatives))

    def _flops_a_second(self) -> float:
        """Multiplications per second, measured once on a product of two tables."""
        if not self._flops:
            table = torch.ones(768, 768)
            table @ table
            started = time.perf_counter()
            table @ table
            self._flops = 2 * 768**3 / (time.perf_counter() - started)
        return self._flops
