"""Refusals of a server, and their meaning for the other requests."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

Reach = Literal["all", "one", "content", "later"]
"""The extent of a refusal.

- ``all``: no request will work: the key, the address, the model, the quota or a setting is refused.
- ``one``: this request will never be answered; others may be.
- ``content``: a content filter refuses the content of this request; others will be answered.
- ``later``: the server did not answer this time.
"""

_LATER: Final = (408, 409, 425, 429)
_ALL: Final = (401, 402, 403, 404, 405)
_SETTING: Final = ("unsupported_parameter", "unsupported_value", "unknown_parameter")
_FILTERS: Final = (400, 403, 422, 451, None)
"""Statuses of refusals by content filters; None is an error instead of a completion, without a status."""
_CONTENT: Final = re.compile(
    r"content.{0,3}(filter|polic|management|moderation|violat)|responsible.?ai|moderation|flagged|invalid_prompt"
    r"|data_inspection|inappropriate|usage polic|safety|prohibited.content|harmful|high risk|sensitive content|敏感",
    re.IGNORECASE,
)
"""Words in the messages of the filters of OpenAI, Azure, OpenRouter, Mistral, Gemini, DashScope, Moonshot and Zhipu."""
_ACCOUNT: Final = re.compile(r"\b(account|organi[sz]ation|api key|subscription)\b", re.IGNORECASE)


class BodyError(ValueError):
    """An error that was sent with status 200 instead of an answer, as some proxies do.

    Attributes:
        status: the HTTP status that it names; None if it names none.
        code: its code; empty if it has none.
    """

    def __init__(self, error: Any) -> None:
        fields = error if isinstance(error, dict) else {"message": error}
        code = fields.get("code") or fields.get("status") or ""
        super().__init__(str(fields.get("message") or code or "no reason given"))
        digits = str(code)
        self.status = int(digits) if re.fullmatch("[45][0-9][0-9]", digits) else None
        self.code = "" if self.status else digits


def read_answer(text: str) -> Any:
    """The body of a response with status 200, as JSON.

    Raises:
        BodyError: it is an object with an error and no useful content.
        ValueError: it is not JSON; the message has its first words.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"not JSON but {' '.join(text[:60].split())!r}") from None
    if (
        isinstance(body, dict)
        and body.get("error")
        and not (body.get("choices") or body.get("data"))
    ):
        raise BodyError(body["error"])
    return body


def reach(status: int | None, code: str, message: str) -> Reach:
    """The extent of a refusal.

    Args:
        status: HTTP status; None if there was none.
        code: code of the error, as OpenAI names them; empty if there is none.
        message: message of the error.
    """
    if code == "insufficient_quota" or code in _SETTING:
        return "all"
    if status in _FILTERS and _CONTENT.search(f"{code} {message}") and not _ACCOUNT.search(message):
        return "content"
    if status is None or status in _LATER or status >= 500:
        return "later"
    if status in _ALL:
        return "all"
    if status in (400, 422) and re.search("response_format|json_schema", message):
        return "all"
    return "one"
