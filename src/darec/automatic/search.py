"""The search: it tries one candidate after the other within the time limit."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace

from darec.automatic.candidates import FLOOR, Candidate
from darec.automatic.costs import Costs
from darec.automatic.record import Record, Tried
from darec.automatic.watching import Watch
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DarecError, RunError, TextError
from darec.evaluation.evaluate import validator
from darec.fitting import Job, train
from darec.memory import failed_allocation
from darec.progress import span
from darec.run import Run
from darec.run_folder import CANDIDATES, RunFolder, run_folder
from darec.run_record import describe
from darec.runtime import resolve_runtime
from darec.training.checks import check_config
from darec.training.history import seconds_in
from darec.training.progress import Reporter
from darec.types import TextTable


class Search:
    """Tries candidates in order and records the outcomes.

    Args:
        dataset: the dataset on which they are fitted.
        text: language vectors, or None.
        candidates: the candidates, the cheapest first.
        record: the record so far, with the time limit.
        folder: folder of the search, in which each candidate has its own folder. None keeps the best one in memory.
        started: start of the search, by ``time.monotonic()``.
        shown: show progress on standard error.
    """

    def __init__(
        self,
        dataset: Dataset,
        text: TextTable | None,
        candidates: Sequence[Candidate],
        record: Record,
        folder: RunFolder | None,
        started: float,
        *,
        shown: bool,
    ) -> None:
        self.dataset, self.text, self.candidates = dataset, text, candidates
        self.folder = folder
        self.record = record = self._with_cut_short(record)
        self.end = started + 60 * record.minutes - record.seconds
        self.costs = Costs(dataset, candidates)
        self.watch = Watch(len(candidates), record.monitor, self.left, shown=shown)
        self._best: tuple[str, Run] | None = None

    def left(self) -> float:
        """Remaining seconds."""
        return self.end - time.monotonic()

    def run(self) -> Run:
        """Try all candidates that the time limit allows. Returns the best one.

        Raises:
            ConfigError: the time is too short for any model except popularity.
            RunError: no candidate could be fitted.
        """
        for place, candidate in enumerate(self.candidates, 1):
            before = self.record.find(candidate.name)
            if before is not None and (before.done or before.state == "failed"):
                continue
            needed, left = self.costs.of(candidate, self.record), self.left()
            if candidate.name != FLOOR and needed > left:
                reason = f"needs about {span(needed)}, and {span(max(left, 0.0))} are left"
                spent = before.seconds if before else 0.0
                self._note(
                    Tried(
                        candidate.name, candidate.settings, "skipped", seconds=spent, reason=reason
                    )
                )
                continue
            self._try(place, candidate, before.seconds if before else 0.0)
        return self._choose()

    def _try(self, place: int, candidate: Candidate, spent: float) -> None:
        """Fit one candidate and record its value, or the reason why it has none."""
        begun = time.monotonic() - spent
        tried = Tried(candidate.name, candidate.settings, "begun", seconds=spent)
        self._note(tried, quiet=True)
        try:
            run = self._fit(candidate, self.watch.reporter(place, candidate))
            value = self._value(run)
        except (ConfigError, RunError, TextError, MemoryError, RuntimeError) as error:
            reason = failed_allocation(error)
            if reason is None and not isinstance(error, DarecError):
                raise
            seconds = time.monotonic() - begun
            self._note(replace(tried, state="failed", seconds=seconds, reason=reason or str(error)))
            return
        except KeyboardInterrupt:
            self._note(replace(tried, seconds=time.monotonic() - begun), quiet=True)
            raise
        late = bool(run.metrics.get("out_of_time"))
        best = self.record.ranking()
        if not best or value > (best[0].value or 0.0):
            self._best = (candidate.name, run)
        self._note(
            replace(
                tried,
                state="stopped" if late else "finished",
                value=value,
                seconds=time.monotonic() - begun,
                epochs=run.metrics["epochs"],
                per_epoch=run.metrics["seconds_per_epoch"],
                reason="the time ended" if late else None,
            )
        )

    def _fit(self, candidate: Candidate, reporter: Reporter) -> Run:
        """Train a candidate, or continue its training. It is not evaluated on the test split."""
        config, text = resolve_runtime(candidate.config, self.dataset, self.text)
        deadline = self.end
        if candidate.trained:
            deadline -= self.costs.ending(self.record)
        path = self.folder.path / CANDIDATES / slug(candidate.name) if self.folder else None
        with run_folder(path) as folder:
            resumes = folder is not None and folder.admit(resume=True, overwrite=False)
            if folder is not None and resumes:
                config, _, text = folder.resume(config, self.dataset, text)
                if folder.finished:
                    return Run.load(folder.path, dataset=self.dataset)
            job = Job(
                config,
                self.dataset,
                text,
                folder,
                resumes,
                describe(config, text),
                splits=("valid",),
                deadline=deadline,
            )
            return train(job, progress=False, tensorboard=False, reporter=reporter)

    def _value(self, run: Run) -> float:
        """The monitored metric of the complete scores on the whole validation split."""
        known = run.metrics.get(f"valid/{self.record.monitor}")
        if known is not None:
            return float(known)
        metric, k = check_config(run.config, self.dataset)
        judged = validator(self.dataset, k).evaluate(run.scorer, (metric,))
        return judged.summary()[self.record.monitor]

    def _choose(self) -> Run:
        ranking = self.record.ranking()
        if not any(tried.name != FLOOR for tried in ranking):
            self._refuse()
        best = ranking[0]
        self.record = replace(self.record, chosen=best.name, why=why(self.record))
        if self._best is not None and self._best[0] == best.name:
            return self._best[1]
        assert self.folder is not None  # in memory there is no earlier search
        return Run.load(self.folder.path / CANDIDATES / slug(best.name), dataset=self.dataset)

    def _refuse(self) -> None:
        """Raise an error, because no candidate except popularity has a model."""
        failed = next((one for one in self.record.candidates if one.state == "failed"), None)
        if failed is not None:
            raise RunError(f"no model could be fitted; {failed.name}: {failed.reason}")
        needed = min(
            self.costs.of(one, self.record) for one in self.candidates if one.name != FLOOR
        )
        minutes = (self.record.seconds + needed) / 60
        kept = "; finished candidates are kept for --resume" if self.folder else ""
        raise ConfigError(
            f"--minutes={self.record.minutes:g}: too short for one model, "
            f"which needs about {minutes:.2g} minutes{kept}."
        )

    def _note(self, tried: Tried, *, quiet: bool = False) -> None:
        """Record the outcome of a candidate, also on disk, and show it."""
        self.record = self.record.noted(tried)
        if self.folder is not None:
            self.folder.lock.check()
            self.record.save(self.folder.path)
        if not quiet:
            self.watch.ended(tried)

    def _with_cut_short(self, record: Record) -> Record:
        """The outcome with the seconds in the history of a killed candidate, if they were not recorded."""
        for tried in record.candidates:
            if tried.state == "begun" and self.folder is not None:
                file = self.folder.path / CANDIDATES / slug(tried.name) / "history.jsonl"
                record = record.noted(replace(tried, seconds=max(tried.seconds, seconds_in(file))))
        return record


def slug(name: str) -> str:
    """Name of a candidate's folder: ``recommended-loss.temperature=0.15``."""
    return re.sub(r"[^\w.=]+", "-", name)


def why(record: Record) -> str:
    """One sentence with the reason for the choice."""
    best, *others = record.ranking()
    text = f"{best.name} has the best {record.monitor} on the validation split, {best.value:.4f}"
    if others:
        gain = (best.value or 0.0) / others[0].value - 1 if others[0].value else 0.0
        more = f"{100 * gain:.1f}% above" if gain else "no less than"
        text += f", {more} the next, {others[0].name}"
    late = sum(one.state in ("skipped", "stopped") for one in record.candidates)
    if late:
        text += f"; for {late} of {len(record.candidates)} candidates the time was too short"
    return f"{text}."
