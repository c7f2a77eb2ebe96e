"""What a study has found: its result, and the files it leaves for people and for the other commands."""

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
        trials: the budget, in trials.
        finished: trials that trained to their end.
        pruned: trials stopped early because others were better by then.
        diverged: trials whose loss left the numbers.
        running: trials that other processes are still at work on.
        start: validation value of the settings that the search began from; None where they diverged.
        best: the best validation value; None where no trial finished.
        best_trial: number of that trial, from 0; trial 0 has the starting settings.
        parameters: the best trial's searched settings, by dotted key.
        importance: share of each searched setting in the variance of the values, adding up to 1 (functional ANOVA,
            Hutter et al. 2014); empty where too few trials finished to say.
        seconds: time spent in trials, all workers together.
        config: the best settings, whole; None where no trial finished.
        path: the file with them.
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
        """Everything but the whole configuration, ready for JSON."""
        fields = {name: value for name, value in vars(self).items() if name != "config"}
        return fields | {"path": str(self.path)}


def settings_yaml(config: RunConfig, note: str) -> str:
    """A configuration as ``--config`` reads it, without run options: how to run is not what was tuned."""
    tree = config.model_dump(mode="json", exclude={"options"})
    return f"# {note}\n" + yaml.safe_dump(tree, sort_keys=False)


def write_trials(path: Path, trials: list[FrozenTrial], keys: list[str]) -> None:
    """A CSV row a trial: number, state, value, epochs, best epoch, seconds, then a column a searched setting."""
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
    """Share of each setting in the variance of the values, largest first; empty where there is too little to say."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    finished = [trial for trial in study.trials if state_of(trial) == "finished"]
    if len(finished) < 8 or len({trial.value for trial in finished}) < 2:
        return {}
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {key: round(float(share), 4) for key, share in shares.items()}
