"""The vendors' batch mode: one file of requests and one file of answers, matched by keys.

A line of requests is ``{"custom_id": KEY, "method": "POST", "url": "/v1/chat/completions", "body": ...}``; a line of
answers ``{"custom_id": KEY, "response": {"status_code": 200, "body": COMPLETION}, "error": null}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from darec.errors import TextError
from darec.files import write_atomic
from darec.text.profiles.asking import make_answer
from darec.text.profiles.completion import read_completion
from darec.text.profiles.config import ProfileConfig
from darec.text.profiles.prompts import Prompt
from darec.text.profiles.store import Answer
from darec.text.sources import read_jsonl


def write_requests(path: Path, prompts: Iterable[Prompt], config: ProfileConfig) -> None:
    """Write the requests of some prompts, one on each line."""
    lines = (
        {
            "custom_id": prompt.key,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": config.request(prompt.kind, prompt.messages),
        }
        for prompt in prompts
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(json.dumps(line) + "\n" for line in lines))


def read_answers(path: Path, prompts: Mapping[str, Prompt], model: str) -> tuple[list[Answer], int]:
    """The answers of a batch.

    Args:
        path: the vendor's file of answers, or of errors.
        prompts: the current prompts, by their keys.
        model: name of the model.

    Returns:
        The answers, usable or not, and the number of lines that belong to none of the prompts.

    Raises:
        TextError: the file does not exist, or a line is not an answer.
    """
    answers, strange = [], 0
    for line, row in read_jsonl(path):
        key = row.get("custom_id")
        if not isinstance(key, str) or not ("response" in row or "error" in row):
            raise TextError(
                f"{path}, line {line}: no custom_id, or neither response nor error: give the file that the vendor "
                "sent back."
            )
        prompt = prompts.get(key)
        if prompt is None:
            strange += 1
        else:
            answers.append(_answer(prompt, row, model))
    return answers, strange


def _answer(prompt: Prompt, row: Mapping[str, Any], model: str) -> Answer:
    response = row.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    refused = row.get("error") or (body.get("error") if isinstance(body, dict) else None)
    if refused:
        said = refused.get("message", refused) if isinstance(refused, dict) else refused
        return make_answer(prompt, model, None, f"batch: {said}", (0, 0, 1))
    try:
        completion = read_completion(prompt.kind, body)
    except ValueError as error:
        return make_answer(prompt, model, None, f"batch: {error}", (0, 0, 1))
    costs = (completion.tokens_in or 0, completion.tokens_out or 0, 1)
    return make_answer(prompt, model, completion.profile, completion.reason, costs)
