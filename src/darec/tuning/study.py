"""The search for one pair's settings: Optuna proposes trials, and validation alone judges them.

A trial is a training run of which only the best validation value is kept; the test split is not used. The first trial
has the settings from which the search starts. About a third of the trials are drawn at random, and the others by a
tree-structured Parzen estimator over all settings together (Bergstra et al. 2011; Falkner et al. 2018). A trial that is
below the median of the others at the same epoch is pruned. Draws depend on the seed and the trials so far, so a single
process gives identical results each time, also after an interruption between trials.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darec.config import RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.dimensions import Dimension
from darec.errors import ConfigError, RunError
from darec.files import write_atomic
from darec.runtime import resolve_runtime, using_threads
from darec.search import active, start_of
from darec.training import make_trainer
from darec.tuning.reporter import TuningReporter, shown
from darec.tuning.sampling import always, sampler, suggest
from darec.tuning.setup import difference, setup_of
from darec.tuning.storage import NEED_EXTRA, alive, open_storage, this_worker
from darec.tuning.table import Tuned, importances, settings_yaml, state_of, write_trials
from darec.tuning.trial import TrialReporter, put_back, run_trial
from darec.types import TextTable

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

SPENT = ("finished", "pruned", "diverged")  # states of the trials that count towards the budget
_RETRIES = 1  # for a trial whose process died: if it dies again, its settings may be the cause


class Tuning:
    """A study of one pair, which is started or continued.

    Args:
        dataset: the dataset for training and validation.
        config: settings from which the search starts; settings that are not searched keep these values.
        space: the search space, from :func:`darec.search.narrowed`.
        out: folder for ``BACKBONE+ALIGNMENT.yaml`` and ``BACKBONE+ALIGNMENT.trials.csv``.
        trials: number of trials. Finished, pruned and diverged trials of all processes count.
        epochs: largest number of epochs of a trial; None for that of ``config``. The written settings keep that of
            ``config``.
        also: another file for the best settings.
        storage: journal file or SQL URL; ``out/study.journal`` by default.
        prune: stop trials early that are below the median.
        text: language embeddings, instead of those stored by ``darec encode``.
        progress: show progress on standard error.

    Raises:
        ConfigError: optuna is not installed, or settings do not fit the data.
        RunError: the study was started with other data or settings.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: RunConfig,
        space: Mapping[str, Dimension],
        *,
        out: str | Path,
        trials: int = 30,
        epochs: int | None = None,
        also: Path | None = None,
        storage: str | Path | None = None,
        prune: bool = True,
        text: TextTable | None = None,
        progress: bool = True,
    ) -> None:
        self.dataset, self.prune, self.also = dataset, prune, also
        self.config, self.text = _checked(dataset, config, text)
        # A setting that depends on another searched setting comes after it.
        first = always(space)
        self.space = {key: space[key] for key in [*first, *(k for k in space if k not in first)]}
        self.trials = trials if space else 1
        train = self.config.train
        self.epochs = min(train.epochs, epochs or train.epochs)
        self.name = f"{config.backbone.name}+{config.alignment.name}"
        self.out = Path(out)
        self.where = storage or self.out / "study.journal"
        self.path = self.out / f"{self.name}.yaml"
        self.worker = this_worker()
        self.progress = TuningReporter(
            self.name, train.monitor, self.trials, self.epochs, shown=progress
        )
        if self.out.exists() and not self.out.is_dir():
            raise ConfigError(f"{self.out} is a file: choose another --out.")
        # Settings that cannot be trained are refused here, before a study is created.
        with using_threads(self.config.options.threads):
            make_trainer(self._settings({}, self.epochs), dataset, self.text)
        self.out.mkdir(parents=True, exist_ok=True)
        self.study = self._open(warmup=max(3, trials // 6))
        self._resume()

    def _open(self, warmup: int) -> Study:
        """The study in its storage, created if there is none. Nothing is pruned before this number of trials."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        return optuna.create_study(
            study_name=self.name,
            storage=open_storage(self.where),
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=warmup, n_warmup_steps=5 * self.config.train.eval_every
            ),
        )

    def run(self) -> Tuned:
        """Work on the study until all its trials are done, by this process or others.

        Raises:
            KeyboardInterrupt: passed on after the current trial has been put back for later.
        """
        with self.progress, using_threads(self.config.options.threads):
            while self._spent() < self.trials:
                self._requeue()
                if not self._trial():
                    break
        self._write()
        return self.result()

    def result(self) -> Tuned:
        """The current result of the study."""
        trials = self.study.trials
        counts = {state: sum(state_of(t) == state for t in trials) for state in (*SPENT, "running")}
        starts = [t.value for t in trials if t.user_attrs.get("start") and t.value is not None]
        best = self._best()
        names = self.name.split("+")
        return Tuned(
            names[0],
            names[1],
            self.config.train.monitor,
            self.trials,
            **counts,
            start=starts[0] if starts else None,
            best=best.value if best else None,
            best_trial=best.number if best else None,
            parameters=dict(best.params) if best else {},
            importance=importances(self.study),
            seconds=round(sum(t.user_attrs.get("seconds", 0.0) for t in trials), 1),
            config=self._settings(best.params) if best else None,
            path=self.path,
        )

    def _trial(self) -> bool:
        """Ask for a trial, run it and write the results. False if other processes have done all trials."""
        from optuna.trial import TrialState

        trial = self._ask()
        parameters = suggest(trial, self.space, self.config)
        if (spent := self._spent(trial.number)) >= self.trials:
            self.study.tell(trial, state=TrialState.FAIL)
            return False
        best = self._best()
        value = best.value if best else None
        prune = self.prune and not trial.user_attrs.get("start")
        reporter = TrialReporter(trial, self.progress, self.epochs, prune)
        settings = self._settings(parameters, self.epochs)
        self.progress.trial(spent, parameters, value)
        outcome = run_trial(
            self.study,
            trial,
            lambda: make_trainer(settings, self.dataset, self.text, reporter=reporter),
            reporter,
            value,
        )
        self.progress.ended(outcome)
        self._write()
        return True

    def _ask(self) -> Trial:
        """A trial of this process, drawn with a seed that depends on the trials so far."""
        # A study of one process must be repeatable; only parallel processes need different draws.
        beside = any(state_of(trial) == "running" for trial in self.study.trials)
        draw = 1000 * self.config.options.seed + len(self.study.trials)
        draw += hash(self.worker) % 2**20 if beside else 0
        self.study.sampler = sampler(self.space, random=self.trials // 3, seed=draw)
        trial = self.study.ask()
        trial.set_user_attr("worker", self.worker)
        return trial

    def _resume(self) -> None:
        """Begin the study, or check that an existing study has the same setup."""
        setup = setup_of(self.dataset, self.text, self.config, self.space, self.epochs)
        begun = self.study.user_attrs.get("setup")
        if begun is None:
            self.study.set_user_attr("setup", setup)
        elif (other := difference(begun, setup)) is not None:
            raise RunError(
                f"the study {self.name} in {self.where} was started with {other}: continue with the same options, or "
                "choose another --out or --storage."
            )
        if not any(trial.user_attrs.get("start") for trial in self.study.trials):
            values = {
                key: start_of(self.config, key)
                for key, dimension in self.space.items()
                if active(key, dimension, {}, self.config)
            }
            self.study.enqueue_trial(values, user_attrs={"start": True})

    def _requeue(self) -> None:
        """Mark the trials of ended processes as failed, and queue each for another attempt."""
        from optuna.exceptions import OptunaError
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if alive(trial):
                continue
            try:
                self.study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, OptunaError):  # another process was first
                continue
            attempt = int(trial.user_attrs.get("attempt", 0)) + 1
            again = attempt <= _RETRIES
            self.progress.say(
                f"trial {trial.number} was interrupted by the end of its process; "
                + ("it is run again." if again else "left out, because it was its second attempt.")
            )
            if again:
                put_back(self.study, trial, attempt=attempt)

    def _spent(self, before: int | None = None) -> int:
        """Number of trials that count towards the budget and have smaller numbers than ``before``."""
        return sum(
            state_of(trial) in SPENT or (state_of(trial) == "running" and alive(trial))
            for trial in self.study.get_trials(deepcopy=False)
            if before is None or trial.number < before
        )

    def _best(self) -> FrozenTrial | None:
        finished = [trial for trial in self.study.trials if state_of(trial) == "finished"]
        return max(finished, key=lambda trial: trial.value or 0.0, default=None)

    def _settings(self, parameters: Mapping[str, Any], epochs: int | None = None) -> RunConfig:
        cap = {} if epochs is None else {"train.epochs": epochs}
        return resolve_config({**self.config.model_dump(mode="json"), **parameters, **cap})

    def _write(self) -> None:
        """Write the current best settings and table of trials."""
        write_trials(self.out / f"{self.name}.trials.csv", self.study.trials, list(self.space))
        best = self._best()
        if best is None:
            return
        note = (
            f"darec tune: validation {self.config.train.monitor} {best.value:.6f} in trial {best.number}, "
            f"at most {self.epochs} epochs a trial, seed {self.config.options.seed}: "
            f"{shown(best.params)}"
        )
        text = settings_yaml(self._settings(best.params), note)
        for path in (self.path, self.also):
            if path is not None:
                write_atomic(path, text)


def _checked(
    dataset: Dataset, config: RunConfig, text: TextTable | None
) -> tuple[RunConfig, TextTable | None]:
    """Settings and text of a study. Raises an error if the study is not possible."""
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError(NEED_EXTRA)
    if not len(dataset.valid):
        raise ConfigError("the dataset has no validation split, which tuning needs.")
    return resolve_runtime(config, dataset, text)
