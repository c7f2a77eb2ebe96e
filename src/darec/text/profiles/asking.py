"""Asking: so many requests in flight, answers kept as they come, and a stop as soon as asking makes no sense.

The client repeats what the server does not answer; see :class:`darec.text.endpoint.Endpoint`. What stays without an
answer is not recorded: the next run asks again. An answer of the wrong form is asked for again with what was wrong, and
recorded as failed when the attempts are used up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from darec.errors import EndpointError
from darec.text.profiles.completion import Completion, read_completion
from darec.text.profiles.config import ProfileConfig
from darec.text.profiles.costs import Ledger
from darec.text.profiles.prompts import Prompt
from darec.text.profiles.schema import Profile, cut
from darec.text.profiles.store import Answer, AnswerStore

if TYPE_CHECKING:
    from openai import AsyncOpenAI

STOP_AFTER: Final = 5
"""Requests in a row that bring no answer, after which the server is taken to be out of order."""


class BudgetReached(Exception):  # noqa: N818, not an error
    """Nothing more fits into the budget."""


class Asker:
    """Asks prompts of one server and keeps the answers.

    Args:
        config: model, server, patience.
        store: where answers are kept; its lock is the caller's.
        ledger: counts tokens and keeps the budget.

    Attributes:
        new: profiles made.
        unanswered: prompts that the server did not answer, with the reason.
        out_of_budget: whether the budget ended the asking.
    """

    def __init__(self, config: ProfileConfig, store: AnswerStore, ledger: Ledger) -> None:
        self.config, self.store, self.ledger = config, store, ledger
        self.endpoint = config.endpoint()
        self.new = 0
        self.unanswered: list[tuple[Prompt, str]] = []
        self.out_of_budget = False
        self._error: EndpointError | None = None
        self._in_a_row = 0
        self._returned = asyncio.Condition()

    async def ask(self, prompts: Iterable[Prompt], advance: Callable[[int], None]) -> None:
        """Ask them all, in order.

        Args:
            prompts: what to ask.
            advance: told of every prompt that is done with.

        Raises:
            ConfigError: no key.
            EndpointError: asking makes no sense. What was in flight has been waited for and kept.
        """
        queue = iter(prompts)

        async def worker() -> None:
            for prompt in queue:  # shared: each prompt goes to whoever is free first
                await self._settle(client, prompt)
                advance(1)
                if self._error or self.out_of_budget:
                    return

        async with self.endpoint.client() as client:
            await self.endpoint.check(client)
            async with asyncio.TaskGroup() as group:
                for _ in range(self.config.in_flight):
                    group.create_task(worker())
        if self._error:
            raise self._error

    async def _settle(self, client: AsyncOpenAI, prompt: Prompt) -> None:
        """One prompt, until there is a profile or no hope of one."""
        import openai

        body = self.config.request(prompt.kind, prompt.messages)
        read = written = 0
        for attempt in range(1, self.config.attempts + 1):
            if self._error or self.out_of_budget:
                return
            try:
                completion, tokens = await self._request(client, prompt, body)
            except BudgetReached:
                self.out_of_budget = True
                return
            except (
                openai.OpenAIError,
                ValueError,
            ) as error:  # ValueError: no JSON, or no completion
                trouble, said = self.endpoint.judge(error, self.config.model)
                if trouble == "one":
                    self._keep(prompt, None, said, (read, written, attempt))
                    self._count_in_a_row(said)
                else:
                    self._no_answer(prompt, said, stop=trouble == "all")
                return
            self._in_a_row = 0
            read, written = read + tokens[0], written + tokens[1]
            done = completion.profile is not None or completion.content is None
            if done or attempt == self.config.attempts:
                self._keep(prompt, completion.profile, completion.reason, (read, written, attempt))
                return
            body = {**body, "messages": _again(prompt, completion)}

    def _keep(
        self,
        prompt: Prompt,
        profile: Profile | None,
        reason: str | None,
        costs: tuple[int, int, int],
    ) -> None:
        self.new += profile is not None
        said = self.endpoint.hide(reason) if reason else None
        self.store.add(make_answer(prompt, self.config.model, profile, said, costs))

    async def _request(
        self, client: AsyncOpenAI, prompt: Prompt, body: dict[str, Any]
    ) -> tuple[Completion, tuple[int, int]]:
        """One request within the budget; the completion with its tokens, estimated where the server is silent."""
        length = sum(len(message["content"]) for message in body["messages"])
        async with self._returned:
            while not self.ledger.fits(length):
                if not self.ledger.in_flight or self.out_of_budget:
                    self._returned.notify_all()
                    raise BudgetReached
                await self._returned.wait()
            reserved = self.ledger.sent(length)
        read = written = 0
        try:
            rest = {k: v for k, v in body.items() if k not in ("model", "messages")}
            response: Any = await client.chat.completions.create(
                model=body["model"], messages=body["messages"], extra_body=rest
            )
            # A server that sends something else than a completion makes the client give something else.
            answer = response.model_dump() if hasattr(response, "model_dump") else response
            completion = read_completion(prompt.kind, answer)
            read = completion.tokens_in or self.ledger.estimate(length)
            written = completion.tokens_out or self.ledger.estimate(len(completion.content or ""))
            self.ledger.learn(length, completion.tokens_in or 0, completion.tokens_out or 0)
            return completion, (read, written)
        finally:
            self.ledger.back(reserved, read, written)
            async with self._returned:
                self._returned.notify_all()

    def _no_answer(self, prompt: Prompt, said: str, *, stop: bool) -> None:
        self.unanswered.append((prompt, said))
        if stop:
            self._error = self._error or EndpointError(said)
        else:
            self._count_in_a_row(said)

    def _count_in_a_row(self, said: str) -> None:
        self._in_a_row += 1
        if self._in_a_row >= STOP_AFTER and not self._error:
            self._error = EndpointError(
                f"{self._in_a_row} requests in a row brought no answer, the last one: {said.rstrip('.')}. "
                "Run again when the server is well: what is answered is kept."
            )


def make_answer(
    prompt: Prompt,
    model: str,
    profile: Profile | None,
    reason: str | None,
    costs: tuple[int, int, int],
) -> Answer:
    """A record of now; ``costs`` are tokens read, tokens written and attempts."""
    said = cut(reason, 300) if reason else None
    made = profile.model_dump() if profile else None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Answer(prompt.key, prompt.kind, prompt.id, model, made, said, *costs, now)


def _again(prompt: Prompt, completion: Completion) -> list[dict[str, str]]:
    """The prompt, the answer that cannot be used, and what is wrong with it."""
    return [
        *prompt.messages,
        {"role": "assistant", "content": cut(completion.content or "", 1000)},
        {
            "role": "user",
            "content": f"This cannot be used: {completion.reason}. Answer with the JSON object of the given form "
            "and nothing else.",
        },
    ]
