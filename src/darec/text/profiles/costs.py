"""Tokens and money: the expected, actual and largest cost of a run.

There is no tokenizer of the model, so tokens are estimated from characters, and the estimate is corrected by the counts
of the server. The user gives the prices, because a list of them would be wrong within weeks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from darec.errors import ConfigError

CHARACTERS_PER_TOKEN: Final = 3.0
"""Characters per token. English has about four; a smaller number estimates too many tokens rather than too few."""
ANSWER_TOKENS: Final = 150
"""Assumed number of tokens of an answer, until there are answers."""


@dataclass(frozen=True)
class Price:
    """Price in US dollars per million tokens read and per million tokens written."""

    read: float
    written: float

    @classmethod
    def parse(cls, text: str) -> Price:
        """Parse ``IN:OUT``, such as ``0.15:0.60``. Raises ``ConfigError``."""
        try:
            read, written = (float(part) for part in text.split(":"))
        except ValueError:
            read = written = math.nan
        if not (0 <= read < math.inf and 0 <= written < math.inf):
            raise ConfigError(
                f"--price {text!r}: write dollars per million tokens read and written, such as 0.15:0.60."
            )
        return cls(read, written)

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Dollars."""
        return (tokens_in * self.read + tokens_out * self.written) / 1e6


class Ledger:
    """Counts tokens, and decides whether another request fits into the budget.

    A request is admitted if the money spent, the largest cost of the requests in flight and the largest cost of the
    request together stay within the budget. The budget can therefore be exceeded only if the tokens of the prompts in
    flight were estimated too low, and only by that amount.

    Args:
        price: the price; with None, money is not counted.
        budget: most dollars of this run; None is no limit.
        max_tokens: largest number of tokens of an answer.

    Attributes:
        tokens_in: number of tokens read so far; ``tokens_out``: number of tokens written so far.
        in_flight: number of requests that are not answered yet.
    """

    def __init__(self, price: Price | None, budget: float | None, max_tokens: int) -> None:
        if budget is not None and price is None:
            raise ConfigError("--budget needs --price IN:OUT, in dollars per million tokens.")
        self.price, self.budget, self.max_tokens = price, budget, max_tokens
        self.tokens_in = self.tokens_out = self.in_flight = 0
        self._reserved = 0.0
        self._counted = self._characters = self._answers = self._written = 0

    @property
    def spent(self) -> float | None:
        """Dollars; None without a price."""
        return self.price.of(self.tokens_in, self.tokens_out) if self.price else None

    def learn(self, characters: int, tokens_in: int, tokens_out: int) -> None:
        """Update the estimates with the tokens of an answer."""
        if tokens_in and tokens_out:
            self._characters += characters
            self._counted += tokens_in
            self._answers += 1
            self._written += tokens_out

    def estimate(self, characters: float) -> int:
        """Estimated number of tokens of a number of characters."""
        rate = self._counted / self._characters if self._counted else 1 / CHARACTERS_PER_TOKEN
        return math.ceil(characters * rate)

    @property
    def answer_tokens(self) -> float:
        """Average number of tokens of an answer."""
        return (
            self._written / self._answers if self._answers else min(ANSWER_TOKENS, self.max_tokens)
        )

    def most(self, characters: int) -> float:
        """Largest cost of a request in dollars."""
        return self.price.of(self.estimate(characters), self.max_tokens) if self.price else 0.0

    def fits(self, characters: int) -> bool:
        """Whether one more request may be sent."""
        if self.budget is None or self.spent is None:
            return True
        return self.spent + self._reserved + self.most(characters) <= self.budget

    def sent(self, characters: int) -> float:
        """Note that a request was sent. Returns the value for :meth:`back`."""
        self.in_flight += 1
        most = self.most(characters)
        self._reserved += most
        return most

    def back(self, reserved: float, tokens_in: int, tokens_out: int) -> None:
        """Note that a request was answered, with its cost."""
        self.in_flight -= 1
        self._reserved = self._reserved - reserved if self.in_flight else 0.0
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
