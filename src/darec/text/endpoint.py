"""An OpenAI-compatible server (OpenAI, vLLM, Ollama, llama.cpp, TGI, ...), by the official client.

The key is read from the environment when the client is made. It is kept in the client alone, and taken out of every
message of the server's before that is shown or stored.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from darec.data.ingest.template import words
from darec.errors import ConfigError, EndpointError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

OPENAI: Final = "https://api.openai.com/v1"
INSTALL: Final = "pip install 'darec[llm]'"

Trouble = Literal["all", "one", "later"]
"""Whether nothing will work, this request never will, or the server did not answer this time."""


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and how patiently.

    Attributes:
        base_url: up to and with ``/v1``; None: the environment's ``OPENAI_BASE_URL``, else OpenAI's.
        key_env: name of the environment variable that holds the key.
        timeout: seconds without a byte from the server.
        retries: after 408, 409, 429, 5xx, time-outs and cut connections: half a second, then twice as long each time
            up to eight seconds, less up to a quarter at random; or as long as the server says in Retry-After, up to
            two minutes.
    """

    base_url: str | None = None
    key_env: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    retries: int = 6

    @property
    def url(self) -> str:
        """The base URL in force. Raises ``ConfigError`` if it is none."""
        url = self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
            parts.port  # noqa: B018, a port that is none raises
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError(f"base URL {_bare(url)!r}: write it as http://127.0.0.1:8000/v1.")
        return url

    def client(self) -> AsyncOpenAI:
        """A client, to be used as an asynchronous context.

        Raises:
            ConfigError: the ``llm`` extra is missing, there is no key, or it cannot be one.
        """
        if importlib.util.find_spec("openai") is None:
            raise ConfigError(f"this needs openai: {INSTALL}")
        from openai import AsyncOpenAI

        key = self._key()
        if not key and urlsplit(self.url).hostname == urlsplit(OPENAI).hostname:
            raise ConfigError(
                f"no key: set {self.key_env} in the environment, or name another variable with --key-env "
                "(servers of your own, named with --base-url, need none)."
            )
        return AsyncOpenAI(
            api_key=key or "none",
            base_url=self.url,
            timeout=self.timeout,
            max_retries=self.retries,
        )

    async def check(self, client: AsyncOpenAI) -> None:
        """Ask for the list of models, so that a wrong host or key is found before the first prompt.

        Raises:
            EndpointError: nothing listens there, or the key is refused. Other refusals say nothing: not every server
                has such a list.
        """
        import openai

        try:
            await client.with_options(max_retries=0, timeout=min(self.timeout, 10)).models.list()
        except openai.APITimeoutError:
            return
        except (openai.APIConnectionError, openai.AuthenticationError) as error:
            raise EndpointError(self.judge(error, "")[1]) from None
        except (openai.OpenAIError, ValueError, TypeError, AttributeError):
            return

    def judge(self, error: Exception, model: str) -> tuple[Trouble, str]:
        """How far an error of the client's reaches, and what to say of it."""
        import openai

        place = _bare(self.url)
        if isinstance(error, openai.APITimeoutError):
            return "later", f"no answer within {self.timeout:g} seconds"
        if isinstance(error, openai.APIConnectionError):
            cause = error.__cause__ or error
            return (
                "later",
                f"cannot reach {place} ({self._said(cause)}): check --base-url and the server.",
            )
        if isinstance(error, openai.APIStatusError):
            status, said = error.status_code, self._said(error)
            if status in (401, 403):
                return "all", f"{place} refuses the key in {self.key_env} ({status}: {said})."
            if status == 404:
                return "all", f"{place} has no model {model!r}, or no such service (404: {said})."
            if error.code == "insufficient_quota":
                return "all", f"the quota at {place} is used up ({said})."
            if status in (400, 422) and ("response_format" in said or "json_schema" in said):
                return (
                    "all",
                    f"{place} cannot answer by schema ({said}): pass --json=object or --json=none.",
                )
            if status in (408, 409, 429) or status >= 500:
                return "later", f"{status}: {said}"
            return "one", f"refused, {status}: {said}"
        return "later", f"the answer cannot be read ({self._said(error)})"

    def hide(self, text: str) -> str:
        """The text without the key."""
        key = self._key()
        return text.replace(key, "***") if len(key) > 3 else text

    def _said(self, error: BaseException) -> str:
        """The message in one short line."""
        body = getattr(error, "body", None)
        said = body.get("message") if isinstance(body, dict) else None
        line = words(self.hide(str(said or error) or type(error).__name__)).rstrip(".")
        return line if len(line) <= 200 else line[:200] + " ..."

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(f"{self.key_env} holds characters that no key has: set it again.")
        return key


def _bare(url: str) -> str:
    """A URL without user, password and query."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return url.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else url.rpartition("@")[2]


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result, also where a loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[T] = []
    trouble: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return outcome[0]
