"""What a language model is asked to answer, and how its answer is checked.

An answer is only ever read as JSON of one of these two forms: unknown keys are dropped, control characters become
blanks, and long strings are cut. Whatever a text smuggled into the prompt makes a model say, nothing else comes out.
"""

from __future__ import annotations

import functools
import json
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from darec.data.ingest.template import words

Kind = Literal["item", "user"]

ANSWER_CHARACTERS: Final = 20_000
"""A longer answer is not even parsed."""
_SENTENCES: Final = 1000
_WORDS: Final = 60


def cut(text: str, limit: int) -> str:
    """The text without control characters, half surrogates and runs of blanks, cut between words at ``limit``."""
    # Only so much is cleaned as can be kept: a text may have a hundred thousand words.
    clean = words(text[: 4 * limit].encode("utf-8", "ignore").decode())
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
    """Base of the two forms."""

    # Servers that decode by the schema want it closed; what comes from the others is read leniently.
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
    """The form as JSON schema: what the server is sent, part of what a request is known by."""
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


def parse(kind: Kind, answer: str) -> Profile:
    """Read an answer; a fence or prose around the JSON object is passed over.

    Raises:
        ValueError: no such JSON in it; the message says what is wrong, in a few words.
    """
    if len(answer) > ANSWER_CHARACTERS:
        raise ValueError(f"the answer has {len(answer):,} characters")
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0 or end < start:
        raise ValueError(f"no JSON object in {cut(answer, 80)!r}")
    try:
        value = json.loads(answer[start : end + 1])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    try:
        return FORMS[kind].model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise ValueError(f"{place}: {first['msg'].removeprefix('Value error, ').lower()}") from None
