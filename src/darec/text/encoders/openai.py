"""Embeddings by any OpenAI-compatible server, ``openai:MODEL`` (extra ``llm``): OpenAI, vLLM, TEI, Ollama, llama.cpp.

Texts are sent in requests of limited tokens, several requests at the same time. Without ``tokenizer``, the number of
tokens is estimated from characters, three for a token, and long texts are cut by that estimate.

If the server refuses a request because of its content, the request is halved until the refused texts are found. These
count as missing, with a notice, and are not sent again as long as the vectors are stored. All other texts get vectors.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from pydantic import Field, field_serializer

from darec.errors import ConfigError, EndpointError
from darec.text.encoders.base import Encoder, EncoderConfig, Precision
from darec.text.endpoint import Endpoint, run_async
from darec.text.refusals import Reach, read_answer
from darec.types import FloatArray
from darec.urls import without_credentials
from darec.wording import counted_noun

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_CHARACTERS: Final = 3
_REFUSED: Final = 20
"""If this many single texts are refused and no text has a vector, the settings are assumed to be the reason."""
_HINT: Final[dict[Reach, str]] = {
    "all": "",
    "content": "",
    "one": " Is a text too long? Lower max_tokens, or name the model's tokenizer.json as tokenizer.",
    "later": " Run again when the server works: finished batches are kept.",
}


class OpenAIConfig(EncoderConfig):
    """Settings of :class:`OpenAIEncoder`."""

    RUN_ONLY: ClassVar[frozenset[str]] = frozenset(
        {"base_url", "key_env", "batch_tokens", "batch_size", "in_flight", "timeout", "retries"}
    )

    base_url: str | None = Field(None, repr=False)
    """Address of the server, up to and including ``/v1``. With null, ``OPENAI_BASE_URL`` from the environment, or
    OpenAI."""
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable with the API key."""
    dimensions: int | None = Field(None, ge=1)
    """d_L, for models that can return fewer dimensions; null is the model's own number."""
    max_tokens: int = Field(8000, ge=1)
    """Number of tokens after which a text is cut."""
    tokenizer: Path | None = None
    """The model's ``tokenizer.json``. With null, the number of tokens is estimated."""
    prompt: str = ""
    """Prefix of every text, for models trained with one ("passage: ")."""
    normalize: bool = True
    """Scale the rows to unit length."""
    batch_tokens: int = Field(32_000, ge=1)
    """Largest number of tokens in a request, unless a single text has more."""
    batch_size: int = Field(64, ge=1)
    """Largest number of texts in a request."""
    in_flight: int = Field(4, ge=1)
    """Number of requests sent at the same time."""
    timeout: float = Field(120.0, gt=0)
    """Longest time without a byte from the server, in seconds."""
    retries: int = Field(6, ge=0)
    """Number of retries of a request that the server does not answer (see :class:`darec.text.endpoint.Endpoint`)."""

    @field_serializer("base_url")
    def _bare(self, url: str | None) -> str | None:
        """A password is used but never written."""
        return url and without_credentials(url)


class OpenAIEncoder(Encoder[OpenAIConfig]):
    """Gets vectors from a server.

    Raises:
        ConfigError: the ``llm`` extra, the key or the tokenizer is missing.
        EndpointError: the server cannot be reached, refuses, or does not send one vector for each text.
    """

    argument_name: ClassVar[str | None] = "MODEL"
    precision: ClassVar[Precision] = "float16"

    def __init__(self, config: OpenAIConfig, argument: str = "", *, device: str = "cpu") -> None:
        super().__init__(config, argument, device=device)
        self.endpoint = Endpoint(config.base_url, config.key_env, config.timeout, config.retries)
        self._n_cut = 0
        self._checked = False
        self._width = 0
        self._answered = False
        self._refused: list[str] = []

    @property
    def revision(self) -> str:
        """The name of the model, because a server does not tell which weights it runs."""
        return f"model {self.argument}, as served"

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """One row for each text, [n, d]."""
        cut = [self._cut(text) for text in texts]
        vectors = run_async(self._encode([text for text, _ in cut], self._batches(cut)))
        self.notices[:] = self._tell()
        if self.config.normalize:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return vectors

    def _tell(self) -> list[str]:
        notices = []
        if self._n_cut:
            limit = f"{self.config.max_tokens:,} tokens (max_tokens)"
            notices.append(f"{counted_noun(self._n_cut, 'text is', 'texts are')} cut to {limit}.")
        if self._refused:
            n, first = len(self._refused), self._refused[0]
            notices.append(
                f"the server refused {counted_noun(n, 'text, which counts', 'texts, which count')}"
                f" as missing (first: {first})."
            )
        return notices

    def _cut(self, text: str) -> tuple[str, int]:
        """The text that is sent, and its number of tokens."""
        # JSON may contain half a surrogate pair, which no server accepts.
        text = (self.config.prompt + text).encode("utf-8", "ignore").decode()
        limit = self.config.max_tokens
        if self._tokenizer is None:
            n, end = -(-len(text) // _CHARACTERS), limit * _CHARACTERS
        else:
            tokens = self._tokenizer.encode(text, add_special_tokens=False)
            n = len(tokens)
            end = tokens.offsets[limit - 1][1] if n > limit else len(text)
        if n <= limit:
            return text, n
        self._n_cut += 1
        return text[:end], limit

    def _batches(self, cut: Sequence[tuple[str, int]]) -> list[slice]:
        """Consecutive texts that fit into one request; the texts are sorted by length."""
        batches, start, tokens = [], 0, 0
        for row, (_, n) in enumerate(cut):
            full = tokens + n > self.config.batch_tokens or row - start == self.config.batch_size
            if row > start and full:
                batches.append(slice(start, row))
                start, tokens = row, 0
            tokens += n
        return [*batches, slice(start, len(cut))]

    async def _encode(self, texts: list[str], batches: list[slice]) -> FloatArray:
        gate = asyncio.Semaphore(self.config.in_flight)

        async def one(batch: slice) -> list[list[float]]:
            async with gate:
                return await self._ask(client, texts[batch])

        async with self.endpoint.client() as client:
            if not self._checked:
                await self.endpoint.check(client)
                self._checked = True
            tasks = [asyncio.ensure_future(one(batch)) for batch in batches]
            try:
                rows = [row for answer in await asyncio.gather(*tasks) for row in answer]
            finally:
                for task in tasks:
                    task.cancel()
        widths = {len(row) for row in rows if row} | ({self._width} if self._width else set())
        if len(widths) > 1:
            raise EndpointError(
                f"{self.argument!r} sent vectors of {sorted(widths)} numbers: they must be equally long."
            )
        if not widths:
            raise EndpointError(f"every text is refused: {self._refused[0]}.{_HINT['one']}")
        self._width = widths.pop()
        nothing = [0.0] * self._width  # counts as missing
        try:
            return np.array([row or nothing for row in rows], np.float32)
        except (ValueError, TypeError):
            raise EndpointError(f"{self.argument!r} sent vectors that are not numbers.") from None

    async def _ask(self, client: AsyncOpenAI, texts: list[str]) -> list[list[float]]:
        """One vector for each text; an empty list for a refused text."""
        import openai

        more: dict[str, Any] = (
            {"dimensions": self.config.dimensions} if self.config.dimensions else {}
        )
        try:
            # The body is parsed here, because the client trusts a server to send only embeddings.
            raw = await client.embeddings.with_raw_response.create(
                model=self.argument, input=texts, encoding_format="float", **more
            )
            body: Any = read_answer(raw.http_response.text)
            rows = {row["index"]: row["embedding"] for row in body["data"]}
            vectors = [list(rows[n]) for n in range(len(texts))]
        except (openai.OpenAIError, ValueError) as error:
            how_far, said = self.endpoint.judge(error, self.argument)
            said = said.rstrip(".")
            hopeless = len(self._refused) >= _REFUSED and not self._answered
            if how_far not in ("one", "content") or hopeless:
                raise EndpointError(f"{said}.{_HINT[how_far]}") from None
            if len(texts) > 1:
                half = len(texts) // 2
                return [
                    row
                    for part in (texts[:half], texts[half:])
                    for row in await self._ask(client, part)
                ]
            self._refused.append(said)
            return [[]]
        except (KeyError, TypeError):  # not embeddings
            raise EndpointError(
                f"{self.argument!r} did not send one vector for each of {len(texts)} texts: is it a model of "
                "embeddings?"
            ) from None
        if len(rows) != len(texts):
            raise EndpointError(
                f"{self.argument!r} sent {len(rows)} vectors for {len(texts)} texts."
            )
        if not all(vectors):
            raise EndpointError(f"{self.argument!r} sent vectors of [0] numbers.")
        self._answered = True
        return vectors

    @cached_property
    def _tokenizer(self) -> Any:
        path = self.config.tokenizer
        if path is None:
            return None
        if importlib.util.find_spec("tokenizers") is None:
            raise ConfigError("the setting tokenizer needs tokenizers: pip install tokenizers")
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no other kind of error
            raise ConfigError(f"{path} is not a tokenizer.json ({error}).") from None
