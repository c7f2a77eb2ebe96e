"""Profiles of a dataset's items and users: find missing ones, get them from a model, and write them for encoders."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from darec.data.dataset import Dataset
from darec.errors import ConfigError, DarecError
from darec.lock import locked
from darec.meter import Meter
from darec.text.endpoint import run_async
from darec.text.profiles.asking import Asker
from darec.text.profiles.batch import read_answers, write_requests
from darec.text.profiles.config import make_config
from darec.text.profiles.costs import Ledger, Price
from darec.text.profiles.prompts import Prompt, make_prompts
from darec.text.profiles.report import CostEstimate, ProfileReport
from darec.text.profiles.schema import Kind
from darec.text.profiles.shards import gather_answers
from darec.text.profiles.store import FOLDER, Answer, AnswerStore
from darec.text.shards import Shard, shards_of
from darec.wording import counted_noun

KINDS: Final[tuple[Kind, ...]] = ("item", "user")


class Profiler:
    """The profiles of one dataset by one model.

    Args:
        dataset: a dataset on disk, or its folder.
        model: name of the model on the server.
        kinds: the entities to describe, ``("item", "user")``.
        settings: settings of :class:`darec.text.profiles.config.ProfileConfig`.
        name: name of the set, which is its folder in ``profiles``; None is the model's name.
        only_failed: send only prompts that failed before.
        limit: largest number of prompts to send.
        price: dollars per million tokens read and written.
        budget: most dollars of this run.
        shard: only this part of the prompts, such as ``2/8``, stored separately until :meth:`merge`.

    Raises:
        ConfigError: settings, templates or options are not valid.
        TextError: reviews or a store cannot be used, or there is nothing to describe.
    """

    def __init__(
        self,
        dataset: Dataset | str | Path,
        model: str,
        *,
        kinds: Sequence[Kind] = KINDS,
        settings: Mapping[str, Any] | None = None,
        name: str | None = None,
        only_failed: bool = False,
        limit: int | None = None,
        price: Price | None = None,
        budget: float | None = None,
        shard: str | None = None,
    ) -> None:
        self.dataset = dataset if isinstance(dataset, Dataset) else Dataset.load(dataset)
        if self.dataset.path is None:
            raise ConfigError(
                "this dataset is in memory: save it first, so that answers can be stored."
            )
        self.config = make_config({**(settings or {}), "model": model})
        self.config.endpoint().url  # noqa: B018, an invalid URL is refused first
        self.folder = self.dataset.path / FOLDER / self.config.folder_name(name)
        self.only_failed, self.limit = only_failed, limit
        self.ledger = Ledger(price, budget, self.config.max_tokens)
        self.prompts = {
            kind: make_prompts(self.config, self.dataset, kind) for kind in KINDS if kind in kinds
        }
        entities = {"item": self.dataset.n_items, "user": self.dataset.n_users}
        self._silent = {kind: entities[kind] - len(found) for kind, found in self.prompts.items()}
        if shard is not None:
            part = Shard.parse(shard)
            self.folder = shards_of(self.folder) / part.name
            self.prompts = {
                kind: [prompt for prompt in prompts if part.holds(prompt.key)]
                for kind, prompts in self.prompts.items()
            }

    def estimate(self) -> CostEstimate:
        """The requests that :meth:`run` would send. Nothing is sent or written."""
        store = AnswerStore(self.folder)
        todo, ledger = self._todo(store), self.ledger
        read = sum(ledger.estimate(prompt.characters) for prompt in todo)
        written, most = round(len(todo) * ledger.answer_tokens), len(todo) * self.config.max_tokens
        price = ledger.price
        return CostEstimate(
            model=self.config.model,
            requests=len(todo),
            reused=self._count(store),
            tokens_in=read,
            tokens_out=written,
            most_tokens_out=most,
            cost=price.of(read, written) if price else None,
            most=price.of(read, most) if price else None,
            prompts=tuple(todo[:3]),
        )

    def run(self, *, progress: bool = True) -> ProfileReport:
        """Get the missing profiles. If a call was killed, the next call continues where it stopped.

        Raises:
            ConfigError: there is no key.
            EndpointError: no request could be answered: no server, no such model, a wrong key.
            TextError: another process writes the same set.
        """
        started = time.perf_counter()
        with locked(self.folder):
            store = AnswerStore(self.folder)
            store.begin()
            todo, reused = self._todo(store), self._count(store)
            asker = Asker(self.config, store, self.ledger, proven=reused > 0)
            shown = Meter(self.config.model, show=progress, doing="profiling", unit="prompts")
            stopped = None
            try:
                if todo:
                    with shown.counting(len(todo), reused) as advance:
                        run_async(asker.ask(todo, advance))
            except DarecError as error:
                if not asker.kept:
                    raise
                stopped = error.command_line
            finally:  # also when interrupted
                self._publish(store)
        if asker.out_of_budget:
            stopped = f"the budget of ${self.ledger.budget:g} is reached."
        return self._report(store, reused, asker.new, started, stopped, asker.unanswered)

    def batch_out(self, path: str | Path) -> int:
        """Write the requests for missing profiles to a vendor's batch file. Returns their number."""
        todo = self._todo(AnswerStore(self.folder))
        write_requests(Path(path), todo, self.config)
        return len(todo)

    def batch_in(self, path: str | Path) -> ProfileReport:
        """Store the answers of a batch. Raises ``TextError``, and stores nothing, if the file is not valid."""
        started = time.perf_counter()
        report, strange = self._take_in(
            started, lambda: read_answers(Path(path), self._by_key(), self.config.model)
        )
        if not strange:
            return report
        notice = (
            f"{counted_noun(strange, 'answer belongs', 'answers belong')} to no current prompt, but to another model, "
            f"template or text: {path}."
        )
        return replace(report, notices=(*report.notices, notice))

    def merge(self) -> ProfileReport:
        """Store the answers of all shards. Raises ``TextError``, and stores nothing, if they are not complete."""
        started = time.perf_counter()
        answers = gather_answers(self.folder, self._by_key().keys())
        return self._take_in(started, lambda: (answers, 0))[0]

    def _take_in(
        self, started: float, read: Callable[[], tuple[Iterable[Answer], int]]
    ) -> tuple[ProfileReport, int]:
        """Store answers from a file. Existing profiles are kept."""
        with locked(self.folder):
            store = AnswerStore(self.folder)
            store.begin()
            reused = self._count(store)
            answers, strange = read()
            new = 0
            for answer in answers:
                known = store.answers.get(answer.key)
                if known is None or known.profile is None:
                    store.add(answer)
                    new += answer.profile is not None
                    self.ledger.tokens_in += answer.tokens_in
                    self.ledger.tokens_out += answer.tokens_out
            self._publish(store)
        return self._report(store, reused, new, started), strange

    def _by_key(self) -> dict[str, Prompt]:
        return {prompt.key: prompt for prompts in self.prompts.values() for prompt in prompts}

    def _todo(self, store: AnswerStore) -> list[Prompt]:
        """The prompts to send; equal prompts are sent once. The ledger is updated with the existing answers."""
        todo = []
        for key, prompt in self._by_key().items():
            answer = store.answers.get(key)
            if answer is not None and answer.attempts == 1:
                self.ledger.learn(prompt.characters, answer.tokens_in, answer.tokens_out)
            failed = answer is not None and answer.profile is None
            if failed if self.only_failed else answer is None:
                todo.append(prompt)
        return todo[: self.limit]

    def _count(self, store: AnswerStore) -> int:
        """Entities that have a profile."""
        return sum(
            (answer := store.answers.get(prompt.key)) is not None and answer.profile is not None
            for prompts in self.prompts.values()
            for prompt in prompts
        )

    def _publish(self, store: AnswerStore) -> None:
        if not store.answers:  # it has no result yet
            return
        for kind, prompts in self.prompts.items():
            rows = ((p.id, store.answers[p.key]) for p in prompts if p.key in store.answers)
            about = {"model": self.config.model, "dataset": self.dataset.fingerprint()}
            store.publish(kind, rows, about)

    def _report(
        self,
        store: AnswerStore,
        reused: int,
        new: int,
        started: float,
        stopped: str | None = None,
        unanswered: Sequence[tuple[Prompt, str]] = (),
    ) -> ProfileReport:
        everything = [prompt for prompts in self.prompts.values() for prompt in prompts]
        asked = {prompt.key for prompt, _ in unanswered}
        answers = [(prompt, store.answers.get(prompt.key)) for prompt in everything]
        return ProfileReport(
            model=self.config.model,
            path=self.folder,
            items=len(self.prompts.get("item", [])),
            users=len(self.prompts.get("user", [])),
            profiles=self._count(store),
            new=new,
            reused=reused,
            failed=[
                (prompt.kind, prompt.id, str(answer.reason))
                for prompt, answer in answers
                if answer is not None and answer.profile is None
            ],
            unanswered=[(prompt.kind, prompt.id, said) for prompt, said in unanswered],
            left=sum(answer is None and prompt.key not in asked for prompt, answer in answers),
            tokens_in=self.ledger.tokens_in,
            tokens_out=self.ledger.tokens_out,
            cost=self.ledger.spent,
            stopped=stopped,
            seconds=time.perf_counter() - started,
            notices=self._notices(store),
        )

    def _notices(self, store: AnswerStore) -> tuple[str, ...]:
        notices = []
        if "item" in self.prompts:
            limit, dataset = self.config.max_characters, self.dataset
            long = int((dataset.catalogue["text"].str.len_chars() > limit).sum())
            if long:
                notices.append(
                    f"{counted_noun(long, 'text is', 'texts are')} cut to {limit:,} characters (max_characters)."
                )
            silent = self._silent["item"]
            if silent:
                notices.append(
                    f"{counted_noun(silent, 'item has', 'items have')} neither title nor text."
                )
        if "user" in self.prompts:
            silent = self._silent["user"]
            if silent:
                notices.append(
                    f"{counted_noun(silent, 'user has', 'users have')} no training item with a title or text."
                )
        if store.damaged:
            notices.append(
                f"{counted_noun(store.damaged, 'damaged line')} of {store.path} passed over."
            )
        return tuple(notices)
