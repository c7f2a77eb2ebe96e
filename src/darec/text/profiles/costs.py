"""Tokens and money: what a run will cost, has cost, and may cost.

No model's tokenizer is at hand, so tokens are estimated from characters and the estimate is mended by what the server
has counted so far. Prices are the user's to give, since a list of them would be wrong within weeks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from darec.errors import ConfigError

CHARACTERS_PER_TOKEN: Final = 3.0
"""Of English it is about four; before the server has counted, rather too many tokens than too few."""
ANSWER_TOKENS: Final = 150
"""What an answer is taken to have, until there are some."""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens read and a million tokens written."""

    read: float
    written: float

    @classmethod
    def parse(cls, text: str) -> Price:
        """From ``IN:OUT``, as ``0.15:0.60``. Raises ``ConfigError``."""
        try:
            read, written = (float(part) for part in text.split(":"))
        except ValueError:
            read = written = math.nan
        if not (0 <= read < math.inf and 0 <= written < math.inf):
            raise ConfigError(
                f"--price {text!r}: write dollars for a million tokens read and written, as 0.15:0.60."
            )
        return cls(read, written)

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Dollars."""
        return (tokens_in * self.read + tokens_out * self.written) / 1e6


class Ledger:
    """Counts tokens, and says whether another request fits into the budget.

    A request is admitted if everything spent, everything that the requests in flight may still cost, and the most
    that it may cost itself stay within the budget. So the budget can be passed only by as much as the tokens of the
    prompts in flight were estimated too low.

    Args:
        price: None: money is not counted.
        budget: dollars of this run; None: without limit.
        max_tokens: of an answer, at most.

    Attributes:
        tokens_in: read so far; ``tokens_out``, written so far.
        in_flight: requests that are out.
    """

    def __init__(self, price: Price | None, budget: float | None, max_tokens: int) -> None:
        if budget is not None and price is None:
            raise ConfigError("--budget needs --price IN:OUT, dollars for a million tokens.")
        self.price, self.budget, self.max_tokens = price, budget, max_tokens
        self.tokens_in = self.tokens_out = self.in_flight = 0
        self._reserved = 0.0
        self._counted = self._characters = self._answers = self._written = 0

    @property
    def spent(self) -> float | None:
        """Dollars; None without a price."""
        return self.price.of(self.tokens_in, self.tokens_out) if self.price else None

    def learn(self, characters: int, tokens_in: int, tokens_out: int) -> None:
        """Take into the estimates what an answer had."""
        if tokens_in and tokens_out:
            self._characters += characters
            self._counted += tokens_in
            self._answers += 1
            self._written += tokens_out

    def estimate(self, characters: float) -> int:
        """Tokens of so many characters."""
        rate = self._counted / self._characters if self._counted else 1 / CHARACTERS_PER_TOKEN
        return math.ceil(characters * rate)

    @property
    def answer_tokens(self) -> float:
        """Tokens that an answer has on average."""
        return (
            self._written / self._answers if self._answers else min(ANSWER_TOKENS, self.max_tokens)
        )

    def most(self, characters: int) -> float:
        """Dollars that a request may cost."""
        return self.price.of(self.estimate(characters), self.max_tokens) if self.price else 0.0

    def fits(self, characters: int) -> bool:
        """Whether one more request may be sent."""
        if self.budget is None or self.spent is None:
            return True
        return self.spent + self._reserved + self.most(characters) <= self.budget

    def sent(self, characters: int) -> float:
        """A request is out; gives what to hand to :meth:`back`."""
        self.in_flight += 1
        most = self.most(characters)
        self._reserved += most
        return most

    def back(self, reserved: float, tokens_in: int, tokens_out: int) -> None:
        """A request is back, with what it cost."""
        self.in_flight -= 1
        self._reserved = self._reserved - reserved if self.in_flight else 0.0
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
