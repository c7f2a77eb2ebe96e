"""The contract of a text encoder, which turns texts into frozen vectors.

Each encoder is one file and one registry line.

An encoder is written ``NAME`` or ``NAME:ARGUMENT``: ``tfidf``, ``minilm``, ``sentence-transformers:MODEL``,
``openai:MODEL``, ``file:VECTORS.npy``. It has nothing to do with datasets, files of vectors or missing texts.
:mod:`darec.text.encode` gives it the distinct texts in batches and stores the vectors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeVar

from darec.settings import Configured, Settings
from darec.types import FloatArray, IntArray

Precision = Literal["float16", "float32"]
"""Precision of stored vectors; float16 keeps 11 bits of each number, a relative error of at most 0.0005."""


class EncoderConfig(Settings):
    """Base class of the settings of encoders."""

    RUN_ONLY: ClassVar[frozenset[str]] = frozenset()
    """Names of settings that change the speed of encoding but not the vectors."""


C = TypeVar("C", bound=EncoderConfig)


class Encoder(Configured[C], ABC):
    """Base class of encoders.

    Write ``class Mine(Encoder[MineConfig])``, or ``Encoder[EncoderConfig]`` without settings.

    Args:
        config: an instance of the class's ``Config``.
        argument: the text after the colon; empty if ``argument_name`` is None.
        device: device of a neural encoder.

    Attributes:
        notices: sentences for the report about dropped or cut texts and about assumptions.
    """

    Config: ClassVar[type[EncoderConfig]] = EncoderConfig
    argument_name: ClassVar[str | None] = None
    """Name of the argument in messages; None if the encoder takes no argument."""
    reads: ClassVar[Literal["text", "id"]] = "text"
    """Whether ``encode`` gets the text or the id of each entity."""
    incremental: ClassVar[bool] = True
    """Whether a vector depends only on its own text. If not, all vectors are computed again when a text changes."""
    precision: ClassVar[Precision] = "float32"
    """Default precision of stored vectors: float16 if the encoder makes unit rows."""

    def __init__(self, config: C, argument: str = "", *, device: str = "cpu") -> None:
        self.config = config
        self.argument = argument
        self.device = device
        self.notices: list[str] = []

    @property
    @abstractmethod
    def revision(self) -> str:
        """Everything except the settings on which the vectors depend: hash of the weights, version of the library."""

    @abstractmethod
    def encode(self, texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
        """Vectors of some texts.

        Args:
            texts: n texts that are not blank, or ids if ``reads`` is ``"id"``.
            corpus: every item's text, on which an encoder that is not incremental is fitted; None stands for ``texts``.

        Returns:
            [n, d] float32. A row of zeros means that the encoder found nothing in that text.
        """

    def count_tokens(self, texts: Sequence[str]) -> IntArray | None:
        """[n] exact number of tokens of each text before it is cut; None if the encoder cannot count."""
        return None

    @property
    def limit(self) -> int | None:
        """Number of tokens after which a text is cut; None if there is no limit or the encoder does not count."""
        return None
