"""Configuration of a run: the settings of the backbone, the alignment, the training and the evaluation.

Each part declares its own ``Config`` in the file of its class. This package finds it by name and builds the whole
configuration. An unknown key is refused, and the error names the nearest known key (:mod:`darec.settings`).
"""

from darec.config.beside import LARGEST_DENSE, MATRIX, SHAPES, SPARSE_MATRIX, BesideConfig
from darec.config.parts import PartConfig
from darec.config.run import RunConfig, resolve_config
from darec.config.sections import (
    BPRConfig,
    EvaluationConfig,
    RunOptions,
    SoftmaxConfig,
    TextConfig,
    TrainConfig,
)

__all__ = [
    "LARGEST_DENSE",
    "MATRIX",
    "SHAPES",
    "SPARSE_MATRIX",
    "BPRConfig",
    "BesideConfig",
    "EvaluationConfig",
    "PartConfig",
    "RunConfig",
    "RunOptions",
    "SoftmaxConfig",
    "TextConfig",
    "TrainConfig",
    "resolve_config",
]
