"""Embeddings by any OpenAI-compatible server, ``openai:MODEL`` (extra ``llm``): OpenAI, vLLM, TEI, Ollama, llama.cpp.

Texts go out in requests of so many tokens, several at a time. Without ``tokenizer`` tokens are estimated from
characters, at three to a token, and long texts are cut by that estimate.

A request that the server refuses for its content is halved until the refused texts stand alone. These count as missing,
with a notice, and are not asked again as long as the vectors are stored; all the others get their vectors.
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

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_CHARACTERS: Final = 3
_REFUSED: Final = 20
"""Texts refused one by one while none has a vector, after which the settings are taken to be refused."""
_HINT: Final[dict[Reach, str]] = {
    "all": "",
    "content": "",
    "one": " Is a text too long? Lower max_tokens, or name the model's tokenizer.json as tokenizer.",
    "later": " Run again when the server is well: finished batches are kept.",
}


class OpenAIConfig(EncoderConfig):
    """Settings of :class:`OpenAIEncoder`."""

    RUN_ONLY: ClassVar[frozenset[str]] = frozenset(
        {"base_url", "key_env", "batch_tokens", "batch_size", "in_flight", "timeout", "retries"}
    )

    base_url: str | None = Field(None, repr=False)
    """The server, up to and with ``/v1``; null: the environment's ``OPENAI_BASE_URL``, else OpenAI's."""
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key."""
    dimensions: int | None = Field(None, ge=1)
    """d_L, for models that can be asked for fewer dimensions; null: the model's own."""
    max_tokens: int = Field(8000, ge=1)
    """Tokens after which a text is cut."""
    tokenizer: Path | None = None
    """The model's ``tokenizer.json``; null: tokens are estimated."""
    prompt: str = ""
    """Put before every text, for models trained with one ("passage: ")."""
    normalize: bool = True
    """Scale the rows to unit length."""
    batch_tokens: int = Field(32_000, ge=1)
    """Tokens a request, unless a single text has more."""
    batch_size: int = Field(64, ge=1)
    """Texts a request, at most."""
    in_flight: int = Field(4, ge=1)
    """Requests at a time."""
    timeout: float = Field(120.0, gt=0)
    """Seconds without a byte from the server."""
    retries: int = Field(6, ge=0)
    """Of a request that the server does not answer (see :class:`darec.text.endpoint.Endpoint`)."""

    @field_serializer("base_url")
    def _bare(self, url: str | None) -> str | None:
        """A password is used and never written."""
        return url and without_credentials(url)


class OpenAIEncoder(Encoder[OpenAIConfig]):
    """Asks a server for vectors.

    Raises:
        ConfigError: the ``llm`` extra, the key or the tokenizer is missing.
        EndpointError: the server cannot be reached, refuses, or sends something else than one vector a text.
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
        """A server does not say which weights it runs: the model's name has to do."""
        return f"model {self.argument}, as served"

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """One row a text, [n, d]."""
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
            notices.append(f"{self._n_cut} texts are cut to {limit}.")
        if self._refused:
            n, first = len(self._refused), self._refused[0]
            notices.append(
                f"{n} texts are refused by the server and count as missing (first: {first})."
            )
        return notices

    def _cut(self, text: str) -> tuple[str, int]:
        """The text as sent, and how many tokens it has."""
        # Half a surrogate pair can come out of JSON, and no server takes it.
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
        """Neighbours that fit into one request; they come sorted by length."""
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
            raise EndpointError(f"{self.argument!r} sent vectors that are no numbers.") from None

    async def _ask(self, client: AsyncOpenAI, texts: list[str]) -> list[list[float]]:
        """One vector a text; an empty list for a text that is refused."""
        import openai

        more: dict[str, Any] = (
            {"dimensions": self.config.dimensions} if self.config.dimensions else {}
        )
        try:
            # Read by ourselves: the client trusts a server to send nothing but embeddings.
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
        except (KeyError, TypeError):  # something else than embeddings
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
        except Exception as error:  # the library raises no other kind
            raise ConfigError(f"{path} is no tokenizer.json ({error}).") from None
