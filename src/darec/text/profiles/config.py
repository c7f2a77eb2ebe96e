"""Settings of a set of profiles, and the request that is built from them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from darec.errors import ConfigError
from darec.settings import Settings, validated
from darec.text.endpoint import Endpoint
from darec.text.profiles.schema import Kind, json_schema

_LENGTHS = ("max_tokens", "max_completion_tokens")


class ProfileConfig(Settings):
    """Settings of :func:`darec.text.profiles.profile_dataset`."""

    model: str = Field(min_length=1)
    """Name of the model on the server."""
    base_url: str | None = Field(None, repr=False)
    """Address of the server, up to and including ``/v1``. With null, ``OPENAI_BASE_URL`` from the environment, or
    OpenAI."""
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable with the API key."""
    item_template: Path | None = None
    """Jinja2 template of the items' prompts; null is the built-in one."""
    user_template: Path | None = None
    """Jinja2 template of the users' prompts; null is the built-in one."""
    reviews: Path | None = None
    """JSONL file with ``user_id``, ``item_id`` and ``text`` of reviews. Only reviews of training pairs are used."""
    max_characters: int = Field(4000, ge=1)
    """Largest number of characters of an item's text; longer texts are cut."""
    max_items: int = Field(20, ge=1)
    """Largest number of training items of a user in a prompt, drawn by a hash."""
    max_item_characters: int = Field(300, ge=1)
    """Largest number of characters of each of these items, and of a review."""
    max_tokens: int = Field(500, ge=1)
    """Largest number of tokens of an answer."""
    temperature: float = Field(0.0, ge=0)
    """Sampling temperature of the answers."""
    json_mode: Literal["schema", "object", "none"] = "schema"
    """How the server is made to answer in JSON: by the schema, by ``json_object``, or not at all. All answers are
    checked."""
    body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request. The value null removes a field, such as ``temperature`` for models that refuse
    it."""
    in_flight: int = Field(8, ge=1)
    """Number of requests sent at the same time."""
    timeout: float = Field(120.0, gt=0)
    """Longest time without a byte from the server, in seconds."""
    retries: int = Field(6, ge=0)
    """Number of retries of a request that the server does not answer (see :class:`darec.text.endpoint.Endpoint`)."""
    attempts: int = Field(3, ge=1)
    """Largest number of times a prompt is sent until its answer has the right form."""

    def endpoint(self) -> Endpoint:
        """The server."""
        return Endpoint(self.base_url, self.key_env, self.timeout, self.retries)

    def request(self, kind: Kind, messages: list[dict[str, str]]) -> dict[str, Any]:
        """The body of a request."""
        form: dict[str, Any] = {"type": "json_object"}
        if self.json_mode == "schema":
            schema = {"name": f"{kind}_profile", "strict": True, "schema": json_schema(kind)}
            form = {"type": "json_schema", "json_schema": schema}
        body = {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            **({} if self.json_mode == "none" else {"response_format": form}),
            **self.body,
        }
        return {name: value for name, value in body.items() if value is not None}

    def key(self, kind: Kind, messages: list[dict[str, str]]) -> str:
        """The key of a request: SHA-256 of everything in it, except the largest length of the answer."""
        body = self.request(kind, messages)
        asked = {
            name: value
            for name, value in body.items()
            if name not in (*_LENGTHS, "response_format")
        }
        facts = json.dumps([asked, json_schema(kind)], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()

    def folder_name(self, name: str | None) -> str:
        """Name of the set's folder: the given one, or one made from the model's name. Raises ``ConfigError``."""
        if name is None:
            end = re.sub(r"[^A-Za-z0-9_-]+", "-", self.model.rpartition("/")[2]).strip("-")[:60]
            return end if end == self.model else f"{end}-{_short(self.model)}".strip("-")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name):
            raise ConfigError(f"--name {name!r}: use letters, digits, '.', '_' and '-'.")
        return name


def make_config(settings: Mapping[str, Any]) -> ProfileConfig:
    """Validate settings. Raises ``ConfigError`` that names the first invalid one."""
    return validated(ProfileConfig, settings)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
