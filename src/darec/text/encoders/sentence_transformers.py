"""Any sentence-transformers model, by its name on the Hugging Face Hub or by its folder (extra ``text``)."""

from __future__ import annotations

from typing import ClassVar

from darec.text.sentences import SentenceConfig, SentenceEncoder, require


class SentenceTransformersEncoder(SentenceEncoder):
    """The model named after the colon. Raises ``ConfigError`` without the ``text`` extra."""

    argument_name: ClassVar[str | None] = "MODEL_OR_FOLDER"

    def __init__(self, config: SentenceConfig, argument: str = "", *, device: str = "cpu") -> None:
        require("sentence_transformers")
        super().__init__(config, argument, device=device)
