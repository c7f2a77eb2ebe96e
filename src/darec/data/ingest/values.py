"""Reads single values, each by its own type and not by the other values of its column."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

_BLANKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")
# Characters without a glyph that turn the direction of writing or mark a file's beginning.
_UNSEEN: Final = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_ENTITY: Final = re.compile(
    r"&(?:amp;|#38;)*(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
)
_UNSPOKEN: Final = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style)\b[^<>]*>(?:(?!</?(?:script|style)\b).)*</\1\s*>",
    re.I | re.S,
)
# Elements of HTML in texts of shops. Other words in angle brackets stay: a title may hold "List<String>".
_TAG: Final = re.compile(
    r"</?(?:a|abbr|article|b|big|blockquote|body|br|button|caption|center|cite|code|dd|del|div|dl|dt|em|embed|figure|"
    r"font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|li|link|main|meta|nav|object|ol|p|param|pre|"
    r"section|small|source|span|strike|strong|style|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|video|wbr)"
    r"(?:\s[^<>]*)?/?>",
    re.I,
)


def scalar(value: Any) -> str | None:
    """Return a single value as text, or None if it is missing: null, NaN or infinite.

    Text is not changed, whole numbers have no decimal point, and a truth value is ``true`` or ``false``.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        number = float(value)
        if not math.isfinite(number):
            return None
        return str(int(number)) if abs(number) < 2**53 and number.is_integer() else str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def words(value: Any) -> str:
    """Return a field's value as one line of text, empty if it is missing.

    Lists have commas between their parts, and mappings have each key before its value. HTML is removed: elements become
    blanks and ``&amp;`` becomes ``&``.
    """
    if isinstance(value, Mapping):
        pairs = ((words(key), words(part)) for key, part in value.items())
        return ", ".join(f"{key}: {part}" for key, part in pairs if part)
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(word for word in map(words, value) if word)
    text = scalar(value) or ""
    for _ in range(10):  # text that was escaped twice is plain after the second time
        plain = one_line(_without_html(text))
        if plain == text:
            break
        text = plain
    return text


def one_line(text: str) -> str:
    """Return the text without invisible characters; each run of blanks and control characters is one blank."""
    return _BLANKS.sub(" ", _UNSEEN.sub("", text)).strip()


def _without_html(text: str) -> str:
    if "&" not in text and "<" not in text:
        return text
    return _TAG.sub(" ", _UNSPOKEN.sub(" ", _ENTITY.sub(_character, text)))


def _character(entity: re.Match[str]) -> str:
    return html.unescape(f"&{entity[1]};")
