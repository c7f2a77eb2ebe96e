"""Check, before training, that a run's settings fit the data and the machine."""

from __future__ import annotations

import warnings

import torch

from darec.config import LARGEST_DENSE, MATRIX, SPARSE_MATRIX, RunConfig
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DarecWarning, DataError, did_you_mean
from darec.evaluation.metrics import ACCURACY
from darec.memory import require_memory
from darec.processes.choice import Shards
from darec.processes.partition import require_rows
from darec.registry import BACKBONES, indivisible
from darec.scoring import check_k
from darec.types import IntArray, Interactions


def check_config(config: RunConfig, dataset: Dataset, *, validate: bool = True) -> tuple[str, int]:
    """Check that a run's settings fit the data and the machine.

    Args:
        config: the run's configuration.
        dataset: the training dataset.
        validate: whether the validation split is used.

    Returns:
        The metric that is monitored, and its K.

    Raises:
        ConfigError: a library, device or precision is not available, a metric does not exist, a K is larger than the
            catalogue, or the widths do not fit into memory.
        DataError: there are no training or no validation interactions.
    """
    for name in ("train", "valid") if validate else ("train",):
        if not len(dataset.split(name)):
            raise DataError(
                f"the split {name!r} has no interactions, and a model needs both for training and early stopping: "
                "import the data with another split."
            )
    if not validate and config.loss.undecided:
        raise ConfigError("loss.temperature is null, and nothing is validated: set a number.")
    resolve_device(config.options.device, config.options.precision)
    _check_closed_forms(config, dataset.n_items)
    metric, _, k = config.train.monitor.partition("@")
    if not k.isdecimal():
        raise ConfigError(f"train.monitor {config.train.monitor!r}: write METRIC@K, as recall@20.")
    if metric not in ACCURACY:
        raise ConfigError(
            f"train.monitor: unknown metric {metric!r}: {did_you_mean(metric, ACCURACY)}"
        )
    cuts = [("train.monitor", int(k)), *(("evaluation.ks", cut) for cut in config.evaluation.ks)]
    for key, cut in cuts:
        try:
            check_k(cut, dataset.n_items)
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from None
    needed = training_bytes(config, dataset.n_users + dataset.n_items, len(dataset.train))
    for key, size in sorted(needed.items(), key=lambda part: -part[1]):
        require_memory(size, f"training with {key}", f"lower {key.partition('=')[0]}")
    return metric, int(k)


def check_divided(
    config: RunConfig, processes: int, shards: Shards = "columns", train: Interactions | None = None
) -> None:
    """Raise ``ConfigError`` if this number of processes cannot train a pair together.

    Args:
        config: the run's configuration.
        processes: how many there are.
        shards: how they divide tables.
        train: the training interactions, each of whose users and items is a row; None does not look at them.
    """
    if processes == 1:
        return
    reason = indivisible(config.backbone.name, config.alignment.name, shards)
    if reason:
        raise ConfigError(reason)
    device = config.options.device
    if device.startswith("cuda:"):
        raise ConfigError(
            f"options.device {device!r}: {processes} processes would share one GPU: write cuda, and each takes its own."
        )
    if BACKBONES.get(config.backbone.name).closed_form:
        return
    if shards == "rows":
        if train is not None:
            require_rows(train, processes)
        return
    dim = getattr(config.backbone, "dim", 0)
    if dim < processes:
        raise ConfigError(
            f"{processes} processes, and backbone.dim={dim}: each needs at least one column. Start fewer, or "
            "raise backbone.dim."
        )


def _check_closed_forms(config: RunConfig, n_items: int) -> None:
    """Raise ``ConfigError`` if a library is missing, or the catalogue is too large for EASE beside tables."""
    matrix = config.beside and config.beside.backbone
    for part in (config.backbone, matrix):
        backbone = part and BACKBONES.get(part.name)
        if backbone and backbone.closed_form:
            backbone.check_installed()
    if matrix and matrix.name == MATRIX and n_items > LARGEST_DENSE:
        raise ConfigError(
            f"beside.backbone {MATRIX!r}: {n_items:,} items, and its matrix is dense: set "
            f"beside.backbone={SPARSE_MATRIX}."
        )


def training_bytes(config: RunConfig, n_entities: int, n_pairs: int) -> dict[str, float]:
    """A lower estimate of the bytes that the widths in a run's settings need during training, by ``key=value``.

    A table of parameters is stored six times: itself, its gradient, Adam's two moments, the encoded table and its
    gradient. Other columns are stored twice, as values and as their gradient. While a temperature is chosen, a table is
    stored four times more: as it was at first, and after the best epoch so far, with its moments.
    """
    of_tables = 10 if config.loss.undecided else 6
    found: dict[str, float] = {}
    for section in ("backbone", "alignment"):
        settings = getattr(config, section)
        for name in ("dim", "hidden", "intents", "text_width"):
            value = getattr(settings, name, None)
            width = sum(value) if isinstance(value, tuple) else value
            if width:
                times = of_tables if (section, name) == ("backbone", "dim") else 2
                found[f"{section}.{name}={value}"] = 4.0 * times * n_entities * width
    negatives = getattr(config.loss, "n_negatives", 0)
    batch = min(config.train.batch_size, n_pairs)
    found[f"loss.n_negatives={negatives}"] = 4.0 * 2 * batch * negatives
    return found


def warn_of_full_users(rows: IntArray, dataset: Dataset) -> None:
    """Warn of users who have every item; nothing is learned from them (:class:`darec.data.sampling.Sampler`)."""
    if not rows.size:
        return
    more = f" and {rows.size - 1} more users have" if rows.size > 1 else " has"
    warnings.warn(
        f"user {dataset.users.texts[rows[0]]!r}{more} all {dataset.n_items} items in training: there is no item as a "
        "negative, so training uses the other users only.",
        DarecWarning,
        stacklevel=3,
    )


def resolve_device(name: str, precision: str = "float32") -> torch.device:
    """The device of that name. Raises ``ConfigError`` if this machine lacks it."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"options.device {name!r}: write cpu, cuda or cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        there = torch.cuda.device_count() or "no"
        raise ConfigError(
            f"options.device {name!r}: this machine has {there} CUDA devices: use another, or cpu."
        )
    if precision == "bf16" and device.type != "cuda":
        raise ConfigError("options.precision bf16 is for GPUs: use float32 on a CPU.")
    return device
