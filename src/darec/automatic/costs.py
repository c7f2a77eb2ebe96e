"""How long a candidate will take, as far as that can be told before it is tried."""

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
_INVERSE: Final = 2.0  # I^3 of them are an inverse, its product with the lean left out
_SPARSE: Final = 10.0  # a product with the sparse graph is bound by memory: so much dearer than one of dense tables
_ENDING: Final = 25.0  # what follows the last epoch, in floors: some forty evaluations, of which the floor has two


class Costs:
    """Estimates of seconds, from those that candidates have taken.

    Args:
        dataset: what they are fitted on.
        candidates: all of them.
    """

    def __init__(self, dataset: Dataset, candidates: Sequence[Candidate]) -> None:
        self.dataset = dataset
        self.configs = {candidate.name: candidate.config for candidate in candidates}
        self.trained = {candidate.name for candidate in candidates if candidate.trained}
        self._flops = 0.0

    def of(self, candidate: Candidate, record: Record) -> float:
        """Seconds that a candidate will take, at least; of a trained one, the time after its last epoch included.

        Args:
            candidate: not tried yet.
            record: what has been tried.
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
        """Seconds that a trained candidate takes beside its epochs, for its matrix and for weights of what is added.

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
            return alone.seconds  # the structure of language makes it dearer, not cheaper
        solutions = max(map(len, backbone.tried.values()), default=1)
        width = getattr(backbone, "candidates", n_items)  # of the systems that are solved
        systems = 1 if backbone.name == MATRIX else n_items
        flops = _INVERSE * systems * float(min(width, n_items)) ** 3
        return solutions * (evaluation + flops / self._flops_a_second())

    def _evaluation(self, record: Record) -> float:
        """Seconds of an evaluation by all metrics, which is what popularity takes."""
        floor = record.find(FLOOR)
        return floor.seconds if floor is not None else 0.0

    def _trained(self, record: Record) -> list[Tried]:
        """Those that were trained to a model."""
        return [tried for tried in record.candidates if tried.done and tried.name in self.trained]

    def _work(self, config: RunConfig) -> float:
        """What an epoch's steps cost, in an unknown unit: it grows with width, layers and negatives."""
        width = getattr(config.backbone, "dim", 1)
        graph = _SPARSE * getattr(config.backbone, "layers", 1) * 2 * len(self.dataset.train)
        negatives = getattr(config.loss, "n_negatives", 1)
        return float(width * (graph + config.train.batch_size * negatives))

    def _flops_a_second(self) -> float:
        """Measured once, on a product of two tables."""
        if not self._flops:
            table = torch.ones(768, 768)
            table @ table
            started = time.perf_counter()
            table @ table
            self._flops = 2 * 768**3 / (time.perf_counter() - started)
        return self._flops
