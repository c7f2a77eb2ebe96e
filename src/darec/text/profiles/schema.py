"""The form of a language model's answer, and its check.

An answer is only read as JSON of one of these two forms. Unknown keys are dropped, control characters become blanks,
and long strings are cut. Even if a text in the prompt contains instructions for the model, nothing else is accepted.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from darec.data.ingest.values import one_line, words
from darec.text.profiles.extract import json_objects, mended, without_thinking

Kind = Literal["item", "user"]

_SENTENCES: Final = 1000
_WORDS: Final = 60


def cut(text: str, limit: int) -> str:
    """The text without control characters, half surrogates and runs of blanks, cut between words at ``limit``."""
    # Only the part that is kept is cleaned, because a text may have a hundred thousand words.
    clean = one_line(text[: 4 * limit].encode("utf-8", "ignore").decode())
    if len(clean) <= limit:
        return clean
    return clean[: limit + 1].rpartition(" ")[0].rstrip() or clean[:limit]


def _sentences(text: str) -> str:
    text = cut(text, _SENTENCES)
    if not text:
        raise ValueError("is empty")
    return text


def _keywords(keywords: list[str]) -> list[str]:
    short = (cut(keyword, _WORDS) for keyword in keywords)
    return list(dict.fromkeys(keyword for keyword in short if keyword))[:12]


Sentences = Annotated[str, AfterValidator(_sentences)]
Keywords = Annotated[list[str], AfterValidator(_keywords)]


class Profile(BaseModel):
    """Base class of the two forms."""

    # Servers that decode by the schema need it closed. Answers of other servers are read leniently.
    model_config = ConfigDict(
        extra="ignore", frozen=True, json_schema_extra={"additionalProperties": False}
    )

    def text(self) -> str:
        """The profile as one line, for an encoder."""
        parts = [words(value).rstrip(".") for value in self.model_dump().values()]
        return ". ".join(part for part in parts if part) + "."


class ItemProfile(Profile):
    """Profile of an item."""

    summary: Sentences = Field(description="What the item is, in one or two sentences.")
    audience: Sentences = Field(description="Who would like it and why, in one or two sentences.")
    keywords: Keywords = Field(description="Up to eight words or short phrases.")


class UserProfile(Profile):
    """Profile of a user."""

    summary: Sentences = Field(
        description="What the person tends to like, in two or three sentences."
    )
    keywords: Keywords = Field(description="Up to eight words or short phrases.")


FORMS: Final[dict[Kind, type[Profile]]] = {"item": ItemProfile, "user": UserProfile}


@functools.cache
def json_schema(kind: Kind) -> dict[str, Any]:
    """The form as a JSON schema, which is sent to the server and is part of the key of a request."""
    schema = FORMS[kind].model_json_schema()
    properties = {
        name: {key: value for key, value in field.items() if key != "title"}
        for name, field in schema["properties"].items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": schema["required"],
        "additionalProperties": False,
    }


def parse(kind: Kind, answer: str, *, whole: bool = True) -> Profile:
    """Read an answer: the last JSON object of the wanted form after the thinking.

    Args:
        kind: the form.
        answer: the output of the model.
        whole: whether the answer is complete. If it was cut off, thinking without an end has only drafts.

    Raises:
        ValueError: there is no such object; the message says what is wrong in a few words.
    """
    said, thinking = without_thinking(answer)
    problem: ValueError | None = None
    for text in (said, thinking) if whole and thinking else (said,):
        # Text that is nearly JSON is repaired only if nothing else fits, because a repair might change a string.
        for form in (text, mended(text)):
            try:
                return _last_fitting(kind, form)
            except ValueError as error:
                problem = problem or error
    assert problem is not None
    raise problem


def _last_fitting(kind: Kind, text: str) -> Profile:
    """The last object of the form, also inside others. Raises ``ValueError`` with the error of the nearest one."""
    objects, problem = json_objects(text)
    wanted = json_schema(kind)["properties"].keys()
    found: Profile | None = None
    nearest: dict[str, Any] | None = objects[-1] if objects else None
    left: list[Any] = objects[::-1]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += reversed(value)
        elif isinstance(value, dict):
            near = not wanted.isdisjoint(value)
            profile = _fitting(kind, value) if near else None
            if profile is None:
                nearest = value if near else nearest
                left += reversed(value.values())
            found = profile or found
    if found is not None:
        return found
    if nearest is not None:
        problem = _misfit(kind, nearest)
    elif problem:
        problem = f"not JSON ({problem})"
    raise ValueError(problem or f"no JSON object in {cut(text, 80)!r}")


def _fitting(kind: Kind, value: dict[str, Any]) -> Profile | None:
    form = FORMS[kind]
    if value.get("summary") == form.model_fields["summary"].description:
        return None  # the form repeated, with its own descriptions
    try:
        return form.model_validate(value)
    except ValidationError:
        return None


def _misfit(kind: Kind, value: dict[str, Any]) -> str:
    """Why an object does not have the form."""
    try:
        FORMS[kind].model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        return f"{place}: {first['msg'].removeprefix('Value error, ').lower()}"
    return "the form repeated"
