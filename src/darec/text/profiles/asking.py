"""Send prompts to a server: several requests at once, every answer stored immediately, and a stop if more are useless.

The client repeats requests that the server does not answer; see :class:`darec.text.endpoint.Endpoint`. A prompt without
an answer is not recorded, so the next run sends it again. If an answer has the wrong form, the prompt is sent again
together with the error. It is recorded as failed when all attempts are used.

A refusal by a content filter or by the model is the result of that prompt: it is recorded as failed, and the run
continues. Any other refusal of one request (status 400 and similar) may be caused by the prompt or by the settings. It
is attributed to the prompt as soon as the server has answered another one. Until then it is not recorded, and the next
run sends the prompt again.

The run stops when :data:`STOP_AFTER` requests in a row get no answer (the server is out of order), when the first
:data:`HOPELESS` prompts all fail (the model, the prompt or the settings do not fit), and when key, model, address or
quota are refused: immediately if nothing has been answered yet, otherwise at the second refusal in a row.
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
from darec.text.refusals import read_answer

if TYPE_CHECKING:
    from openai import AsyncOpenAI

STOP_AFTER: Final = 5
"""Number of requests in a row without an answer after which the server is considered out of order."""
HOPELESS: Final = 20
"""Number of first prompts that all fail after which no more are sent. Refusals of content do not count."""


Costs = tuple[int, int, int]
"""Numbers of tokens read, tokens written and attempts of one prompt."""


class BudgetReached(Exception):  # noqa: N818, not an error
    """No further request fits into the budget."""


class Asker:
    """Sends prompts to one server and stores the answers.

    Args:
        config: model, server, time limit and retries.
        store: where answers are stored; the caller holds its lock.
        ledger: counts tokens and checks the budget.
        proven: whether the server has answered such prompts before.

    Attributes:
        new: number of new profiles.
        kept: number of stored answers, usable or not.
        unanswered: prompts that the server did not answer, with reasons.
        out_of_budget: whether the run ended because of the budget.
    """

    def __init__(
        self, config: ProfileConfig, store: AnswerStore, ledger: Ledger, *, proven: bool = False
    ) -> None:
        self.config, self.store, self.ledger = config, store, ledger
        self.endpoint = config.endpoint()
        self.new = self.kept = 0
        self.unanswered: list[tuple[Prompt, str]] = []
        self.out_of_budget = False
        self._proven = proven
        self._kept_back: list[tuple[Prompt, str, Costs]] = []
        self._error: EndpointError | None = None
        self._silent = self._denied = self._hopeless = 0
        self._returned = asyncio.Condition()

    async def ask(self, prompts: Iterable[Prompt], advance: Callable[[int], None]) -> None:
        """Send all prompts in order.

        Args:
            prompts: the prompts.
            advance: called for every finished prompt.

        Raises:
            ConfigError: no key.
            EndpointError: further requests are useless. The requests in flight have been awaited and their answers
                stored.
        """
        queue = iter(prompts)

        async def worker() -> None:
            for prompt in queue:  # shared, so that the first free worker gets the next prompt
                await self._settle(client, prompt)
                advance(1)
                if self._error or self.out_of_budget:
                    return

        async with self.endpoint.client() as client:
            await self.endpoint.check(client)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.config.in_flight):
                        group.create_task(worker())
            except ExceptionGroup as several:  # for example, the disk is full
                raise several.exceptions[0] from None
        self.unanswered += [(prompt, said) for prompt, said, _ in self._kept_back]
        if self._error:
            raise self._error

    async def _settle(self, client: AsyncOpenAI, prompt: Prompt) -> None:
        """Send one prompt until there is a profile or all attempts have failed."""
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
            except (openai.OpenAIError, ValueError) as error:  # ValueError: no completion
                self._refused(prompt, error, (read, written, attempt))
                return
            self._take_as_proven()
            read, written = read + tokens[0], written + tokens[1]
            if completion.profile or completion.refused or attempt == self.config.attempts:
                self._keep(prompt, completion.profile, completion.reason, (read, written, attempt))
                if not (completion.profile or completion.refused):
                    self._count_as_hopeless(str(completion.reason))
                return
            body = {**body, "messages": _again(prompt, completion)}

    def _take_as_proven(self) -> None:
        """The server answers and accepts the settings, so its refusals so far were caused by the prompts."""
        self._silent = self._denied = 0
        self._proven = True
        kept_back, self._kept_back = self._kept_back, []
        for prompt, said, costs in kept_back:
            self._keep(prompt, None, said, costs)

    def _refused(self, prompt: Prompt, error: Exception, costs: Costs) -> None:
        """Record a refusal or a missing answer."""
        how_far, said = self.endpoint.judge(error, self.config.model)
        if how_far == "later":
            self.unanswered.append((prompt, said))
            self._silent += 1
            if self._silent >= STOP_AFTER:
                self._stop(
                    f"{self._silent} requests in a row got no answer, the last one: {said.rstrip('.')}. Run again "
                    "when the server works: all answers are kept."
                )
        elif how_far == "all":
            self.unanswered.append((prompt, said))
            self._denied += 1
            if self._denied > 1 or not self.kept:
                self._stop(said)
        else:
            self._silent = self._denied = 0
            if how_far == "content" or self._proven:
                self._keep(prompt, None, said, costs)
            else:
                self._kept_back.append((prompt, said, costs))
            if how_far == "one":
                self._count_as_hopeless(said)

    def _count_as_hopeless(self, said: str) -> None:
        self._hopeless += 1
        if self._hopeless >= HOPELESS and not self.new:
            self._stop(
                f"the first {self._hopeless} prompts all failed, the last one: {said.rstrip('.')}. Check the "
                "model, the prompts and the settings, then run again."
            )

    def _stop(self, said: str) -> None:
        self._error = self._error or EndpointError(said)

    def _keep(
        self, prompt: Prompt, profile: Profile | None, reason: str | None, costs: Costs
    ) -> None:
        self.new += profile is not None
        self.kept += 1
        said = self.endpoint.hide(reason) if reason else None
        self.store.add(make_answer(prompt, self.config.model, profile, said, costs))

    async def _request(
        self, client: AsyncOpenAI, prompt: Prompt, body: dict[str, Any]
    ) -> tuple[Completion, tuple[int, int]]:
        """Send one request within the budget.

        Returns the completion with its tokens, estimated if the server does not count.
        """
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
            # The body is parsed here, because the client trusts a server to send only completions.
            raw = await client.chat.completions.with_raw_response.create(
                model=body["model"], messages=body["messages"], extra_body=rest
            )
            completion = read_completion(prompt.kind, read_answer(raw.http_response.text))
            read = completion.tokens_in or self.ledger.estimate(length)
            written = completion.tokens_out or self.ledger.estimate(len(completion.content))
            self.ledger.learn(length, completion.tokens_in or 0, completion.tokens_out or 0)
            return completion, (read, written)
        finally:
            self.ledger.back(reserved, read, written)
            async with self._returned:
                self._returned.notify_all()


def make_answer(
    prompt: Prompt, model: str, profile: Profile | None, reason: str | None, costs: Costs
) -> Answer:
    """A record with the current time."""
    said = cut(reason, 300) if reason else None
    made = profile.model_dump() if profile else None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Answer(prompt.key, prompt.kind, prompt.id, model, made, said, *costs, now)


def _again(prompt: Prompt, completion: Completion) -> list[dict[str, str]]:
    """The prompt, the unusable answer and its error. An empty answer is not sent back."""
    if not completion.content.strip():
        return prompt.messages
    return [
        *prompt.messages,
        {"role": "assistant", "content": cut(completion.content, 1000)},
        {
            "role": "user",
            "content": f"This cannot be used: {completion.reason}. Answer with the JSON object of the given form "
            "and nothing else.",
        },
    ]
