"""What a chat completion holds, whoever brought it: a server just now, or a file of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from darec.text.profiles.schema import Kind, Profile, parse

_CUT: Final = "cut off at max_tokens"


@dataclass(frozen=True)
class Completion:
    """One answer of a model.

    Attributes:
        content: its words; None where there are none.
        reason: why it cannot be used; None where it can.
        profile: what it says, in the form asked for; None where it cannot be used.
        tokens_in: tokens of the prompt, as the server counts them; None where it does not say.
        tokens_out: tokens of the answer, likewise.
    """

    content: str | None
    reason: str | None
    profile: Profile | None
    tokens_in: int | None
    tokens_out: int | None


def read_completion(kind: Kind, body: Any) -> Completion:
    """Check a completion, trusting nothing in it. Raises ``ValueError`` if it is no completion at all."""
    usage = _get(body, "usage")
    tokens = (_count(_get(usage, "prompt_tokens")), _count(_get(usage, "completion_tokens")))
    choices = _get(body, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = _get(choice, "message")
    content = _get(message, "content")
    refusal, ended = _get(message, "refusal"), _get(choice, "finish_reason")
    if refusal:
        return Completion(None, f"the model refuses: {refusal}", None, *tokens)
    if ended == "content_filter":
        return Completion(None, "stopped by the server's content filter", None, *tokens)
    if not isinstance(content, str):
        if ended == "length":  # a model that thinks aloud may have got no further
            return Completion(None, _CUT, None, *tokens)
        raise ValueError("no chat completion in it")
    try:
        return Completion(content, None, parse(kind, content), *tokens)
    except ValueError as error:
        reason = _CUT if ended == "length" else str(error)
        return Completion(content, reason, None, *tokens)


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
