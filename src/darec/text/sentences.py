"""What the encoders that run a sentence-transformers model share: settings, loading, encoding, revision.

On a CPU a batch holds texts of one token length only, so that nothing is padded. No product is spent on padding, and a
text's vector does not depend on which others were in its batch: the rows of a matrix product are each computed alike,
whatever their number, if there are not too few. With MKL that holds to the last bit, also over numbers of threads; it
is what makes shards, resumed runs and Ray jobs give the vectors of a single run. On other devices, where a small batch
leaves the device idle, batches are filled with neighbours in length and padded, and vectors agree to about 1e-6.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from darec.errors import ConfigError, TextError
from darec.text.batching import token_batches
from darec.text.encoders.base import Encoder, EncoderConfig, Precision
from darec.types import FloatArray, IntArray

INSTALL: Final = "pip install 'darec[text]'"
_FEW_TOKENS: Final = 64
"""Products of fewer rows than a handful go through other kernels, which round otherwise: such batches are repeated."""
_AT_ONCE: Final = 1024
"""Texts whose tokens are counted at once, for the sake of memory."""


class SentenceConfig(EncoderConfig):
    """Settings of a sentence-transformers model."""

    RUN_ONLY: ClassVar[frozenset[str]] = frozenset({"batch_size", "batch_tokens"})

    batch_tokens: int | None = Field(None, ge=1)
    """Tokens the model reads at once, unless a single text has more; null: 1,024 on a CPU, where more no longer fit
    into its cache, and 32,768 elsewhere."""
    batch_size: int = Field(256, ge=1)
    """Texts the model reads at once, at most."""
    max_tokens: int | None = Field(None, ge=1)
    """Tokens after which a text is cut; null: the model's own limit."""
    prompt: str = ""
    """Put before every text, for models trained with one ("passage: ")."""
    normalize: bool = True
    """Scale the rows to unit length."""


def require(*packages: str) -> None:
    """Refuse at once if a package of the ``text`` extra is not installed. Raises ``ConfigError``."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"this encoder needs {package.replace('_', '-')}: {INSTALL}")


def hash_folder(folder: Path) -> str:
    """SHA-256 over the names and contents of a model's files, below 1 s per GB."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if name.startswith(".") or file.suffix.lower() == ".md":
            continue  # no part of the model
        with file.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


class SentenceEncoder(Encoder[SentenceConfig]):
    """Base of the encoders that run a sentence-transformers model; a subclass says which.

    Weights are read from safetensors only: the older pickled format is refused.
    """

    precision: ClassVar[Precision] = "float16"

    def __init__(self, config: SentenceConfig, argument: str = "", *, device: str = "cpu") -> None:
        super().__init__(config, argument, device=device)
        self._loaded: Any = None

    def locate(self) -> str:
        """The model's folder or name."""
        return self.argument

    @property
    def revision(self) -> str:
        """Hash of the model's folder, or the commit of a model from the Hugging Face Hub."""
        location = self.locate()
        if Path(location).is_dir():
            return f"sha256 {hash_folder(Path(location))}"
        commit = getattr(self.model()[0].auto_model.config, "_commit_hash", None)
        return f"commit {commit}"

    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """One row a text, [n, d]."""
        model, cpu = self.model(), self.device == "cpu"
        tokens = self.count_tokens(texts)
        if tokens is None:
            n = self.config.batch_size
            batches = [
                np.arange(len(texts))[start : start + n] for start in range(0, len(texts), n)
            ]
        else:
            tokens = np.minimum(tokens, self.limit or np.iinfo(np.int64).max)
            budget = self.config.batch_tokens or (1024 if cpu else 32_768)
            batches = token_batches(tokens, budget, self.config.batch_size, padded=not cpu)
        made: list[tuple[IntArray, FloatArray]] = []
        for rows in batches:
            batch = [self.config.prompt + texts[row] for row in rows]
            if cpu and tokens is not None:
                batch *= -(-_FEW_TOKENS // max(1, int(tokens[rows].sum())))
            vectors = model.encode(
                batch,
                batch_size=len(batch),
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=self.config.normalize,
            )
            made.append((rows, np.asarray(vectors[: len(rows)], np.float32)))
        table = np.empty((len(texts), made[0][1].shape[1]), np.float32)
        for rows, vectors in made:
            table[rows] = vectors
        return table

    def count_tokens(self, texts: Sequence[str]) -> IntArray | None:
        """[n] tokens of each text with its prompt, before any cut; None for models without a usual tokenizer."""
        tokenizer = getattr(self.model(), "tokenizer", None)
        if not callable(tokenizer):
            return None
        logging: Any = importlib.import_module("transformers.utils.logging")
        before = logging.get_verbosity()
        logging.set_verbosity_error()  # it warns of every text that is longer than the model's limit
        try:
            lengths = [
                len(ids)
                for start in range(0, len(texts), _AT_ONCE)
                for ids in tokenizer(
                    [self.config.prompt + text for text in texts[start : start + _AT_ONCE]],
                    truncation=False,
                    padding=False,
                    return_attention_mask=False,
                )["input_ids"]
            ]
        finally:
            logging.set_verbosity(before)
        return np.array(lengths, np.int64)

    @property
    def limit(self) -> int | None:
        """Tokens after which the model's tokenizer cuts a text; None: never."""
        limit = self.model().max_seq_length
        return int(limit) if limit is not None and np.isfinite(limit) else None

    def model(self) -> Any:
        """The ``SentenceTransformer``, loaded when it is first asked for."""
        if self._loaded is None:
            location = self.locate()
            self._loaded = _load(location, self.device)
            if self.config.max_tokens is not None:
                self._loaded.max_seq_length = self.config.max_tokens
        return self._loaded


def _load(location: str, device: str) -> Any:
    """A model from its folder, else from the Hub's cache on this machine, else from the Hub. Raises ``TextError``."""
    from huggingface_hub import HfApi
    from sentence_transformers import SentenceTransformer

    logging: Any = importlib.import_module("transformers.utils.logging")

    def load(**arguments: Any) -> Any:
        weights = {"use_safetensors": True}
        return SentenceTransformer(location, device=device, model_kwargs=weights, **arguments)

    local = Path(location).is_dir()
    if not local and location.startswith(("/", ".", "~")):
        raise TextError(f"no folder {location}: give a model's folder or its name on the Hub.")
    logging.disable_progress_bar()
    try:
        try:
            return load(local_files_only=True)
        except Exception as error:  # its clients raise many kinds
            if local:
                raise TextError(
                    f"{location} is no sentence-transformers model with safetensors weights ({_line(error)})."
                ) from error
        try:
            # Asked first, since loading retries for more than a minute before it gives up.
            name = location if "/" in location else f"sentence-transformers/{location}"
            return load(revision=HfApi().model_info(name, timeout=10).sha)
        except Exception as error:
            raise TextError(
                f"no model {location!r}: it is no folder, is not cached, and cannot be fetched from the Hugging Face "
                f"Hub ({_line(error)}). Check the name and the network, or give a folder."
            ) from error
    finally:
        logging.enable_progress_bar()


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
