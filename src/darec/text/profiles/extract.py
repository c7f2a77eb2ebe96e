"""Find JSON objects in the output of a language model: after its thinking, among prose and fences.

Models think aloud before they answer, put fences and prose with braces around the answer, answer twice, wrap the object
in a list or in another object, and write Python instead of JSON. All of this is skipped or repaired here.
:mod:`darec.text.profiles.schema` decides whether an object has the wanted form.

The time is linear in the length of any text.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_END: Final = 1_000_000
"""Number of characters that are searched, from the end, because the answer comes last."""
_WORK: Final = 20
"""Number of characters that may be read after braces that begin no object, as a multiple of the text's length."""

_NAMES: Final = "(?:seed:)?(?:think|thinking|thoughts?|reasoning|reflection|analysis)"
_TAG: Final = re.compile(
    rf"(?P<open><{_NAMES}\b[^<>]*>|\[THINK\]|◁think▷|<\|begin_of_thought\|>"
    r"|<\|channel\|>\s*(?:analysis|commentary)\b)"
    rf"|</{_NAMES}\s*>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>"
    r"|<\|channel\|>\s*final\b[^<{]*(?:<\|constrain\|>[^<{]*)?<\|message\|>",
    re.IGNORECASE,
)
"""Markers of the beginning and the end of thinking: tags of DeepSeek, Qwen, Seed, Magistral and Kimi; channels of
Harmony (gpt-oss)."""
_OPENING: Final = re.compile(r'\{(?=\s*["}])')
_TRAILING_COMMA: Final = re.compile(r",(?=\s*[}\]])")
_PYTHON: Final = re.compile(r"\{\s*'")
_PYTHON_TOKEN: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|\b(?:None|True|False)\b', re.DOTALL
)
_WORDS: Final = {"None": "null", "True": "true", "False": "false"}


def without_thinking(text: str) -> tuple[str, str]:
    """Separate a model's answer from its thinking.

    If thinking is closed but was never opened, it began in the prompt, and is everything before the end marker.

    Returns:
        The text outside of thinking, and thinking at the end that was never closed.
    """
    text = text[-_END:]
    said: list[str] = []
    thinking, start = False, 0
    for tag in _TAG.finditer(text):
        if tag["open"] is None:
            if not thinking:
                said.clear()
            thinking, start = False, tag.end()
        elif not thinking:
            said.append(text[start : tag.start()])
            thinking, start = True, tag.end()
    rest = text[start:]
    return ("".join(said), rest) if thinking else ("".join([*said, rest]), "")


def json_objects(text: str) -> tuple[list[dict[str, Any]], str]:
    """The JSON objects in a text, in order, without those inside other objects.

    Returns:
        The objects, and the error after the first brace that begins no object; empty if there is no such brace.
    """
    decoder = json.JSONDecoder(strict=False)  # line breaks in strings are common and harmless
    objects: list[dict[str, Any]] = []
    work, position, problem = _WORK * len(text), 0, ""
    while work >= 0 and (opening := _OPENING.search(text, position)):
        start = opening.start()
        try:
            value, position = decoder.raw_decode(text, start)
            objects.append(value)
        except (ValueError, RecursionError) as error:
            problem = problem or str(error)
            position = start + 1
            reached = getattr(error, "pos", len(text))
            work -= reached - start + reached // 16  # the error counts the lines before it
    return objects, problem


def mended(text: str) -> str:
    """Repair text that is nearly JSON: Python's quotes and names, escaped quotes, trailing commas."""
    python = _PYTHON.search(text)
    if python:
        text = _PYTHON_TOKEN.sub(_as_json, text[python.start() :])
    elif '{\\"' in text:
        text = re.sub(r"\\([\"\\])", r"\1", text)
    return _TRAILING_COMMA.sub("", text)


def _as_json(token: re.Match[str]) -> str:
    text = token[0]
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith('"'):
        return text
    inner = re.sub(
        r"\\(.)|\"",
        lambda m: "'" if m[1] == "'" else m[0] if m[1] else '\\"',
        text[1:-1],
        flags=re.S,
    )
    return f'"{inner}"'
