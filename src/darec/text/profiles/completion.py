"""Check a chat completion, which comes from a server or from a batch file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from darec.text.profiles.schema import Kind, Profile, parse

_CUT: Final = "cut off at max_tokens"
_FILTERED: Final = ("content_filter", "safety", "refusal", "prohibited", "blocklist", "sensitive")
"""Prefixes of the finish reasons of answers that a content filter stopped."""


@dataclass(frozen=True)
class Completion:
    """One answer of a model.

    Attributes:
        content: its text; may be empty.
        reason: why it cannot be used; None if it can.
        profile: the parsed profile; None if the answer cannot be used.
        refused: whether the model or a content filter refuses, so that it is useless to send the prompt again.
        tokens_in: number of tokens of the prompt, as counted by the server; None if it does not count.
        tokens_out: number of tokens of the answer; None if the server does not count.
    """

    content: str
    reason: str | None
    profile: Profile | None
    refused: bool
    tokens_in: int | None
    tokens_out: int | None


def read_completion(kind: Kind, body: Any) -> Completion:
    """Check a completion without trusting its content. Raises ``ValueError`` if it is not a completion."""
    usage, choices = _get(body, "usage"), _get(body, "choices")
    tokens = (_count(_get(usage, "prompt_tokens")), _count(_get(usage, "completion_tokens")))
    if not isinstance(choices, list):
        raise ValueError("no chat completion in it")
    choice = choices[0] if choices else None
    message = _get(choice, "message")
    refusal, ended = _get(message, "refusal"), str(_get(choice, "finish_reason") or "").lower()
    if refusal:
        return Completion("", f"the model refuses: {refusal}", None, True, *tokens)
    if ended.startswith(_FILTERED):
        said = "stopped by the server's content filter"
        return Completion("", said, None, True, *tokens)
    content = _words(_get(message, "content"))
    if not content.strip() and ended != "length":
        # Some servers treat the whole answer of a model without thinking as its thinking.
        content = _words(_get(message, "reasoning_content") or _get(message, "reasoning"))
    try:
        profile = parse(kind, content, whole=ended != "length")
    except ValueError as error:
        reason = _CUT if ended == "length" else str(error) if content.strip() else "empty answer"
        return Completion(content, reason, None, False, *tokens)
    return Completion(content, None, profile, False, *tokens)


def _words(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts. Parts of thinking are ignored."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part if isinstance(part, str) else _get(part, "text") for part in parts]
    return "".join(text for text in texts if isinstance(text, str))


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
