"""The terms of a text for TF-IDF: its words, and the pairs of neighbouring characters in them.

Words are runs of letters, digits and the marks that belong to them, in lower case. Pairs are added because they improve
the vectors (``benchmarks/results/tfidf_terms.json``): they connect forms of a word, parts of compounds and different
spellings of a name. The pair of a word's first or last letter and a blank marks where the word begins and ends.

Chinese, Japanese, Thai, Lao, Khmer, Burmese and similar scripts have no blanks between words. A run of such a script
gives only pairs, without blanks at its ends; a Chinese character, which is often a word, is also a term of its own.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

FEW: Final = 0.5
"""A smaller share of texts with a word in common with another one gives a notice."""
_HAN: Final = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED: Final = (
    _HAN
    + "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3100-\u312f\u31a0-\u31bf"  # kana, bopomofo
    + "\u0e00-\u0eff"  # Thai, Lao
    + "\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff"  # Burmese
    + "\u1780-\u17ff"  # Khmer
    + "\u1950-\u19df\u1a20-\u1aaf\ua980-\ua9df"  # Tai, Javanese
)
_RUN: Final = re.compile(f"([{_UNSPACED}]+)|[^{_UNSPACED}]+")
_OF_HAN: Final = re.compile(f"[{_HAN}]")
_OTHER_WIDTH: Final = re.compile("[\uff00-\uffef]+")
"""Letters and digits as wide as a Chinese character, and katakana half as wide."""
_ASCII_WORD: Final = re.compile(r"[a-z0-9_]+")
"""Pattern of tokens in ASCII text; it finds the same as the general way below, ten times as fast."""
CHARACTERS: Final = "#"
"""Prefix of a character or a pair, which distinguishes it from a word."""


def terms(text: str, *, pairs: bool = True) -> list[str]:
    """Return the terms of a text, repeated as often as they occur.

    Args:
        text: any text.
        pairs: whether pairs are added to the words; in scripts without blanks they are always added.
    """
    if not pairs and text.isascii():
        return [word for word in _ASCII_WORD.findall(text.lower()) if len(word) > 1]
    text = unicodedata.normalize("NFC", text)
    text = _OTHER_WIDTH.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)
    text = text.lower().replace("i\u0307", "i")  # Python's lower case of a Turkish capital
    found: list[str] = []
    for token in _tokens().findall(text):
        for run in _RUN.finditer(token):
            part = run[0]
            if run[1]:
                characters = [part] if len(part) == 1 else _OF_HAN.findall(part)
                found += [CHARACTERS + character for character in characters]
            else:
                found += [part] if len(part) > 1 else []
                part = f" {part} " if pairs else ""
            found += [CHARACTERS + part[n : n + 2] for n in range(len(part) - 1)]
    return found


def share_of_texts_with_common_words(texts: Sequence[str]) -> float:
    """Share of the texts that have a word of another one, or a character or a pair in scripts without blanks."""
    held = [set(terms(text, pairs=False)) for text in texts]
    counts = Counter(term for some in held for term in some)
    return sum(any(counts[term] > 1 for term in some) for some in held) / max(len(held), 1)


@functools.cache
def _tokens() -> re.Pattern[str]:
    """A letter or digit, and all letters, digits and marks that follow; ``re`` has no class of marks."""
    marks, start = "", None
    for code in range(0x10000):
        is_mark = unicodedata.category(chr(code)).startswith("M")
        if is_mark and start is None:
            start = code
        elif not is_mark and start is not None:
            marks += f"{chr(start)}-{chr(code - 1)}"
            start = None
    return re.compile(rf"\w[\w{marks}]*")
