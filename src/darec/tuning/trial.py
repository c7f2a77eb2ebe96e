"""One trial of a study: train, report validation values on the way, and tell the study what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from darec.errors import RunError
from darec.training import AnyTrainer
from darec.training.progress import Reporter
from darec.tuning.reporter import TuningReporter
from darec.tuning.storage import BEAT

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial


class TrialReporter(Reporter):
    """Passes validation values on to the study, and ends a trial that is not worth going on with.

    Args:
        trial: of the study.
        progress: shows the same to people.
        epochs: the most that the trial can have.
        prune: whether the study may end it early.

    Attributes:
        epoch: of the last evaluation.
        best: best validation value so far.
    """

    def __init__(self, trial: Trial, progress: TuningReporter, epochs: int, prune: bool) -> None:
        self.trial, self.progress, self.epochs, self.prune = trial, progress, epochs, prune
        self.epoch, self.best = 0, 0.0
        self._last_beat = 0.0

    def step(self, epoch: int, done: int, total: int) -> None:
        """Give a sign of life every minute."""
        if time.monotonic() - self._last_beat > BEAT:
            self._last_beat = time.monotonic()
            self.trial.set_user_attr("beat", time.time())
        self.progress.step(epoch, done, total)

    def evaluated(
        self, epoch: int, losses: Mapping[str, float], metric: str, value: float, best: float
    ) -> None:
        """Report the best value so far, which is what the trial will be judged by."""
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
    """Train, and tell the study the best validation value, or that the trial was pruned or diverged.

    Args:
        study: the study.
        trial: asked of it.
        make_trainer: makes the trainer, with ``reporter``.
        reporter: of this trial.
        best: the study's best value so far; None: there is none.

    Returns:
        The outcome in words.

    Raises:
        BaseException: whatever else ends the training, once the trial has been put back for later.
    """
    from optuna import TrialPruned
    from optuna.trial import TrialState

    begun = time.monotonic()
    value: float | None = None
    try:
        state = make_trainer().fit()
    except TrialPruned:
        outcome = f"pruned after epoch {reporter.epoch} at {reporter.best:.4f}"
    except RunError as error:
        trial.set_user_attr("diverged", str(error))
        outcome = f"diverged: {error}"
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
    # A trial that diverged is pruned rather than failed, so that the sampler learns to keep away.
    study.tell(trial, value, state=TrialState.PRUNED if value is None else None)
    return outcome


def put_back(study: Study, trial: Trial | FrozenTrial, **attributes: Any) -> None:
    """Queue the settings of a trial that failed for another attempt."""
    kept = {
        name: trial.user_attrs[name] for name in ("start", "attempt") if name in trial.user_attrs
    }
    study.enqueue_trial(dict(trial.params), user_attrs=kept | attributes)
