"""Compare one pair with the same pair after one term or choice is switched off or changed.

The alignment or the backbone declares its ablations (``ablations``). If it declares none, each weight (a number named
``w_...``) is set to zero and each switch is turned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

from darec.compare.grid import VariantSettings
from darec.compare.kinds import BASE
from darec.compare.one_pair import base_config, changed
from darec.compare.result import Comparison
from darec.compare.run import RunnerOptions, run_variants
from darec.config import PartConfig, RunConfig
from darec.errors import ConfigError, did_you_mean
from darec.registry import ALIGNMENTS, BACKBONES
from darec.search import idle, is_active

Part = Literal["alignment", "backbone"]


def ablate(
    data: str | Path,
    *,
    part: Part = "alignment",
    only: Sequence[str] = (),
    backbone: str | None = None,
    alignment: str | None = None,
    options: dict[str, Any] | None = None,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    **runner: Unpack[RunnerOptions],
) -> Comparison:
    """Train a pair and each of its ablations with every seed, and compare them with it.

    Args:
        data: dataset folder, written by ``darec import``.
        part: the part whose terms and choices are changed.
        only: names of ablations to run; all if empty.
        backbone: see :func:`darec.compare.one_pair.base_config`, also for the next four.
        alignment: name of the alignment.
        options: settings by dotted key.
        config: YAML file of settings.
        overrides: ``KEY=VALUE`` settings.
        **runner: ``out``, ``seeds``, ``jobs`` and the others that :func:`darec.compare.run.run_variants` takes.

    Raises:
        ConfigError: the part has no ablations, a name or setting is unknown, or there are too many runs.
        DataError: there is no dataset, or it has no validation or test interactions.
        TextError: language vectors are missing.
        RunError: ``out`` has other content.
        KeyboardInterrupt: passed on; finished runs and checkpoints are kept.
    """
    base = base_config(
        backbone=backbone, alignment=alignment, options=options, config=config, overrides=overrides
    )
    variants, left_out = ablation_variants(base, part, only)
    return run_variants(data, variants, kind="ablation", baseline=BASE, remarks=left_out, **runner)


def ablations_of(base: RunConfig, part: Part) -> dict[str, dict[str, Any]]:
    """Name -> settings by dotted key of every ablation of a part, declared or derived; may be empty."""
    config: PartConfig = getattr(base, part)
    registry = ALIGNMENTS if part == "alignment" else BACKBONES
    declared: Mapping[str, Mapping[str, Any]] | None = registry.get(config.name).ablations
    if declared is None:
        declared = _derived(config)
    return {
        name: {f"{part}.{field}": value for field, value in settings.items()}
        for name, settings in declared.items()
    }


def ablation_variants(
    base: RunConfig, part: Part = "alignment", only: Sequence[str] = ()
) -> tuple[list[VariantSettings], list[str]]:
    """The base and every ablation. Those that would change nothing are left out, with a note.

    Settings of an ablation that have no effect, with the base's backbone or with the other settings, are not changed.

    Raises:
        ConfigError: there is nothing to ablate, a name in ``only`` is unknown, or a declared setting does not exist.
    """
    found = ablations_of(base, part)
    for name in only:
        if name not in found:
            raise ConfigError(f"--only: no ablation {name!r}: {did_you_mean(name, found)}")
    variants, left_out, over = [VariantSettings(base, label=BASE)], [], []
    for name in only or found:
        changes = {key: value for key, value in found[name].items() if not idle(base, key)}
        variant = changed(base, name, changes)
        asleep = [key for key in changes if not is_active(variant.config, key)]
        variant = changed(base, name, {k: v for k, v in changes.items() if k not in asleep})
        same = next((other for other in variants if other.config == variant.config), None)
        if not changes:
            over.append(name)
        elif same is not None:
            why = "the base is so already" if same.label == BASE else f"it is {same.label} here"
            if asleep:
                why = f"{asleep[0]} changes nothing with the other settings"
            left_out.append(f"{name} is left out: {why}.")
        else:
            variants.append(variant)
    if over:
        left_out.append(
            f"left out, since they change nothing over backbone {base.backbone.name!r}: {', '.join(over)}."
        )
    if len(variants) == 1:
        named: PartConfig = getattr(base, part)
        why = (
            left_out[0] if left_out else "it has no weights or switches and declares no ablations."
        )
        raise ConfigError(f"nothing to ablate in {part} {named.name!r}: {why}")
    return variants, left_out


def _derived(config: PartConfig) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for name, value in config:
        if isinstance(value, bool):
            made[f"{name}={str(not value).lower()}"] = {name: not value}
        elif isinstance(value, int | float) and name.startswith("w_"):
            made[f"{name}=0"] = {name: 0}
    return made
