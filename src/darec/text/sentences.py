"""Base of the encoders that run a sentence-transformers model: settings, loading, encoding, revision.

On a CPU, all texts of a batch have the same number of tokens, so that there is no padding. No time is spent on padding,
and a text's vector does not depend on the other texts of its batch: each row of a matrix product is computed in the
same way for any number of rows, unless there are too few. With MKL this holds to the last bit, also for different
numbers of threads. Shards, resumed runs and Ray jobs therefore give the same vectors as a single run. On other devices
a small batch would leave the device idle. There, batches are filled with texts of similar length and padded, and
vectors agree to about 1e-6.
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
"""Products of very few rows use other kernels, which round differently. The rows of such batches are repeated."""
_AT_ONCE: Final = 1024
"""Number of texts whose tokens are counted at once, to limit memory."""


class SentenceConfig(EncoderConfig):
    """Settings of a sentence-transformers model."""

    RUN_ONLY: ClassVar[frozenset[str]] = frozenset({"batch_size", "batch_tokens"})

    batch_tokens: int | None = Field(None, ge=1)
    """Largest number of tokens in a batch, unless a single text has more. With null, 1,024 on a CPU, where more do not
    fit into its cache, and 32,768 on other devices."""
    batch_size: int = Field(256, ge=1)
    """Largest number of texts in a batch."""
    max_tokens: int | None = Field(None, ge=1)
    """Number of tokens after which a text is cut; null is the model's own limit."""
    prompt: str = ""
    """Prefix of every text, for models trained with one ("passage: ")."""
    normalize: bool = True
    """Scale the rows to unit length."""


def require(*packages: str) -> None:
    """Raise ``ConfigError`` if a package of the ``text`` extra is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"this encoder needs {package.replace('_', '-')}: {INSTALL}")


def hash_folder(folder: Path) -> str:
    """SHA-256 over the names and contents of a model's files, below 1 s per GB."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if name.startswith(".") or file.suffix.lower() == ".md":
            continue  # not part of the model
        with file.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


class SentenceEncoder(Encoder[SentenceConfig]):
    """Base class of the encoders that run a sentence-transformers model; a subclass names the model.

    Weights are read only from safetensors; the older pickled format is refused.
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
        """One row for each text, [n, d]."""
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
        logging.set_verbosity_error()  # it warns about every text that is longer than the model's limit
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
        """Number of tokens after which the model's tokenizer cuts a text; None if it does not cut."""
        limit = self.model().max_seq_length
        return int(limit) if limit is not None and np.isfinite(limit) else None

    def model(self) -> Any:
        """The ``SentenceTransformer``, loaded at its first use."""
        if self._loaded is None:
            location = self.locate()
            self._loaded = _load(location, self.device)
            if self.config.max_tokens is not None:
                self._loaded.max_seq_length = self.config.max_tokens
        return self._loaded


def _load(location: str, device: str) -> Any:
    """A model from its folder, from the Hub's cache on this machine, or from the Hub, in this order.

    Raises ``TextError``.
    """
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
        except Exception as error:  # its clients raise many kinds of errors
            if local:
                raise TextError(
                    f"{location} is not a sentence-transformers model with safetensors weights ({_line(error)})."
                ) from error
        try:
            # The Hub is asked first, because loading retries for more than a minute before it fails.
            name = location if "/" in location else f"sentence-transformers/{location}"
            return load(revision=HfApi().model_info(name, timeout=10).sha)
        except Exception as error:
            raise TextError(
                f"no model {location!r}: it is not a folder, is not cached, and cannot be fetched from the Hugging "
                f"Face Hub ({_line(error)}). Check the name and the network, or give a folder."
            ) from error
    finally:
        logging.enable_progress_bar()


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
