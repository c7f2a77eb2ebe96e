"""Asking: so many requests in flight, answers kept as they come, and a stop as soon as asking makes no sense.

The client repeats what the server does not answer; see :class:`darec.text.endpoint.Endpoint`. What stays without an
answer is not recorded: the next run asks again. An answer of the wrong form is asked for again with what was wrong, and
recorded as failed when the attempts are used up.

What a content filter or the model refuses is that prompt's own result: recorded as failed, and asking goes on. Any
other refusal of one request (status 400 and its like) may be the prompt's doing or the settings'. It is the prompt's as
soon as the server has answered another one; until then it is kept back, and asked again by the next run.

Asking stops when :data:`STOP_AFTER` requests in a row bring no answer (the server is out of order), when the first
:data:`HOPELESS` prompts all come to nothing (model, prompt or settings do not fit), and when key, model, address or
quota are refused: at once where nothing has been answered yet, else the second time in a row.
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
"""Requests in a row that bring no answer, after which the server is taken to be out of order."""
HOPELESS: Final = 20
"""Prompts from the start that come to nothing, after which no more are asked; refusals of content do not count."""


Costs = tuple[int, int, int]
"""Tokens read, tokens written and attempts of one prompt."""


class BudgetReached(Exception):  # noqa: N818, not an error
    """Nothing more fits into the budget."""


class Asker:
    """Asks prompts of one server and keeps the answers.

    Args:
        config: model, server, patience.
        store: where answers are kept; its lock is the caller's.
        ledger: counts tokens and keeps the budget.
        proven: whether the server has answered such prompts before.

    Attributes:
        new: profiles made.
        kept: answers recorded, usable or not.
        unanswered: prompts that the server did not answer, with the reason.
        out_of_budget: whether the budget ended the asking.
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
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.config.in_flight):
                        group.create_task(worker())
            except ExceptionGroup as several:  # the disk is full, say
                raise several.exceptions[0] from None
        self.unanswered += [(prompt, said) for prompt, said, _ in self._kept_back]
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
        """The server answers and takes the settings: what it refused so far was those prompts' doing."""
        self._silent = self._denied = 0
        self._proven = True
        kept_back, self._kept_back = self._kept_back, []
        for prompt, said, costs in kept_back:
            self._keep(prompt, None, said, costs)

    def _refused(self, prompt: Prompt, error: Exception, costs: Costs) -> None:
        """Record a refusal, or that there is no answer."""
        how_far, said = self.endpoint.judge(error, self.config.model)
        if how_far == "later":
            self.unanswered.append((prompt, said))
            self._silent += 1
            if self._silent >= STOP_AFTER:
                self._stop(
                    f"{self._silent} requests in a row brought no answer, the last one: {said.rstrip('.')}. Run again "
                    "when the server is well: what is answered is kept."
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
                f"the first {self._hopeless} prompts all came to nothing, the last one: {said.rstrip('.')}. Look at "
                "the model, the prompts and the settings, then run again."
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
            # Read by ourselves: the client trusts a server to send nothing but completions.
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
    """A record of now."""
    said = cut(reason, 300) if reason else None
    made = profile.model_dump() if profile else None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Answer(prompt.key, prompt.kind, prompt.id, model, made, said, *costs, now)


def _again(prompt: Prompt, completion: Completion) -> list[dict[str, str]]:
    """The prompt, the answer that cannot be used, and what is wrong with it; an empty one is not sent back."""
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
