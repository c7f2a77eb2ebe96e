"""One pair with every value of a setting, or with every combination of values of several settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Unpack

from darec.compare.grid import MANY, VariantSettings
from darec.compare.one_pair import base_config, changed
from darec.compare.result import Comparison
from darec.compare.run import RunnerOptions, run_variants
from darec.config import RunConfig
from darec.dimensions import Choice, Range
from darec.errors import ConfigError
from darec.search import depends_on, fields, unknown, value_of
from darec.yaml_input import parse_yaml

ALIASES: Final = {
    "K": "alignment.n_clusters",
    "lambda": "alignment.strength",
    "rho": "alignment.rho",
    "N-hat": "alignment.n_sampled",
    "d": "alignment.dim",
}
"""Short names of settings: the symbols of the DaRec paper, and this project's rho."""


def sweep(
    data: str | Path,
    params: Sequence[str],
    *,
    backbone: str | None = None,
    alignment: str | None = None,
    options: dict[str, Any] | None = None,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    **runner: Unpack[RunnerOptions],
) -> Comparison:
    """Train a pair with every combination of the given values, with every seed.

    Finished runs in ``out`` are not trained again. Differences are relative to the base, if its own values are among
    those of the sweep.

    Args:
        data: dataset folder, written by ``darec import``.
        params: ``["alignment.n_clusters=2,4,8", "K=2,4,8"]``, one setting each, with commas between its values.
        backbone: see :func:`darec.compare.one_pair.base_config`, also for the next four.
        alignment: name of the alignment.
        options: settings by dotted key.
        config: YAML file of settings.
        overrides: ``KEY=VALUE`` settings.
        **runner: ``out``, ``seeds``, ``jobs`` and the others that :func:`darec.compare.run.run_variants` takes.

    Raises:
        ConfigError: settings or values do not exist or do not fit, or there are too many runs.
        DataError: there is no dataset, or it has no validation or test interactions.
        TextError: language vectors are missing.
        RunError: ``out`` has other content.
        KeyboardInterrupt: passed on; finished runs and checkpoints are kept.
    """
    base = base_config(
        backbone=backbone, alignment=alignment, options=options, config=config, overrides=overrides
    )
    values = dict(parse_param(base, text) for text in params)
    if len(values) < len(params):
        raise ConfigError(
            "--param: a setting is given twice; write its values with commas between."
        )
    if (count := math.prod(map(len, values.values()))) > MANY and not runner.get("many"):
        raise ConfigError(
            f"--param: {count} combinations: pass --yes to train more than {MANY} runs."
        )
    variants, baseline = sweep_variants(base, values)
    return run_variants(data, variants, kind="sweep", baseline=baseline, **runner)


def sweep_variants(
    base: RunConfig, values: Mapping[str, Sequence[Any]]
) -> tuple[list[VariantSettings], str]:
    """Every combination, the last setting changing fastest, and the label of the one that equals the base.

    Args:
        base: all other settings.
        values: of each setting, by dotted key.

    Raises:
        ConfigError: a value is not valid or is given twice, or a setting has no effect with the others.
    """
    _check_meaning(base, values)
    variants: list[VariantSettings] = []
    for combination in itertools.product(*values.values()):
        changes = dict(zip(values, combination, strict=True))
        label = ", ".join(f"{_short(key)}={_text(value)}" for key, value in changes.items())
        variant = changed(base, label, changes)
        same = next((other for other in variants if other.config == variant.config), None)
        if same is not None:
            raise ConfigError(f"--param: {same.label} and {label} are the same.")
        variants.append(variant)
    baseline = next((v.label or "" for v in variants if v.config == base), "")
    return variants, baseline


def parse_param(base: RunConfig, text: str) -> tuple[str, list[Any]]:
    """Dotted key and values of ``KEY=a,b,c``; brackets enclose a list. Raises ``ConfigError``."""
    key, sign, listed = text.partition("=")
    key = key.strip()
    try:
        values = [_number(value) for value in parse_yaml(f"[{listed}]", "--param")]
    except ConfigError:
        values = []
    if not sign or not key or not values:
        raise ConfigError(f"--param {text!r}: write KEY=a,b,c, for example alignment.rho=0.1,0.3.")
    known = dict(fields(base))
    key = ALIASES.get(key, key)
    if key not in known:
        raise unknown(base, key, "--param")
    return key, values


def _number(value: Any) -> Any:
    """Read 1e-3 as a number, although YAML does not."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _check_meaning(base: RunConfig, values: Mapping[str, Sequence[Any]]) -> None:
    """Refuse to vary a setting without effect, according to the conditions that settings declare for ``darec tune``."""
    for key, field in fields(base):
        for mark in field.metadata if key in values else ():
            if not isinstance(mark, Range | Choice) or mark.when is None:
                continue
            on, wanted = depends_on(key, mark) or "", mark.when[1]
            if any(value != wanted for value in values.get(on, [value_of(base, on)])):
                raise ConfigError(
                    f"--param {key}: it only has an effect with {on}={wanted}: add --set {on}={wanted}."
                )


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _text(value: Any) -> str:
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
