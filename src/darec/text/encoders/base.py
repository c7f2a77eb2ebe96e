"""The contract of a text encoder: texts in, frozen vectors out. One file an encoder, one line in the registry.

An encoder is written ``NAME`` or ``NAME:ARGUMENT``: ``tfidf``, ``minilm``, ``sentence-transformers:MODEL``,
``openai:MODEL``, ``file:VECTORS.npy``. It knows nothing of datasets, files of vectors or missing texts:
:mod:`darec.text.encode` hands it the distinct texts that are there, in batches, and keeps what comes back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeVar

from darec.settings import Configured, Settings
from darec.types import FloatArray, IntArray

Precision = Literal["float16", "float32"]
"""Of the numbers on disk; float16 keeps 11 bits of each, a relative error of at most 0.0005."""


class EncoderConfig(Settings):
    """Base of every encoder's settings."""

    RUN_ONLY: ClassVar[frozenset[str]] = frozenset()
    """Settings that change how fast vectors are made but not what they are."""


C = TypeVar("C", bound=EncoderConfig)


class Encoder(Configured[C], ABC):
    """Base of every encoder. Write ``class Mine(Encoder[MineConfig])``, or ``Encoder[EncoderConfig]`` without settings.

    Args:
        config: an instance of the class's ``Config``.
        argument: what follows the colon, empty where ``argument_name`` is None.
        device: where a neural encoder runs.

    Attributes:
        notices: sentences for the report on what was dropped, capped or assumed.
    """

    Config: ClassVar[type[EncoderConfig]] = EncoderConfig
    argument_name: ClassVar[str | None] = None
    """What the argument is called in messages; None where the encoder takes none."""
    reads: ClassVar[Literal["text", "id"]] = "text"
    """Whether ``encode`` is given each entity's text or its id."""
    incremental: ClassVar[bool] = True
    """Whether a vector depends on its own text alone; if not, all are made again when any text changes."""
    precision: ClassVar[Precision] = "float32"
    """In which vectors are kept unless asked otherwise: float16 where the encoder makes unit rows of its own."""

    def __init__(self, config: C, argument: str = "", *, device: str = "cpu") -> None:
        self.config = config
        self.argument = argument
        self.device = device
        self.notices: list[str] = []

    @property
    @abstractmethod
    def revision(self) -> str:
        """What pins the vectors beside the settings: hash of the weights, version of the library."""

    @abstractmethod
    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """Vectors of some texts.

        Args:
            texts: n texts that are not blank (ids, where ``reads`` is ``"id"``).
            corpus: every item's text, on which an encoder that is not incremental is fitted; None: ``texts``.

        Returns:
            [n, d] float32. A row of zeros says that the encoder found nothing in that text.
        """

    def count_tokens(self, texts: Sequence[str]) -> IntArray | None:
        """[n] tokens of each text before any cut, exactly; None where the encoder cannot tell."""
        return None

    @property
    def limit(self) -> int | None:
        """Tokens after which a text is cut; None: no limit, or an encoder that does not count."""
        return None
