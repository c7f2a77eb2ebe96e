"""One trial of a study: train, report validation values during training, and report the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from darec.errors import RunError, SingularError
from darec.training import AnyTrainer
from darec.training.progress import Reporter
from darec.tuning.reporter import TuningReporter
from darec.tuning.storage import BEAT

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial


class TrialReporter(Reporter):
    """Passes validation values to the study, and prunes a trial that is worse than others.

    Args:
        trial: a trial of the study.
        progress: display of progress.
        epochs: largest number of epochs of the trial.
        prune: whether the study may end it early.

    Attributes:
        epoch: epoch of the last evaluation.
        best: best validation value so far.
    """

    def __init__(self, trial: Trial, progress: TuningReporter, epochs: int, prune: bool) -> None:
        self.trial, self.progress, self.epochs, self.prune = trial, progress, epochs, prune
        self.epoch, self.best = 0, 0.0
        self._last_beat = 0.0

    def step(self, epoch: int, done: int, total: int) -> None:
        """Record a heartbeat every minute."""
        if time.monotonic() - self._last_beat > BEAT:
            self._last_beat = time.monotonic()
            self.trial.set_user_attr("beat", time.time())
        self.progress.step(epoch, done, total)

    def evaluated(
        self, epoch: int, losses: Mapping[str, float], metric: str, value: float, best: float
    ) -> None:
        """Report the best value so far, by which the trial is judged."""
        from optuna import TrialPruned

        self.epoch, self.best = epoch, best
        self.trial.report(best, epoch)
        self.progress.evaluated(epoch, value, best)
        if self.prune and epoch < self.epochs and self.trial.should_prune():
            raise TrialPruned


def run_trial(
    study: Study,
    trial: Trial,
    make_trainer: Callable[[], AnyTrainer],
    reporter: TrialReporter,
    best: float | None,
) -> str:
    """Train, and report to the study the best validation value, or that the trial was pruned or has no result.

    Args:
        study: the study.
        trial: a trial of the study.
        make_trainer: makes the trainer with ``reporter``.
        reporter: the reporter of this trial.
        best: the study's best value so far, or None.

    Returns:
        The outcome in words.

    Raises:
        BaseException: any other error that ends the training, after the trial has been put back for later.
    """
    from optuna import TrialPruned
    from optuna.trial import TrialState

    begun = time.monotonic()
    value: float | None = None
    try:
        state = make_trainer().fit()
    except TrialPruned:
        outcome = f"pruned after epoch {reporter.epoch} at {reporter.best:.4f}"
    except (RunError, SingularError) as error:
        trial.set_user_attr("diverged", str(error))
        outcome = f"no result: {error}"
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        put_back(study, trial)
        raise
    else:
        value = state.best_value
        trial.set_user_attr("best_epoch", state.best_epoch)
        outcome = f"{value:.4f} (best epoch {state.best_epoch} of {state.epoch})"
        if best is None or value > best:
            outcome += ", the best so far"
    trial.set_user_attr("seconds", round(time.monotonic() - begun, 2))
    # A diverged trial is marked as pruned and not as failed, so that the sampler learns to avoid its settings.
    study.tell(trial, value, state=TrialState.PRUNED if value is None else None)
    return outcome


def put_back(study: Study, trial: Trial | FrozenTrial, **attributes: Any) -> None:
    """Queue the settings of a failed trial for another attempt."""
    kept = {
        name: trial.user_attrs[name] for name in ("start", "attempt") if name in trial.user_attrs
    }
    study.enqueue_trial(dict(trial.params), user_attrs=kept | attributes)
