"""The result of a study, and its files for people and for other commands."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from darec.config import RunConfig
from darec.files import write_atomic

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Tuned:
    """The result of a study.

    Attributes:
        backbone: name of the backbone.
        alignment: name of the alignment.
        metric: the validation metric that was maximised.
        trials: largest number of trials.
        finished: number of trials that trained to their end.
        pruned: number of trials that were stopped early because others were better at that epoch.
        diverged: number of trials without a result: the loss became infinite or NaN, or a linear system was singular.
        running: number of trials that other processes are running.
        start: validation value of the settings from which the search started; None if they diverged.
        best: the best validation value; None if no trial finished.
        best_trial: number of that trial, from 0; trial 0 has the starting settings.
        parameters: the best trial's searched settings, by dotted key.
        importance: share of each searched setting in the variance of the values; the shares add up to 1 (functional
            ANOVA, Hutter et al. 2014). Empty if too few trials finished.
        seconds: time spent in trials, summed over all workers.
        config: the best settings, complete; None if no trial finished.
        path: the file with the best settings.
    """

    backbone: str
    alignment: str
    metric: str
    trials: int
    finished: int
    pruned: int
    diverged: int
    running: int
    start: float | None
    best: float | None
    best_trial: int | None
    parameters: dict[str, Any]
    importance: dict[str, float]
    seconds: float
    config: RunConfig | None
    path: Path

    def row(self) -> dict[str, Any]:
        """Everything except the configuration, as values for JSON."""
        fields = {name: value for name, value in vars(self).items() if name != "config"}
        return fields | {"path": str(self.path)}


def settings_yaml(config: RunConfig, note: str) -> str:
    """A configuration for ``--config``, without run options, because these were not tuned."""
    tree = config.model_dump(mode="json", exclude={"options"})
    return f"# {note}\n" + yaml.safe_dump(tree, sort_keys=False)


def write_trials(path: Path, trials: list[FrozenTrial], keys: list[str]) -> None:
    """Write one CSV row for each trial: number, state, value, epochs, best epoch, seconds and searched settings."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["trial", "state", "value", "epochs", "best_epoch", "seconds", *keys])
    for trial in trials:
        reports, value = trial.intermediate_values, trial.value
        if value is None:
            value = max(reports.values(), default=None)
        told = (trial.user_attrs.get(name) for name in ("best_epoch", "seconds"))
        parameters = (trial.params.get(key) for key in keys)
        reached = max(reports, default=None)
        writer.writerow([trial.number, state_of(trial), value, reached, *told, *parameters])
    write_atomic(path, buffer.getvalue())


def state_of(trial: FrozenTrial) -> str:
    """``finished``, ``pruned``, ``diverged``, ``running``, ``waiting`` or ``lost``."""
    if "diverged" in trial.user_attrs:
        return "diverged"
    names = {"COMPLETE": "finished", "FAIL": "lost"}
    return names.get(trial.state.name, trial.state.name.lower())


def importances(study: Study) -> dict[str, float]:
    """Share of each setting in the variance of the values, largest first; empty if there are too few trials."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    finished = [trial for trial in study.trials if state_of(trial) == "finished"]
    if len(finished) < 8 or len({trial.value for trial in finished}) < 2:
        return {}
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {key: round(float(share), 4) for key, share in shares.items()}
