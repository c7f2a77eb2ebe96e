"""An OpenAI-compatible server (OpenAI, vLLM, Ollama, llama.cpp, TGI, ...), used through the official client.

The key is read from the environment when the client is made. Only the client has it. It is removed from every message
of the server before that message is shown or stored. The same holds for user, password and query of the base URL.
"""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from darec.data.ingest.values import one_line
from darec.errors import ConfigError, EndpointError
from darec.text.refusals import BodyError, Reach, reach
from darec.urls import quiet_logs, without_credentials

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

OPENAI: Final = "https://api.openai.com/v1"
INSTALL: Final = "pip install 'darec[llm]'"


@dataclass(frozen=True)
class Endpoint:
    """Address of the server, time limit and retries.

    Attributes:
        base_url: address up to and including ``/v1``. With None, ``OPENAI_BASE_URL`` from the environment, or OpenAI. A
            user and a password in it are sent instead of a key, and a query is sent with every request.
        key_env: name of the environment variable that holds the key.
        timeout: longest time without a byte from the server, in seconds.
        retries: number of retries after 408, 409, 429, 5xx, time-outs and lost connections. The waiting time is half a
            second, then twice as long each time up to eight seconds, less a random part of up to a quarter; or the time
            that the server gives in Retry-After, up to two minutes.
    """

    base_url: str | None = field(default=None, repr=False)
    key_env: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    retries: int = 6

    @property
    def url(self) -> str:
        """The base URL in use, with its credentials. Raises ``ConfigError`` if it is not a URL."""
        environment = os.environ.get("OPENAI_BASE_URL")
        url = self.base_url or environment or OPENAI
        if environment and url == without_credentials(environment):
            url = environment  # a stored URL has no credentials
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
            outside = url.partition(parts.netloc)[2]
            parts.port  # noqa: B018, a port that is none raises
        except ValueError:
            usable, outside = False, url.partition("://")[2].partition("/")[2]
        scheme = "" if "://" in url else "http://"
        shown = without_credentials(scheme + url).removeprefix(scheme)
        if "@" in outside:
            raise ConfigError(
                f"base URL {shown!r}: write '@' in a password or path as %40, '/' as %2F."
            )
        if not usable:
            raise ConfigError(f"base URL {shown!r}: write it as http://127.0.0.1:8000/v1.")
        return url

    def client(self) -> AsyncOpenAI:
        """A client, to be used as an asynchronous context manager.

        Raises:
            ConfigError: the ``llm`` extra is missing, there is no key, or the key is not valid.
        """
        if importlib.util.find_spec("openai") is None:
            raise ConfigError(f"this needs openai: {INSTALL}")
        from openai import AsyncOpenAI

        key, parts = self._key(), urlsplit(self.url)
        if not key and parts.hostname == urlsplit(OPENAI).hostname:
            raise ConfigError(
                f"no key: set {self.key_env} in the environment, or name another variable with --key-env (your own "
                "servers, named with --base-url, need none)."
            )
        quiet_logs("httpx", "httpx2")
        return AsyncOpenAI(
            api_key=key or "none",
            base_url=parts._replace(
                netloc=parts.netloc.rpartition("@")[2], query="", fragment=""
            ).geturl(),
            default_query=dict(parse_qsl(parts.query)),
            default_headers=_basic(parts),
            timeout=self.timeout,
            max_retries=self.retries,
        )

    async def check(self, client: AsyncOpenAI) -> None:
        """Ask for the list of models, so that a wrong host or key is found before the first prompt.

        Raises:
            EndpointError: no server answers, or the key is refused. Other refusals are ignored, because not every
                server has such a list.
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

    def judge(self, error: Exception, model: str) -> tuple[Reach, str]:
        """The extent of an error from the client, and its message."""
        import openai

        place, said = without_credentials(self.url), self._said(error)
        if isinstance(error, openai.APITimeoutError):
            return "later", f"no answer within {self.timeout:g} seconds"
        if isinstance(error, openai.APIConnectionError):
            cause = self._said(error.__cause__ or error)
            return "later", f"cannot reach {place} ({cause}): check --base-url and the server."
        if not isinstance(error, openai.APIStatusError | BodyError):
            return "later", f"the answer cannot be read ({said})"
        status = error.status if isinstance(error, BodyError) else error.status_code
        code = str(error.code or "")
        how_far = reach(status, code, said)
        if how_far == "content":
            return how_far, f"refused by a content filter, {status or 'error'}: {said}"
        if how_far == "one":
            return how_far, f"refused, {status}: {said}"
        if how_far == "later":
            return how_far, f"{status or 'error'}: {said}"
        if status in (401, 403):
            return "all", f"{place} refuses the key in {self.key_env} ({status}: {said})."
        if code == "insufficient_quota" or status == 402:
            return "all", f"the quota at {place} is used up ({said})."
        if status in (404, 405):
            return "all", f"{place} has no model {model!r}, or no such service ({status}: {said})."
        if "response_format" in said or "json_schema" in said:
            remedy = "pass --json=object or --json=none"
            return "all", f"{place} cannot answer by schema ({said}): {remedy}."
        name = getattr(error, "param", None) or "NAME"
        remedy = f"the setting 'body={{{name}: null}}' leaves it out"
        return "all", f"{place} does not know a setting ({said}): {remedy}."

    def hide(self, text: str) -> str:
        """The text without the key and without the secrets in the base URL."""
        parts = urlsplit(self.url)
        # A user without a password is a token.
        password = parts.password or parts.username or ""
        secrets = [self._key(), unquote(password), password]
        secrets += [value for _, value in parse_qsl(parts.query)]
        secrets += [header.removeprefix("Basic ") for header in _basic(parts).values()]
        text = without_credentials(text)
        for secret in secrets:
            text = text.replace(secret, "***") if len(secret) > 3 else text
        return text

    def _said(self, error: BaseException) -> str:
        """The message in one short line."""
        body = getattr(error, "body", None)
        said = body.get("message") if isinstance(body, dict) else None
        text = self.hide(str(said or error)[:10_000] or type(error).__name__)
        line = one_line(text).rstrip(".")
        return line if len(line) <= 200 else line[:200] + " ..."

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(f"{self.key_env} has characters that no key has: set it again.")
        return key


def _basic(parts: SplitResult) -> dict[str, str]:
    """The Authorization header for the user and the password of a URL."""
    if not parts.username and not parts.password:
        return {}
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, also if an event loop is already running, as in a notebook."""
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
